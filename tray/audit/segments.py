"""Close parts of the log as segments, and prune the oldest so that the rest still proves itself.

Closing a segment moves nothing: a row notes where it ends, with a signed checkpoint of just that size. A segment begins where the
one before it ended, and ends between two tiles, at a multiple of 256 entries. So pruning removes a whole number of tiles, and the
tree over them stays known.

A segment may be pruned when it is closed, older than the retention, and covered by a checkpoint outside the log that agrees with
it; if an archive is configured, the segment is copied there first. One transaction for each segment appends `audit.pruned`, which
names the pruned entries and the keys that had signed them, keeps the tree over them (table `base`), and deletes entries and
bodies.

Waiting records are appended first. A segment stays while a record of it waits in a spool: otherwise that record would be appended a
second time, since the log would no longer know its id.
"""

import contextlib
import json
import sqlite3
from collections.abc import Mapping
from pathlib import Path

from tray.audit import checkpoint, database, keys, spool, tlog
from tray.audit.append import append_all
from tray.audit.checkpoint import Checkpoint, VerifierKey
from tray.audit.entry import Action, Draft
from tray.audit.merkle import WIDTH, Tiles, leaf_hash
from tray.audit.rows import plain_body
from tray.audit.schema import FACET
from tray.audit.search import by_words
from tray.audit.store import AuditLog
from tray.audit.verify.seal import resealed
from tray.core import clock
from tray.core.dataclass import dataclass
from tray.core.errors import AuditUnavailableError, PruneRefusedError
from tray.core.paths import Places

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
    """Return the closed segments, the oldest first, also those that were pruned."""
    with log._snapshot() as connection:
        return listed(connection)


def listed(connection: sqlite3.Connection) -> list[Segment]:
    """Return the closed segments in the database on *connection*."""
    return [Segment(*row) for row in connection.execute(f"{_COLUMNS} ORDER BY first")]


def rotate(log: AuditLog, entries: int | None = None) -> list[Segment]:
    """Close every segment that is due, each with an entry `audit.rotated`, all in one transaction.

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
        if not _due(connection, entries):  # nearly always: then no writer has to wait for us
            return []
    with database.guard(log.db, log.timeout), log._writing() as connection:
        name, newest = connection.execute("SELECT log, checkpoint FROM head").fetchone()
        signer, tiles, segments = keys.signer(key, name, newest), Tiles(connection), []
        for first, size in _due(connection, entries):
            note = signer.sign(Checkpoint(name, size, tiles.root_at(size)))
            segments.append(Segment(first, size, clock.now_ms(), note))
        drafts = [_entry(segment) for segment in segments]
        append_all(connection, key, drafts)
        connection.executemany(
            "INSERT INTO segments (first, size, closed, checkpoint) VALUES (?, ?, ?, ?)",
            [(segment.first, segment.size, segment.closed_ms, segment.note) for segment in segments],
        )
    return segments


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


_LAST = "SELECT max(json_extract(CAST(entry AS TEXT), '$.recorded')) FROM entries WHERE seq >= ? AND seq < ?"
_KEYS = (
    "SELECT body FROM entries INDEXED BY facet JOIN bodies ON bodies.seq = entries.seq "  # noqa: S608 - constants of ours
    f"WHERE {FACET} >= '[\"key.' AND {FACET} < '[\"key/' AND entries.seq < ? ORDER BY entries.seq"
)
_PRUNED = (
    "SELECT body FROM entries INDEXED BY facet JOIN bodies ON bodies.seq = entries.seq "  # noqa: S608 - constants of ours
    f"WHERE {FACET} >= '[\"audit.pruned\"' AND {FACET} < '[\"audit.pruned#' ORDER BY entries.seq DESC LIMIT 1"
)


@dataclass(frozen=True, slots=True)
class Plan:
    """The segments that can be pruned now.

    Attributes:
        segments: The oldest first; none if nothing is due.
        start: First entry that is kept now.
        kept: One sentence that says why no more segments can go.
        next: Next step that would let more go.
        baselines: Name and text of the outside checkpoint that covers a segment, by the segment's end.
    """

    segments: tuple[Segment, ...]
    start: int
    kept: str
    next: str
    baselines: Mapping[int, tuple[str, bytes]]


def plan(log: AuditLog, retention_ms: int, baselines: Mapping[str, bytes]) -> Plan:
    """Return the segments that can be pruned; nothing is changed.

    Args:
        retention_ms: Age up to which entries are kept.
        baselines: Checkpoints from outside the log, by name (`tray.baselines.all_copies.notes`).

    Raises:
        AuditUnavailableError: The log cannot be read.
    """
    with log._snapshot() as connection:
        (start,) = connection.execute("SELECT start FROM base").fetchone()
        (opened,) = connection.execute("SELECT min(seq) FROM open_runs").fetchone()
        agreeing = _agreeing(connection, baselines)
        horizon = clock.to_text(clock.now_ms() - retention_ms)
        due: list[Segment] = []
        covered: dict[int, tuple[str, bytes]] = {}
        kept = "No other segment is closed."
        todo = "Close one: `backup-tray audit rotate`. It goes once it is old enough."
        for segment in listed(connection):
            if segment.size <= start:
                continue
            (last,) = connection.execute(_LAST, (segment.first, segment.size)).fetchone()
            covering = [(place, note) for size, place, note in agreeing if size >= segment.size]
            obstacle = _obstacle(segment, opened, young=last is None or last >= horizon, covered=bool(covering))
            if obstacle is not None:
                kept, todo = obstacle
                break
            due.append(segment)
            covered[segment.size] = covering[0]
    return Plan(tuple(due), start, kept, todo, covered)


def _obstacle(segment: Segment, opened: int | None, *, young: bool, covered: bool) -> tuple[str, str] | None:
    """Return why *segment* must be kept and the next step; None if it may go."""
    if young:
        return f"Entry {segment.size - 1} is younger than that.", "Wait, or give another age: `--older-than DAYS`."
    if opened is not None and opened < segment.size:
        why = f"The run that began with entry {opened} has no end on record yet."
        return why, f"Look at it: `backup-tray audit show {opened}`."
    if not covered:
        why = f"No checkpoint outside the log covers entry {segment.size - 1} and agrees with the log."
        return why, "Give `baselines` in the table [audit] of the configuration, then look: `backup-tray audit verify`."
    return None


def prune(
    places: Places,
    retention_ms: int | None,
    baselines: Mapping[str, bytes],
    *,
    archive: Path | None = None,
    most: int | None = None,
    timeout: float = 5.0,
) -> list[Segment]:
    """Prune the segments that are due, one after the other, and return them.

    Args:
        retention_ms: Age up to which entries are kept; None: all are kept.
        baselines: Checkpoints from outside the log, by name.
        archive: Folder to which a segment is copied before it goes, with its details.
        most: Greatest number of segments to prune.

    Raises:
        PruneRefusedError: A segment is due, but must not go; it and the rest stay.
        AuditUnavailableError: The log cannot be written; segments that were pruned before stay pruned.
    """
    if retention_ms is None:
        return []
    spool.drain(places, timeout=timeout)
    gone: list[Segment] = []
    with AuditLog.open(places.audit_db, places.audit_key, timeout=timeout, copies=places.baselines) as log:
        due = plan(log, retention_ms, baselines)
        for segment in due.segments[:most]:
            if archive is not None:
                # Each file of the segment is compared with the log and mended, not only those that are missing.
                tlog.export(log, archive, first=segment.first, size=segment.size, note=segment.note, details=True)
            _refuse_what_waits(places, log, segment)
            with resealed(places):
                _prune(log, segment, due.baselines[segment.size], archive)
            gone.append(segment)
        if gone:
            _forget(log)
    return gone


def keys_before(connection: sqlite3.Connection, start: int) -> list[str]:
    """Return the verifier keys that entries before number *start* introduced, in their order."""
    row = connection.execute(_PRUNED).fetchone()
    known: list[str] = [] if row is None else list(json.loads(plain_body(row[0]))["keys"])
    return known + [json.loads(plain_body(row[0]))["public_key"] for row in connection.execute(_KEYS, (start,))]


def _agreeing(connection: sqlite3.Connection, baselines: Mapping[str, bytes]) -> list[tuple[int, str, bytes]]:
    """Return size, name and text of the baselines that are signed by the log's keys and have its root, the largest first."""
    (name, size) = connection.execute("SELECT log, size FROM head").fetchone()
    tiles, agreeing = Tiles(connection), []
    known = [VerifierKey.parse(key) for key in keys_before(connection, size)]
    for place, note in baselines.items():
        with contextlib.suppress(ValueError, LookupError):
            head = checkpoint.parse(note)
            if head.origin == name and tiles.start <= head.size <= size and any(key.verifies(note) for key in known):
                if tiles.root_at(head.size) == head.root:
                    agreeing.append((head.size, place, note))
    return sorted(agreeing, reverse=True)


