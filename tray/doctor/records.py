"""Whether what is on record can be read and written: audit log, spool, run folders."""

import shlex
from collections.abc import Iterable

from tray import wording
from tray.core import clock
from tray.core.errors import AuditMissingError
from tray.core.paths import Places
from tray.doctor.check import Check, Level
from tray.repository import cache, states

QUICK_BYTES = 10_000_000
"""A log up to this size is verified whole (0.2 s or so); of a larger one only the end is looked at."""


def audit_log(places: Places) -> list[Check]:
    """Verify the audit log if it is small, else look at its end."""
    from tray.audit.store import AuditLog

    try:
        with AuditLog.read(places.audit_db) as log:
            size, _, _ = log.head()
    except AuditMissingError:
        return [Check("audit log", Level.NOTE, "There is none yet; the first run under watch makes it.")]
    if places.audit_db.stat().st_size > QUICK_BYTES:
        what = f"{_entries(size)}, readable; it is large, so it was not verified now."
        return [Check("audit log", Level.NOTE, what + " Verify it: `backup-tray audit verify`.")]
    from tray.audit.database import damaged
    from tray.audit.verify.check import verify
    from tray.audit.verify.verdict import Kind
    from tray.baselines import all_copies

    kept = all_copies.found(places)  # before the log: a newer one would look like a rollback
    verdict = verify(places.audit_db, places.audit_key, kept=kept, pinned=all_copies.pinned(places))
    if str(verdict.result) == "tampered":
        if verdict.kind is Kind.DAMAGED:
            return [Check("audit log", Level.BAD, verdict.why, damaged(places.audit_db))]
        remedy = "backup-tray audit verify  (and once you know why: backup-tray audit acknowledge --reason TEXT)"
        return [Check("audit log", Level.BAD, f"It was tampered with: {verdict.why}", remedy)]
    if str(verdict.result) == "intact":
        many = wording.plural(len(verdict.baselines), "checkpoint")
        what = (
            f"{_entries(size)}, intact; agrees with {many} kept apart from it. Its public key: `backup-tray audit key`."
        )
        return [Check("audit log", Level.OK, what)]
    what = (
        f"{_entries(size)}, intact in {'itself' if size == 1 else 'themselves'}; no checkpoint is kept apart from it."
    )
    return [Check("audit log", Level.NOTE, what)]


def _entries(size: int) -> str:
    return f"{wording.count(size)} {'entry' if size == 1 else 'entries'}"


def waiting(places: Places) -> Iterable[Check]:
    """Count the records that wait for the log, and those that hold nothing."""
    from tray.audit import spool

    count, bad = len(spool.pending(places)), spool.pending_bad(places)
    if count:
        remedy = "Mend what is named above; the next run appends them."
        yield Check(
            "records waiting",
            Level.WARN,
            f"Waiting for the audit log, which could not take them: {wording.plural(count, 'record')}.",
            remedy,
        )
    if bad:
        what = f"Damaged and set aside in the spool: {wording.plural(len(bad), 'record')}, {bad[0]}."
        yield Check("records waiting", Level.WARN, what, f"less {shlex.quote(str(bad[0]))}")
    if not count and not bad:
        yield Check("records waiting", Level.OK, "None.")


def housekeeping(places: Places) -> list[Check]:
    """Name the duties of the housekeeping that could not be done the last time."""
    from tray.housekeeping import rounds

    failed = rounds.failures(places)
    if not failed:
        return [Check("housekeeping", Level.OK, "All that was due is done.")]
    duties: dict[str, list[str]] = {}
    for duty, note in failed.items():
        duties.setdefault(wording.escape(note.get("why", "")).rstrip("."), []).append(wording.escape(duty))
    told = "; ".join(f"{', '.join(names)}: {why}" for why, names in duties.items()) + "."
    return [Check("housekeeping", Level.WARN, told, "backup-tray tracker --care  (tries again, and says what fails)")]


def run_folders(places: Places) -> list[Check]:
    """Count live runs, and name those whose wrapper died."""
    from tray import runs

    live, orphaned = 0, []
    for folder in runs.live(places):
        try:
            running = folder.running(folder.info())
        except (OSError, ValueError):
            running = folder.wrapped
        live += running
        if not folder.wrapped:
            orphaned.append(folder.run)
    if orphaned:
        what = f"Lost their wrapper (killed, or a power cut): {wording.plural(len(orphaned), 'run')}, {orphaned[0]}."
        return [Check("runs", Level.WARN, what, "backup-tray tracker  (closes them; so does the icon)")]
    return [Check("runs", Level.OK, f"{wording.plural(live, 'run')} now." if live else "None is going on.")]


def run_logs(places: Places) -> list[Check]:
    """Say how many logs of ended runs are kept, and how long they stay."""
    from tray import config
    from tray.runs import retention

    kept = config.load(places).runs
    count, size = retention.usage(places)
    bounds = [
        *([] if kept.keep_ms is None else [f"{kept.keep_ms // clock.DAY_MS} days"]),
        *([] if kept.most is None else [wording.size(kept.most)]),
    ]
    until = f"kept for {' and up to '.join(bounds)}" if bounds else "kept for ever"
    what = f"{wording.plural(count, 'run')}, {wording.size(size)}; {until} ([runs] in the configuration)."
    return [Check("logs of runs", Level.OK, what)]


def repositories(places: Places) -> Iterable[Check]:
    """Name the repositories of which an engine could not say what is in them: what is shown of them is old."""
    name = "repositories"
    contents = cache.Cache(places).contents()
    found = [entry.state for entry in contents.entries.values()]
    stale = [(state, note) for state in found if (note := states.stale_note(state))]
    for state, note in stale:
        assert state.error is not None
        yield Check(name, Level.WARN, f"{note}.", str(state.error["next"]))
    for error in contents.errors.values():
        yield Check(name, Level.WARN, f"{error.what} {error.why}", error.next)
    if not stale and not contents.errors:
        yield Check(name, Level.OK, f"{len(found)} known." if found else "None is known.")
