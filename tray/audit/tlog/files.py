"""The files of a folder of tiles: where each is, how it comes there, and how a bundle of entries falls into entries."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from tray.audit.tiles import WIDTH
from tray.core import files

CHECKPOINT = "checkpoint"
ENTRIES = "tile/entries"
DETAILS = "details"

HEIGHT = 8
"""Levels of the tree in one tile."""

LENGTH = 2
"""Bytes of the length before each entry of a bundle."""
MOST = WIDTH * (LENGTH + 65_536)
"""Bytes of a full tile of entries at most."""


def place(folder: Path, number: int, width: int) -> Path:
    """Return the file of tile *number* below *folder*; of a partial one if *width* is less than 256."""
    *groups, last = (f"{int(group):03}" for group in f"{number:,}".split(","))
    path = folder.joinpath(*(f"x{group}" for group in groups), last)
    return path if width == WIDTH else path.with_name(f"{last}.p") / str(width)


def write(path: Path, content: bytes) -> None:
    """Write *content* durably to *path*, which appears complete or not at all, and which only this user can read."""
    with writing([path]) as (file,):
        file.write(content)


@contextlib.contextmanager
def writing(paths: Sequence[Path]) -> Iterator[list[BinaryIO]]:
    """Give a file to write for each of *paths*; they appear, complete and durable, when all is written."""
    with contextlib.ExitStack() as stack:
        opened: list[BinaryIO] = []
        for path in paths:
            _beside(path).unlink(missing_ok=True)  # in a folder that others share it may be a link to anywhere
            handle = files.descriptor(_beside(path), os.O_WRONLY | os.O_CREAT | os.O_EXCL)
            opened.append(stack.enter_context(open(handle, "wb")))
        yield opened
        for file in opened:
            file.flush()
            os.fsync(file.fileno())
    for path in paths:
        os.replace(_beside(path), path)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.new")


def make(folder: Path) -> None:
    """Make *folder* and what is missing above it for this user alone, whatever the umask."""
    for missing in reversed([folder, *folder.parents]):
        if not missing.is_dir():
            missing.mkdir(mode=0o700, exist_ok=True)


def split(bundle: bytes) -> list[bytes]:
    """Return the entries of a bundle.

    Raises:
        ValueError: It does not end where an entry ends.
    """
    found, at = [], 0
    while at < len(bundle):
        end = at + LENGTH + int.from_bytes(bundle[at : at + LENGTH], "big")
        found.append(bundle[at + LENGTH : end])
        at = end
    if at != len(bundle):
        raise ValueError("a bundle of entries is cut")
    return found


def tiles_of(first: int, count: int) -> Iterator[tuple[int, int]]:
    """Yield number and width of the tiles that hold *count* items, from tile *first* on."""
    for number in range(first, -(-count // WIDTH)):
        yield number, min(WIDTH, count - number * WIDTH)
