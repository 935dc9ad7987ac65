"""The wrapper: runs a backup under watch without ever being in its way. Start here: `wrap.run`.

wrap.py     one run from beginning to end                   watch.py    lines become events
picture.py  events become the live picture
child.py    the process, its terminal, its signals          outputs.py  spool files and the way to the caller
wake.py     waiting for whatever comes first                publish.py  the line to the tracker
log.py      the run's own log                               rate.py     what a process reads
record.py   entries of the audit log                        closing.py  runs whose wrapper died
past.py     earlier runs of the job, for the estimate       stall.py    whether it stands still
control.py  cancel, pause, resume                           leftover.py an earlier run that goes on, a lock left behind
rescue.py   when we make a mistake of our own
"""
