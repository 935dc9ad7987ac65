"""Engines that others started: found in the kernel's process list, followed to their end. Linux only; elsewhere nothing is found.

proc.py    what /proc tells of one process         lister.py  which processes are new
look.py    is it a run, and of what                family.py  whose descendant it is
meter.py   how it goes meanwhile                   ends.py    how it ended
events.py  what the kernel tells of each process at once
scope.py   whose processes an instance looks at    execs.py   that an engine was started, at once

Nothing here needs rights of its own: what the kernel does not tell this user stays unknown. A run shorter than the interval between
two looks may be missed; one that is seen is shown within 2 s of its start.
"""
