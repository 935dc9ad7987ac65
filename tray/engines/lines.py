"""An engine's output as lines, which also end at a carriage return where updates are redrawn in place."""

from collections.abc import Iterator

LINE_LIMIT = 1024 * 1024
"""A longer line, in bytes, is read in pieces of this length."""


def cut(text: bytes, *, returns: bool) -> Iterator[bytes]:
    """Yield the lines of *text* with their ends; of an engine whose updates end with a carriage return, each update alone."""
    lines = text.split(b"\n")
    for line in (*(line + b"\n" for line in lines[:-1]), lines[-1]):
        if not returns or b"\r" not in line:
            if line:
                yield line
            continue
        parts = line.split(b"\r")
        ends = [part + b"\r" for part in parts[:-1]]
        if parts[-1] == b"\n":  # "\r\n" is one end
            ends[-1] += parts[-1]
        elif parts[-1]:
            ends.append(parts[-1])
        yield from ends
