"""Learn from the system which engines others started, by the kernel's process list, and when the machine was awake.

Engines are found on Linux only. awake_log.py and boots.py work without the rest.

awake_log.py  notes when the machine was awake       boots.py    when it started and went off, by the system's records
lister.py   lists new processes                      examine.py  tells whether a process is a run, and of what
proc.py     reads /proc/PID                          meter.py    measures a run
scope.py    whose processes an instance looks at     ends.py     how a run ended
execs.py    notices at once that an engine starts    events.py   the kernel's notices about all processes

Nothing here needs rights of its own: what the kernel does not tell this user stays unknown. A run shorter than the interval between
two looks may be missed; one that is seen is shown within 2 s of its start.
"""