def _refuse_what_waits(places: Places, log: AuditLog, segment: Segment) -> None:
    waiting = [draft.id for draft in spool.pending(places)]
    with log._snapshot() as connection:
        for waits in waiting:
            row = connection.execute("SELECT seq FROM entries INDEXED BY entry_id WHERE id = ?", (waits,)).fetchone()
            if row is not None and row[0] < segment.size:
                raise PruneRefusedError(
                    f"The record of entry {row[0]} still waits in a spool too, and would be appended a second time.",
                    f"Look whether its folder can be written: `ls -ld {' '.join(map(str, places.spools))}`.",
                )


def _prune(log: AuditLog, segment: Segment, baseline: tuple[str, bytes], archive: Path | None) -> None:
    key, start = log.writing_key(), segment.size
    with database.guard(log.db, log.timeout), log._writing() as connection:
        tiles = Tiles(connection)
        if tiles.start != segment.first:
            raise AuditUnavailableError("Another process is pruning the log.", "Try again.")
        frontier = tiles.frontier_at(start)
        (last,) = connection.execute("SELECT entry FROM entries WHERE seq = ?", (start - 1,)).fetchone()
        if frontier.root() != checkpoint.parse(segment.note).root:
            raise AuditUnavailableError(
                f"The entries before number {start} are not the ones that were closed.", "`backup-tray audit verify`"
            )
        body = {
            "first": segment.first,
            "start": start,
            "root": frontier.root().hex(),
            "keys": keys_before(connection, start),
            "baseline": {"name": baseline[0], "checkpoint": baseline[1].decode("utf-8", "backslashreplace")},
            "archive": None if archive is None else str(archive),
        }
        append_all(connection, key, [Draft(Action.AUDIT_PRUNED, result="pruned", body=body)])
        connection.execute(
            "UPDATE base SET start = ?, leaf = ?, frontier = ?", (start, leaf_hash(last), frontier.to_bytes())
        )
        connection.execute("DELETE FROM bodies WHERE seq < ?", (start,))
        connection.execute("DELETE FROM entries WHERE seq < ?", (start,))


def _forget(log: AuditLog) -> None:
    """Leave nothing of the pruned entries in SQLite's write-ahead log or in the index of words, which is made anew."""
    with contextlib.suppress(AuditUnavailableError):  # another process reads; the next checkpoint of SQLite does it
        log.flush()
    with contextlib.suppress(OSError):
        by_words.forget(log.db)
