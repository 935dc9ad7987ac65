"""Repository state: what the repositories say of themselves, the second opinion beside the log.

local.py     which repositories are folders here, and which file systems never hang
files.py     what their own files tell, free and without a password
locks.py     who holds a lock                    evidence.py  whether a snapshot was made since
"""
