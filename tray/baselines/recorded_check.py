"""Verify the log against the kept baselines, keep the result and put it on record; acknowledge a breach."""

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

from tray import config as configuration
from tray.audit import last_check, spool
from tray.audit.entry import Action, Draft, Severity
from tray.audit.verify import seal
from tray.audit.verify.check import verify
from tray.audit.verify.verdict import Verdict
from tray.baselines import all_copies
from tray.config import Config
from tray.core.dataclass import replace
from tray.core.errors import AuditMissingError, BackupTrayError, BaselineError
from tray.core.paths import Places

RECORD_SECONDS = 5.0
_LEFT_OUT = ("result", "checked_at", "method")
_SEVERITY = {"intact": Severity.INFO, "tampered": Severity.CRITICAL}


def check(
    places: Places,
    config: Config | None = None,
    *,
    given: Mapping[str, bytes] | None = None,
    incremental: bool = False,
    scheduled: bool = False,
    progress: Callable[[int, int], None] | None = None,
    problems: list[str] | None = None,
    timeout: float = 5.0,
) -> Verdict:
    """Verify the log against every kept baseline, keep the result, and put it on record.

    A check of the new entries at start-up is on record only if something is wrong; any other always.

    Args:
        config: Names further places of baselines; None: only the copies beside the configuration are used.
        given: Checkpoints that the user named for this check.
        incremental: Go on from the last check if that is possible.
        scheduled: The program began the check, not the user.
        problems: Takes a sentence for each baseline that cannot be read.

    Raises:
        AuditMissingError: There is no log.
        AuditUnavailableError: It could not be checked; that is on record too.
        BaselineError: One of *given* is no checkpoint, or its signature is broken.
    """
    source = "scheduled" if scheduled else None
    try:  # the baselines first: one that is newer than the state read of the log would look like a rollback
        verdict = verify(
            places.audit_db,
            places.audit_key,
            since=last_check.point(places) if incremental else None,
            witness=None if incremental else last_check.witness(places),
            baselines=given,
            kept=all_copies.notes(places, config, problems),
            pinned=all_copies.pinned(places),
            progress=progress,
            timeout=timeout,
        )
    except AuditMissingError:
        raise
    except BackupTrayError as error:
        if not isinstance(error, BaselineError):
            with contextlib.suppress(BackupTrayError, OSError):
                last_check.write_unchecked(places, error.why or error.what)
        _record(places, "could not check", source, {"why": error.why})
        raise
    return _kept(places, verdict, source, quiet=incremental and scheduled and not verdict.full)


def _kept(places: Places, verdict: Verdict, source: str | None, *, quiet: bool) -> Verdict:
    """Keep the result and put it on record; return it with the change since an acknowledged finding, if there is one."""
    changed = seal.changed_since(places, verdict) if verdict.result == "tampered" else None
    if changed is not None:
        verdict = replace(verdict, why=f"{verdict.why} {changed}")
    if not quiet or verdict.result == "tampered":
        settled = changed is None and last_check.is_settled(places, verdict)
        body = {name: value for name, value in verdict.to_json().items() if name not in _LEFT_OUT}
        _record(places, verdict.result.value, source, body | ({"acknowledged": True} if settled else {}))
    with contextlib.suppress(BackupTrayError, OSError):  # the verdict counts, also where it cannot be kept
        last_check.write(places, verdict, changed=changed is not None)
    return verdict


def _record(places: Places, result: str, source: str | None, body: Mapping[str, Any]) -> None:
    """Put the verification itself on record, after it: the checked log does not hold this entry."""
    severity = _SEVERITY.get(result, Severity.WARNING)
    draft = Draft(Action.AUDIT_VERIFIED, result=result, severity=severity, source=source, body=body)
    spool.record(places, [draft], timeout=RECORD_SECONDS)


def acknowledge(places: Places, reason: str) -> None:
    """Put on record that the user has seen the breach, and why it is none any more; see `seal.acknowledge` for errors."""

    def set_aside() -> list[str]:
        with contextlib.suppress(BackupTrayError, OSError):
            return [str(path) for path in all_copies.set_aside(places, configuration.load(places))]
        return []

    seal.acknowledge(places, reason, set_aside)
