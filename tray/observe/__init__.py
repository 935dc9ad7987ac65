"""Engines that others started: found in the kernel's process list, followed to their end. Linux only; elsewhere nothing is found.

lister.py   which processes are new                  examine.py  whether a process is a run, and of what
proc.py     what /proc tells of one process          family.py   whose descendant it is
meter.py    how far a run is                         ends.py     how it ended
scope.py    whose processes an instance looks at     quota.py    how many of another user's runs it follows
execs.py    notice at once that an engine was started
events.py   what the kernel tells at once of each process
exits.py    the names of processes that have ended

Nothing here needs rights of its own: what the kernel does not tell this user stays unknown. A run shorter than the interval between
two looks may be missed; one that is seen is shown within 2 s of its start.
"""
