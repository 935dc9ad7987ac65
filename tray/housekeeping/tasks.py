"""The housekeeping tasks, in the order in which a round runs them."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from tray.audit import last_check, segments, spool
from tray.audit.search import index_fill
from tray.audit.store import AuditLog
from tray.baselines import all_copies, far_copies, forwarding
from tray.baselines.recorded_check import check
from tray.config import Config, load
from tray.core import clock
from tray.core.dataclass import dataclass
from tray.core.errors import AuditStandingError, ConfigError, PruneRefusedError
from tray.core.paths import Places
from tray.housekeeping import clock_jumps, config_changes, task_memory, time_zone
from tray.observe import awake_log, boots
from tray.recording import close_lost
from tray.runs import retention

INDEX_SECONDS = 60.0
"""Time that one round spends on the search index; a log of many years takes several rounds."""
PRUNE_EVERY_MS = clock.DAY_MS
RETRY_MS = clock.DAY_MS
"""Pause before the next try after a full verification that brought no result, such as one of an unreadable log."""


@dataclass(frozen=True)
class Round:
    """One round of housekeeping, as its tasks see it.

    Attributes:
        places: Folders of the installation whose log is cared for.
        started: Whether the tracker has just started.
    """

    places: Places
    started: bool = False

    @cached_property
    def config(self) -> Config:
        """The configuration.

        Raises:
            ConfigError: It is broken; tasks that depend on it wait until it is mended.
        """
        return load(self.places)

    @cached_property
    def config_or_default(self) -> Config:
        """The configuration, or the defaults where it is broken: for tasks that must not wait."""
        try:
            return self.config
        except ConfigError:
            return Config()


Task = Callable[[Round], None]
"""One piece of work; a round notes an error of it, and goes on with the next."""


def close_lost_runs(current: Round) -> None:
    """Close the runs whose wrapper died, and append the records that wait in the spool."""
    close_lost.close(current.places)
    spool.drain(current.places)


def verify(current: Round) -> None:
    """Verify the whole log as often as configured, and new entries when the tracker starts; record the result."""
    now, tried = clock.now_ms(), task_memory.load(current.places, "verification").get("tried_ms")
    config = current.config_or_default
    last = last_check.full_ms(current.places)
    if is_due(config.audit.verify_every_ms, last, tried if isinstance(tried, int) else None, now):
        task_memory.save(current.places, "verification", {"tried_ms": now})
        check(current.places, config, scheduled=True)
    elif current.started:
        check(current.places, config, scheduled=True, incremental=True)


def is_due(every_ms: int | None, last_ms: int | None, tried_ms: int | None, now_ms: int) -> bool:
    """Whether the whole log is to be verified now.

    Args:
        every_ms: The interval; None: never by itself.
        last_ms: The last full verification, None if there was none. A time ahead of the clock counts for nothing.
        tried_ms: The last start of a full verification, whatever its result.
    """
    if every_ms is None or _within(last_ms, now_ms, every_ms):
        return False
    return not _within(tried_ms, now_ms, min(every_ms, RETRY_MS))


def _within(moment_ms: int | None, now_ms: int, span_ms: int) -> bool:
    return moment_ms is not None and 0 <= now_ms - moment_ms < span_ms


def close_segments(current: Round) -> None:
    """Close the log's segments at the configured length; most rounds only read."""
    length = current.config.audit.segment
    with AuditLog.read(current.places.audit_db) as log:
        closed = segments.closed(log)
        open_from = closed[-1].size if closed else 0
        if log.head()[0] - open_from < length:
            return
    with AuditLog.open(current.places.audit_db, current.places.audit_key) as log:
        segments.rotate(log, length)


def update_index(current: Round) -> None:
    """Add new entries to the search index, so that searches need not wait for it."""
    index_fill.update(current.places, seconds=INDEX_SECONDS)


def copy_checkpoints(current: Round) -> None:
    """Copy the newest checkpoint to the configured places; the copying records a place that it cannot reach."""
    far_copies.copy_far(current.places, current.config)


def prune_log(current: Round) -> None:
    """Once a day, prune closed segments that are older than configured and covered by a checkpoint elsewhere."""
    audit, now = current.config.audit, clock.now_ms()
    done = task_memory.load(current.places, "pruning").get("done_ms")
    if audit.retention_ms is None or _within(done if isinstance(done, int) else None, now, PRUNE_EVERY_MS):
        return
    _refuse_evidence(current.places)
    notes = all_copies.notes(current.places, current.config)
    archive = None if audit.archive is None else Path(audit.archive)
    segments.prune(current.places, audit.retention_ms, notes, archive=archive)
    task_memory.save(current.places, "pruning", {"done_ms": clock.now_ms()})


def _refuse_evidence(places: Places) -> None:
    """Raise PruneRefusedError while a breach is open: the old entries may be the proof of it."""
    try:
        last = last_check.read(places)
    except AuditStandingError as error:
        raise PruneRefusedError(error.why, error.next) from error
    if last is not None and last.breach:
        raise PruneRefusedError(
            "The log was tampered with, and that has not been acknowledged.",
            "Look at it first: `backup-tray audit verify`, then `backup-tray audit acknowledge --reason TEXT`.",
        )


def note_boots(current: Round) -> None:
    """Once in each boot, where wtmp tells nothing: put the machine's starts and ends on record that journald knows."""
    started_ms = clock.now_ms() - clock.since_boot_ms()
    noted = {mark.wall_ms for mark in awake_log.read(current.places) if mark.kind in (awake_log.BOOT, awake_log.OFF)}
    if boots.recorded() or max(noted, default=0) > started_ms - clock.JUMP_MS:
        return
    awake_log.append(current.places, [mark for mark in boots.journalled() if mark.wall_ms not in noted])


def trim_run_logs(current: Round) -> None:
    """Remove the logs of runs beyond the configured age and size; their entries stay."""
    retention.trim(current.places, current.config_or_default.runs)


def forward_entries(current: Round) -> None:
    """Send new entries to the configured receivers; the sending records a receiver that refuses them."""
    if current.config.audit.forward:
        forwarding.forward(current.places, current.config)


TASKS: dict[str, Task] = {
    "lost runs and waiting records": close_lost_runs,
    "awake time": note_boots,
    "clock": lambda current: clock_jumps.check(current.places),
    "time zone": lambda current: time_zone.check(current.places),
    "configuration": lambda current: config_changes.check(current.places),
    "verification": verify,
    "segments": close_segments,
    "search index": update_index,
    "copies of checkpoints": copy_checkpoints,
    "pruning": prune_log,
    "logs of runs": trim_run_logs,
    "forwarding": forward_entries,
}
"""Every task by its name; those that may wait for a network come last."""
