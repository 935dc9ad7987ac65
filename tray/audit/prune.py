"""Forgetting the oldest entries, so that what is left still proves itself.

A segment is pruned when it is closed, older than the retention, and covered by a checkpoint that is kept outside the log and agrees
with it; if an archive is configured, the segment is there first. One transaction for each segment appends `audit.pruned`, which
says what went and which keys had signed it, keeps the tree over all that went (table `base`), and deletes entries and bodies.

What a spool still holds is appended first, and a segment is kept as long as a record of it waits in a spool: else that record would
be appended a second time, since the log no longer knows its id.
"""

import contextlib
import json
import sqlite3
from collections.abc import Mapping
from pathlib import Path

from tray.audit import bodies, checkpoint, database, last_check, segments, spool
from tray.audit.append import append_all
from tray.audit.checkpoint import VerifierKey
from tray.audit.entry import Action, Draft
from tray.audit.merkle import leaf_hash
from tray.audit.schema import FACET
from tray.audit.segments import Segment
from tray.audit.store import AuditLog
from tray.audit.tiles import Tiles
from tray.core import clock
from tray.core.dataclass import dataclass
from tray.core.errors import AuditUnavailableError, PruneRefusedError
from tray.core.paths import Places

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
    """What can be pruned now.

    Attributes:
        segments: The oldest first; none if nothing is due.
        start: The first entry that is kept now.
        kept: Why no more than that, in one sentence.
        next: What would let more go.
        baselines: By the end of a segment, name and text of the outside checkpoint that covers it.
    """

    segments: tuple[Segment, ...]
    start: int
    kept: str
    next: str
    baselines: Mapping[int, tuple[str, bytes]]


def plan(log: AuditLog, retention_ms: int, baselines: Mapping[str, bytes]) -> Plan:
    """Look what can be pruned; nothing is changed.

    Args:
        retention_ms: What is younger is kept.
        baselines: Checkpoints from outside the log, by name (`tray.baselines.all_copies.found`).

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
        kept, todo = (
            "No other segment is closed.",
            "Close one: `backup-tray audit rotate`. It goes once it is old enough.",
        )
        for segment in segments.listed(connection):
            if segment.size <= start:
                continue
            (last,) = connection.execute(_LAST, (segment.first, segment.size)).fetchone()
            found = [(place, note) for size, place, note in agreeing if size >= segment.size]
            obstacle = _obstacle(segment, opened, young=last is None or last >= horizon, covered=bool(found))
            if obstacle is not None:
                kept, todo = obstacle
                break
            due.append(segment)
            covered[segment.size] = found[0]
    return Plan(tuple(due), start, kept, todo, covered)


def _obstacle(segment: Segment, opened: int | None, *, young: bool, covered: bool) -> tuple[str, str] | None:
    """Return why *segment* must be kept and what to do about it; None if it may go."""
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
    """Prune what is due, one segment after the other, and return what went.

    Args:
        retention_ms: What is younger is kept; None: everything is.
        baselines: Checkpoints from outside the log, by name.
        archive: A folder into which a segment is copied before it goes, with its details.
        most: How many segments at most.

    Raises:
        PruneRefusedError: Something is due, but must not go; the rest stays.
        AuditUnavailableError: The log cannot be written; what went before stays gone.
    """
    if retention_ms is None:
        return []
    spool.drain(places, timeout=timeout)
    gone: list[Segment] = []
    with AuditLog.open(places.audit_db, places.audit_key, timeout=timeout, copies=places.baselines) as log:
        found = plan(log, retention_ms, baselines)
        for segment in found.segments[:most]:
            if archive is not None:
                _archive(log, archive, segment)
            _refuse_what_waits(places, log, segment)
            with last_check.resealed(places):
                _prune(log, segment, found.baselines[segment.size], archive)
            gone.append(segment)
        if gone:
            _forget(log)
    return gone


def keys_before(connection: sqlite3.Connection, start: int) -> list[str]:
    """Return the verifier keys that entries before number *start* introduced, in their order."""
    row = connection.execute(_PRUNED).fetchone()
    known: list[str] = [] if row is None else list(json.loads(bodies.plain(row[0]))["keys"])
    return known + [json.loads(bodies.plain(row[0]))["public_key"] for row in connection.execute(_KEYS, (start,))]


def _agreeing(connection: sqlite3.Connection, baselines: Mapping[str, bytes]) -> list[tuple[int, str, bytes]]:
    """Return size, name and text of the baselines that are signed by the log's keys and have its root, the largest first."""
    (name, size) = connection.execute("SELECT log, size FROM head").fetchone()
    tiles, found = Tiles(connection), []
    known = [VerifierKey.parse(key) for key in keys_before(connection, size)]
    for place, note in baselines.items():
        with contextlib.suppress(ValueError, LookupError):
            seen = checkpoint.parse(note)
            if seen.origin == name and tiles.start <= seen.size <= size and any(key.verifies(note) for key in known):
                if tiles.root_at(seen.size) == seen.root:
                    found.append((seen.size, place, note))
    return sorted(found, reverse=True)


def _archive(log: AuditLog, folder: Path, segment: Segment) -> None:
    from tray.audit import tlog

    root = checkpoint.parse(segment.note).root
    tlog.export(log, folder, size=segment.size, note=segment.note, details=True)
    if not tlog.holds(folder, segment.first, segment.size, root):
        tlog.export(log, folder, first=segment.first, size=segment.size, note=segment.note, details=True)
        if not tlog.holds(folder, segment.first, segment.size, root):
            raise PruneRefusedError(
                f"The archive {folder} does not hold the entries {segment.first} to {segment.size - 1} as they are.",
                "Give an empty folder as `archive` in the table [audit] of the configuration.",
            )


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
            raise AuditUnavailableError("Somebody else is pruning the log.", "Try again.")
        frontier, row = (
            tiles.frontier_at(start),
            connection.execute("SELECT entry FROM entries WHERE seq = ?", (start - 1,)),
        )
        leaf = leaf_hash(row.fetchone()[0])
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
        connection.execute("UPDATE base SET start = ?, leaf = ?, frontier = ?", (start, leaf, frontier.to_bytes()))
        connection.execute("DELETE FROM bodies WHERE seq < ?", (start,))
        connection.execute("DELETE FROM entries WHERE seq < ?", (start,))


def _forget(log: AuditLog) -> None:
    """Leave nothing of what went in SQLite's write-ahead log or in the index of words, which is made anew."""
    from tray.audit.search import index_file

    with contextlib.suppress(AuditUnavailableError):  # somebody is reading; the next checkpoint of SQLite does it
        log.flush()
    with contextlib.suppress(OSError):
        index_file.forget(log.db)
