"""Duty: prune what is older than the configuration keeps; looked at once a day."""

from pathlib import Path

from tray.core import clock
from tray.core.errors import AuditStandingError, PruneRefusedError
from tray.housekeeping import duty_memory
from tray.housekeeping.rounds import Round

EVERY_MS = clock.DAY_MS
_NAME = "pruning"


def do(this: Round) -> None:
    """Prune closed segments that are old enough and that a checkpoint elsewhere covers.

    Raises:
        ConfigError: Nobody knows what is to be kept.
        PruneRefusedError: Something is old enough, but must not go.
        AuditUnavailableError: The log cannot be read or written now.
    """
    audit = this.config.audit
    if audit.retention_ms is None or not _is_time(this):
        return
    from tray.audit import prune
    from tray.baselines import all_copies

    _refuse_evidence(this)
    notes = all_copies.found(this.places, this.config)
    archive = None if audit.archive is None else Path(audit.archive)
    prune.prune(this.places, audit.retention_ms, notes, archive=archive)
    duty_memory.save(this.places, _NAME, {"done_ms": clock.now_ms()})


def _is_time(this: Round) -> bool:
    done = duty_memory.load(this.places, _NAME).get("done_ms")
    return not (isinstance(done, int) and 0 <= clock.now_ms() - done < EVERY_MS)


def _refuse_evidence(this: Round) -> None:
    """Raise PruneRefusedError while a breach is open: what is pruned may be the proof of it."""
    from tray.audit import last_check

    try:
        found = last_check.read(this.places)
    except AuditStandingError as error:
        raise PruneRefusedError(error.why, error.next) from error
    if found is not None and found.breach:
        raise PruneRefusedError(
            "The log was tampered with, and nobody has acknowledged that.",
            "Look at it first: `backup-tray audit verify`, then `backup-tray audit acknowledge --reason TEXT`.",
        )
