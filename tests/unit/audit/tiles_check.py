"""Read a folder of tiles back from its files alone."""

from pathlib import Path

from tray.audit import checkpoint
from tray.audit.merkle import EMPTY_ROOT, HASH_SIZE, HEIGHT, WIDTH, fold, leaf_hash, node_hash
from tray.audit.tlog import CHECKPOINT, ENTRIES, LENGTH, place, tiles_of
from tray.core import files

MOST = WIDTH * (LENGTH + 65_536)
"""Bytes of a full tile of entries at most."""


def split(bundle: bytes) -> list[bytes]:
    """Return the entries of a bundle.

    Raises:
        ValueError: It does not end where an entry ends.
    """
    entries, at = [], 0
    while at < len(bundle):
        end = at + LENGTH + int.from_bytes(bundle[at : at + LENGTH], "big")
        entries.append(bundle[at + LENGTH : end])
        at = end
    if at != len(bundle):
        raise ValueError("a bundle of entries is cut")
    return entries


def holds(folder: Path, first: int, size: int, root: bytes | None = None) -> bool:
    """Whether the entries from number *first* up to *size* are all in *folder*, and its tiles vouch for them.

    Args:
        root: The root that the log has at *size*; without it only the files of the folder are compared with each other.
    """
    try:
        there = checkpoint.parse(files.content(folder / CHECKPOINT))
        if there.size < size or _root_at(folder, there.size, there.size) != there.root:
            return False
        if root is not None and _root_at(folder, there.size, size) != root:
            return False
        return _is_built(folder, there.size, first) and all(
            list(map(leaf_hash, split(_read(folder / ENTRIES, number, width))))[:width]
            == _tile(folder, 0, number, there.size)
            for number, width in tiles_of(first // WIDTH, there.size)
            if number * WIDTH < size
        )
    except (OSError, ValueError):
        return False


def _read(folder: Path, number: int, width: int) -> bytes:
    """Return the content of a tile: the one of this width, or else the full one, which begins with it."""
    try:
        return files.content(place(folder, number, width), MOST)
    except FileNotFoundError:
        return files.content(place(folder, number, WIDTH), MOST)


def _tile(folder: Path, level: int, number: int, size: int) -> list[bytes]:
    width = min(WIDTH, (size >> HEIGHT * level) - number * WIDTH)
    raw = _read(folder / f"tile/{level}", number, width)[: width * HASH_SIZE]
    if len(raw) != width * HASH_SIZE:
        raise ValueError("a tile is cut")
    return [raw[at : at + HASH_SIZE] for at in range(0, len(raw), HASH_SIZE)]


def _is_built(folder: Path, size: int, first: int) -> bool:
    """Whether each hash above the lowest tiles is made of the tile below it, for tiles from entry *first* on."""
    level = 1
    while count := size >> HEIGHT * level:
        for child in range(first // WIDTH if level == 1 else 0, count):
            above = _tile(folder, level, child // WIDTH, size)[child % WIDTH]
            if above != fold(_tile(folder, level - 1, child, size)):
                return False
        level += 1
    return True


def _root_at(folder: Path, size: int, end: int) -> bytes:
    """Return the root over the first *end* of *size* entries, from the tiles."""
    root = b""
    while end:
        height = (end & -end).bit_length() - 1
        end -= 1 << height
        level, above = divmod(height, HEIGHT)
        number, first = divmod(end >> HEIGHT * level, WIDTH)
        left = fold(_tile(folder, level, number, size)[first : first + (1 << above)])
        root = node_hash(left, root) if root else left
    return root or EMPTY_ROOT
