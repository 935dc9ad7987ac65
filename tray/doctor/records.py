"""Check that the records can be read and written: audit log, baselines, spool, run folders."""

import os
import shlex
from collections.abc import Iterable, Iterator

from tray import config, runs, wording
from tray.audit import checkpoint, spool
from tray.audit.database import damaged
from tray.audit.store import AuditLog
from tray.audit.verify.check import verify
from tray.audit.verify.verdict import Kind
from tray.baselines import all_copies, far_copies, forwarding, unreached
from tray.core import clock
from tray.core.errors import AuditMissingError, ConfigError
from tray.core.paths import Places
from tray.doctor import Check, Level
from tray.housekeeping import rounds
from tray.repository import cache, states
from tray.runs import retention

QUICK_BYTES = 10_000_000
"""Size up to which a log is verified whole (in 0.2 s or so); of a larger one only the end is read."""


def audit_log(places: Places) -> list[Check]:
    """Verify the audit log if it is small, else read its end."""
    name = "audit log"
    try:
        with AuditLog.read(places.audit_db) as log:
            size, _, _ = log.head()
    except AuditMissingError:
        return [Check(name, Level.NOTE, "There is none yet; the first run under watch makes it.")]
    entries = f"{wording.count(size)} {'entry' if size == 1 else 'entries'}"
    if places.audit_db.stat().st_size > QUICK_BYTES:
        what = f"{entries}, readable; it is large, so it was not verified now."
        return [Check(name, Level.NOTE, what + " Verify it: `backup-tray audit verify`.")]
    kept = all_copies.notes(places)  # before the log: a newer one would look like a rollback
    verdict = verify(places.audit_db, places.audit_key, kept=kept, pinned=all_copies.pinned(places))
    if str(verdict.result) == "tampered":
        if verdict.kind is Kind.DAMAGED:
            return [Check(name, Level.BAD, verdict.why, damaged(places.audit_db))]
        remedy = "backup-tray audit verify  (and once you know why: backup-tray audit acknowledge --reason TEXT)"
        return [Check(name, Level.BAD, f"It was tampered with: {verdict.why}", remedy)]
    if str(verdict.result) == "intact":
        many = wording.plural(len(verdict.baselines), "checkpoint")
        what = f"{entries}, intact; agrees with {many} kept apart from it. Its public key: `backup-tray audit key`."
        return [Check(name, Level.OK, what)]
    what = f"{entries}, intact in {'itself' if size == 1 else 'themselves'}; no checkpoint is kept apart from it."
    return [Check(name, Level.NOTE, what)]


def baselines(places: Places) -> Iterable[Check]:
    """Count the baselines, say how far behind they are, and name the places that could not be reached the last time."""
    name = "baselines"
    try:
        with AuditLog.read(places.audit_db) as log:
            now = checkpoint.parse(log.head()[2])
    except AuditMissingError:
        return [Check(name, Level.NOTE, "There is no audit log yet.")]
    problems: list[str] = []
    try:
        settings = config.load(places)
    except ConfigError:  # another check reports it
        settings = None
    notes = map(checkpoint.parse, all_copies.notes(places, settings, problems).values())
    sizes = [note.size for note in notes if note.origin == now.origin]
    checks = [Check(name, Level.WARN, problem, "backup-tray audit verify") for problem in problems]
    return [*checks, _kept(places, sizes, now.size), *_outages(places)]


def _kept(places: Places, sizes: list[int], size: int) -> Check:
    if not sizes:
        what = "No checkpoint is kept apart from the log, so a log that was replaced as a whole would look genuine."
        return Check("baselines", Level.WARN, what, _baseline_remedy(places))
    if max(sizes) > size:
        what = f"One saw a log of {wording.count(max(sizes))} entries, but it has {wording.count(size)}."
        return Check("baselines", Level.BAD, what, "backup-tray audit verify")
    behind = size - max(sizes)
    kept = f"Checkpoints of the audit log are kept in {wording.plural(len(sizes), 'place')} apart from it"
    return Check("baselines", Level.OK, f"{kept}, {f'{behind} behind the log' if behind else 'up to date'}.")


def _baseline_remedy(places: Places) -> str:
    """Return the step after which the next record leaves a copy."""
    folder = places.baselines
    if folder.is_dir() or not places.config.is_dir():
        return f"ls -ld {shlex.quote(str(folder if folder.is_dir() else places.config.parent))}"
    if not os.access(places.config, os.W_OK):
        return f"ls -ld {shlex.quote(str(places.config))}"
    return "backup-tray audit verify  (the next record leaves one)"


def _outages(places: Places) -> Iterator[Check]:
    outages = ((far_copies.FILE, "checkpoints cannot be copied to"), (forwarding.FILE, "entries cannot be sent to"))
    for file, words in outages:
        for place, why in unreached.failing(places.state / file).items():
            what = f"The last time, {words} {wording.escape(place)}: {wording.escape(why)}."
            yield Check("baselines", Level.WARN, what, "backup-tray tracker --care  (tries again)")


def waiting(places: Places) -> Iterable[Check]:
    """Count the records that wait for the log in the spool, and those that are damaged."""
    name = "records waiting"
    count, bad = len(spool.pending(places)), spool.pending_bad(places)
    if count:
        what = f"Waiting for the audit log, which could not take them: {wording.plural(count, 'record')}."
        yield Check(name, Level.WARN, what, "Mend what is named above; the next run appends them.")
    if bad:
        count_bad = wording.plural(len(bad), "record")
        what = f"Damaged and set aside in the spool (where records wait for the log): {count_bad}, {bad[0]}."
        yield Check(name, Level.WARN, what, f"less {shlex.quote(str(bad[0]))}")
    if not count and not bad:
        yield Check(name, Level.OK, "None.")


def housekeeping(places: Places) -> list[Check]:
    """Name the housekeeping tasks that failed the last time."""
    failed = rounds.failures(places)
    if not failed:
        return [Check("housekeeping", Level.OK, "All that was due is done.")]
    lines = rounds.by_reason(
        {wording.escape(task): wording.escape(note.get("why", "")) for task, note in failed.items()}
    )
    what = " ".join(lines)
    return [Check("housekeeping", Level.WARN, what, "backup-tray tracker --care  (tries again, and says what fails)")]


def run_folders(places: Places) -> list[Check]:
    """Count live runs, and name those whose wrapper died."""
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
        count = wording.plural(len(orphaned), "run")
        what = f"Lost their wrapper, the process that watched them (killed, or a power cut): {count}, {orphaned[0]}."
        return [Check("runs", Level.WARN, what, "backup-tray tracker  (closes them; so does the icon)")]
    return [Check("runs", Level.OK, f"{wording.plural(live, 'run')} now." if live else "None is going on.")]


def run_logs(places: Places) -> list[Check]:
    """Count the logs of ended runs, and say how long they are kept."""
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
    """Name the repositories about which an engine could not answer, so that their facts are old."""
    name = "repositories"
    contents = cache.Cache(places).contents()
    known = [entry.state for entry in contents.entries.values()]
    stale = [(state, note) for state in known if (note := states.stale_note(state))]
    for state, note in stale:
        assert state.error is not None
        yield Check(name, Level.WARN, f"{note}.", str(state.error["next"]))
    for error in contents.errors.values():
        yield Check(name, Level.WARN, f"{error.what} {error.why}", error.next)
    if not stale and not contents.errors:
        yield Check(name, Level.OK, f"{len(known)} known." if known else "None is known.")
