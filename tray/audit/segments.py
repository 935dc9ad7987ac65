"""Closed parts of the log. Closing one moves nothing: it notes where the part ends, with a signed checkpoint of just that size.

A segment begins where the one before it ended, and ends between two tiles, at a multiple of 256 entries. So what is pruned later
is a whole number of tiles, and the tree over it stays known. See `prune`.
"""

import sqlite3

from tray.audit import checkpoint, database, keys
from tray.audit.append import append_all
from tray.audit.checkpoint import Checkpoint
from tray.audit.entry import Action, Draft
from tray.audit.store import AuditLog
from tray.audit.tiles import WIDTH, Tiles
from tray.core import clock
from tray.core.dataclass import dataclass
from tray.core.errors import AuditUnavailableError

_COLUMNS = "SELECT first, size, closed, checkpoint FROM segments"


@dataclass(frozen=True, slots=True)
class Segment:
    """The entries from number `first` up to `size`.

    Attributes:
        size: Length of the log where the segment ends; the next one begins there.
        note: The signed checkpoint of the log at that length.
    """

    first: int
    size: int
    closed_ms: int
    note: bytes


def closed(log: AuditLog) -> list[Segment]:
    """Return the closed segments, the oldest first; those that were pruned are among them."""
    with log._snapshot() as connection:
        return listed(connection)


def listed(connection: sqlite3.Connection) -> list[Segment]:
    """Return the same on a connection."""
    return [Segment(*row) for row in connection.execute(f"{_COLUMNS} ORDER BY first")]


def rotate(log: AuditLog, entries: int | None = None) -> list[Segment]:
    """Close what is due, each segment with an entry `audit.rotated`, all in one transaction.

    Args:
        entries: Length of a segment, a multiple of 256; None: one segment of all that can be closed now.

    Returns:
        The segments that were closed; none if too few entries came since the last one.

    Raises:
        AuditUnavailableError: The log cannot be written; nothing was closed.
    """
    key = log.writing_key()
    if entries is not None and (entries < WIDTH or entries % WIDTH):
        raise AuditUnavailableError(f"A segment has a multiple of {WIDTH} entries, not {entries}.", "Mend `segment`.")
    with database.guard(log.db, log.timeout), log._snapshot() as connection:
        if not _due(connection, entries):  # nearly always: nobody is kept waiting for that
            return []
    with database.guard(log.db, log.timeout), log._writing() as connection:
        name, newest = connection.execute("SELECT log, checkpoint FROM head").fetchone()
        signer, tiles, found = keys.signer(key, name, newest), Tiles(connection), []
        for first, size in _due(connection, entries):
            note = signer.sign(Checkpoint(name, size, tiles.root_at(size)))
            found.append(Segment(first, size, clock.now_ms(), note))
        drafts = [_entry(segment) for segment in found]
        append_all(connection, key, drafts)
        connection.executemany(
            "INSERT INTO segments (first, size, closed, checkpoint) VALUES (?, ?, ?, ?)",
            [(segment.first, segment.size, segment.closed_ms, segment.note) for segment in found],
        )
    return found


def _due(connection: sqlite3.Connection, entries: int | None) -> list[tuple[int, int]]:
    (size,) = connection.execute("SELECT size FROM head").fetchone()
    (first,) = connection.execute("SELECT coalesce(max(size), 0) FROM segments").fetchone()
    if entries is None:
        end = size // WIDTH * WIDTH
        return [(first, end)] if end > first else []
    return [(begin, begin + entries) for begin in range(first, size - entries + 1, entries)]


def _entry(segment: Segment) -> Draft:
    root = checkpoint.parse(segment.note).root.hex()
    body = {"first": segment.first, "size": segment.size, "root": root}
    return Draft(Action.AUDIT_ROTATED, result="closed", body=body)
