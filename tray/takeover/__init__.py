"""Find the backups that a machine makes already, and describe each so that a job can watch it.

`discover.discover` looks at crontabs, anacron, systemd's timers, and the configurations of tools that call an engine. It only
reads: nothing that stands in a file is run, each file and each answer of a program has a greatest length, and a file that makes no
sense gives a sentence instead of a failure.

crontab.py, crontabs.py    cron's and anacron's tables: read the text, find the files
units.py, timers.py        systemd's units: read the text, find the files
schedule.py                when something starts: cron lines, words for it
shell.py, calls.py         a shell's text: split and expand it, follow it into scripts
tools/, toolbox.py         one module a tool: borgmatic, resticprofile, autorestic, duply, rsnapshot, Back In Time, Vorta
names.py                   the automatic job names that runs will get
understand.py              the command of a scheduler, put together: a `Finding`
discover.py                the whole search
"""
