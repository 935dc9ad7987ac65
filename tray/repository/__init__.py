"""Repository state: what the repositories say of themselves, the second opinion beside the log.

local.py     which repositories are folders here, and which file systems answer at once
files.py     what their own files tell, free and without a password
locks.py     who holds a lock                         evidence.py  when snapshots were completed
cache.py     the status cache                         states.py    from what was found to what is shown, and concerns
after.py     the wrapper's look at its end            look.py      the looks now and then, and on request
targets.py   which repositories there are             ask.py       what only the engine can tell
"""
