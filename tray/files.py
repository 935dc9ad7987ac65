"""Open files as bytes: what is written is what stands in the file, on every system.

Windows opens a descriptor in text mode unless it is told otherwise: each line end grows to two bytes, and a file ends at Ctrl-Z.
What is hashed, signed or compared would then never agree with itself.
"""

import os


def descriptor(path: str | os.PathLike[str], flags: int, mode: int = 0o600) -> int:
    """Open *path* and return a descriptor for bytes; no program that we start inherits it.

    Args:
        path: The file.
        flags: As for `os.open`.
        mode: The permissions of a file that is made: for this user alone.

    Raises:
        OSError: It cannot be opened.
    """
    return os.open(path, flags | getattr(os, "O_BINARY", 0), mode)
