"""The state of repositories as they show it themselves: a second opinion beside the audit log.

local.py          which repositories are folders here, and which file systems answer at once
files.py          their state from their own files, free and without a password
locks.py          who holds a lock                 new_snapshots.py  the proof for an observed run
cache.py          the status cache                 states.py         from the files to the state that is shown, and concerns
after.py          the wrapper's look at its end    look.py           which repositories there are, and the looks now and then
ask.py            facts that only the engine can tell
"""
