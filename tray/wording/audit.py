"""What is said of the audit log as a whole: one line, the same in menu, window, `status` and reports."""

from tray.core.model import AuditStanding, Instance
from tray.wording.numbers import ago, escape, plural

_CLAIMS = ("intact", "tampered", "inconclusive")


def audit_line(standing: AuditStanding | None, now_ms: int) -> str:
    """Return "Audit log: intact, checked 2 hours ago, 1,204 entries, 2 kept checkpoints agree", or "Audit log: TAMPERED (altered)".

    Only what a verification found is said, and when; None is a log that nobody has verified.
    """
    whose = "Audit log (system)" if standing is not None and standing.instance is Instance.SYSTEM else "Audit log"
    return f"{whose}: {audit_words(standing, now_ms)}"


def audit_line_now(standing: AuditStanding | None, now_ms: int, *, readable: bool) -> str:
    """Return the same line where the status cannot be read at present: then what was found before is no word about now."""
    if readable or (standing is not None and standing.breach):
        return audit_line(standing, now_ms)
    known = standing is not None and standing.result in _CLAIMS
    return "Audit log: not known now" + (f"; before it was {audit_words(standing, now_ms)}" if known else "")


def audit_words(standing: AuditStanding | None, now_ms: int) -> str:
    """Return the same without the name in front."""
    if standing is None:
        return "not verified yet"
    if standing.breach:
        return _breach(standing, now_ms)
    checked = f"checked {ago(now_ms, standing.checked_ms)}"
    if not standing.full:
        checked = f"newest entries {checked}"
    match standing.result:
        case "intact":
            return ", ".join((standing.result, checked, *_figures(standing)))
        case "tampered":
            return f"tampered{_where(standing)}, acknowledged, {checked}"
        case "inconclusive":
            return ", ".join(("inconclusive", checked, *_figures(standing)))
        case _:
            return f"could not be checked {ago(now_ms, standing.checked_ms)}: {_why(standing)}"


def overdue_note(standing: AuditStanding | None, now_ms: int, every_ms: int | None, begun_ms: int | None) -> str | None:
    """Return a note that the log has not been verified for long, None if it has.

    Args:
        every_ms: How often it should be; None: nobody wants that it happens by itself, so nothing is late.
        begun_ms: When the log began, None where nothing was ever recorded.
    """
    if every_ms is None or begun_ms is None:
        return None
    checked = standing is not None and standing.result in _CLAIMS
    last = standing.checked_ms if checked and standing is not None else begun_ms
    if now_ms - last <= 2 * every_ms:
        return None
    if not checked:
        return "The audit log has not been verified yet; `backup-tray audit verify` does it"
    return f"The audit log was last verified {ago(now_ms, last)}; `backup-tray audit verify` does it again"


def _breach(standing: AuditStanding, now_ms: int) -> str:
    if standing.result == "tampered":
        return f"TAMPERED{_where(standing)}"
    since = "earlier" if standing.since_ms is None else ago(now_ms, standing.since_ms)
    return f"TAMPERED{_where(standing)}, found {since} and not acknowledged"


def _where(standing: AuditStanding) -> str:
    place = "" if standing.first_bad is None else f" at entry {standing.first_bad:,}"
    return place + (f" ({escape(standing.kind)})" if standing.kind else "")


def _figures(standing: AuditStanding) -> tuple[str, str]:
    """Say how much was checked, and against what: without a checkpoint kept elsewhere no log is called intact."""
    entries = "1 entry" if standing.entries == 1 else f"{standing.entries:,} entries"
    if not standing.baselines:
        return entries, "no kept checkpoint to compare with"
    agree = "" if standing.result != "intact" else " agrees" if standing.baselines == 1 else " agree"
    return entries, plural(standing.baselines, "kept checkpoint") + agree


def _why(standing: AuditStanding) -> str:
    return escape(standing.why.strip()).rstrip(".") or "the reason is unknown"
