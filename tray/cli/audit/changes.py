"""Change the audit log, each time by an entry: `backup-tray audit acknowledge`, `rotate`, `prune` and `redact`."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from tray import config, wording
from tray.audit import redact, segments
from tray.audit.merkle import WIDTH
from tray.audit.store import AuditLog
from tray.baselines import all_copies, recorded_check
from tray.cli import Command, no_arguments, options
from tray.core import clock
from tray.core.errors import PruneRefusedError, UsageError
from tray.core.paths import places


def _add_reason(parser: ArgumentParser) -> None:
    words = "the cause of the breach, as far as you know it; it is kept in the log"
    parser.add_argument("--reason", metavar="TEXT", help=words)


def _acknowledge(args: Namespace) -> int:
    """End the alarm about a breach; the entry keeps the reason."""
    reason = (args.reason or "").strip()
    if not reason:
        raise UsageError(
            "A breach is acknowledged with a reason.",
            why="People who read the log later must know what you found out.",
            next='For example: `backup-tray audit acknowledge --reason "restored from the backup of Monday"`.',
        )
    recorded_check.acknowledge(places(), reason)
    print("Noted, with your reason, in the audit log. The finding stays on record.")
    return 0


def _rotate(args: Namespace) -> int:  # noqa: ARG001 - all parts take the arguments
    """Close a segment of all entries that can be closed."""
    here = places()
    AuditLog.read(here.audit_db).close()  # where there is no log, closing a segment must not create one
    with AuditLog.open(here.audit_db, here.audit_key, copies=here.baselines) as log:
        closed = segments.rotate(log)
    for segment in closed:
        print(f"Closed: entries {wording.count(segment.first)} to {wording.count(segment.size - 1)}.")
    if not closed:
        print(f"Nothing to close: fewer than {WIDTH} entries came since the last segment.")
    return 0


def _add_age(parser: ArgumentParser) -> None:
    words = "younger entries are kept (default: `retention` of the configuration)"
    parser.add_argument("--older-than", type=int, metavar="DAYS", help=words)
    parser.add_argument("--dry-run", action="store_true", help="only say which entries would go")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def _prune(args: Namespace) -> int:
    """Prune closed segments that are old enough and that a checkpoint elsewhere covers."""
    here = places()
    loaded = config.load(here)
    retention = _retention(args.older_than, loaded.audit.retention_ms)
    notes = all_copies.notes(here, loaded)
    with AuditLog.read(here.audit_db) as log:
        plan = segments.plan(log, retention, notes)
    if not plan.segments:
        raise PruneRefusedError(plan.kept, plan.next)
    first, last = plan.segments[0].first, plan.segments[-1].size - 1
    which = f"entries {wording.count(first)} to {wording.count(last)}"
    archive = loaded.audit.archive
    print(f"Old enough: {which}. {plan.kept}")
    print(
        f"They are copied to {archive} first." if archive else "No archive is configured: they are gone then, for good."
    )
    if args.dry_run:
        return 0
    question = f"Prune {which} of the audit log? Type yes: "
    if not args.yes and not options.confirmed(question, "Nothing was pruned.", "backup-tray audit prune"):
        print("Nothing was pruned.")
        return 1
    gone = segments.prune(here, retention, notes, archive=None if archive is None else Path(archive))
    count = sum(segment.size - segment.first for segment in gone)
    print(f"Pruned: {count:,} entries. The log begins with entry {gone[-1].size:,} now.")
    print("Check that the rest is sound: `backup-tray audit verify`.")
    return 0


def _retention(days: int | None, configured: int | None) -> int:
    if days is not None and days < 1:
        raise UsageError(f"{days} days is no age.", why="At least one day is kept.", next="Give a number of days.")
    if days is not None:
        return days * clock.DAY_MS
    if configured is None:
        raise UsageError(
            "It is not known how old an entry must be to go.",
            why="The configuration has no `retention` in the table [audit]: everything is kept.",
            next="Give it here: `backup-tray audit prune --older-than DAYS`.",
        )
    return configured


def _add_entry(parser: ArgumentParser) -> None:
    parser.add_argument("seq", type=int, metavar="SEQ", help="the number of the entry")
    parser.add_argument("--reason", metavar="TEXT", help="why; it is kept in the log, so write nothing personal")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def _redact(args: Namespace) -> int:
    """Erase the details of one entry; another entry says so."""
    here, reason = places(), (args.reason or "").strip()
    if not reason:
        raise UsageError(
            "Details are erased with a reason.",
            why="People who find them gone must know why.",
            next=f'For example: `backup-tray audit redact {args.seq} --reason "asked for by the person it names"`.',
        )
    with AuditLog.read(here.audit_db) as log:
        entry = log.entry(args.seq)
    keys = ", ".join(wording.escape(key) for key in entry.body or {})
    question = f"Erase the details of entry {args.seq} for good ({keys})? Type yes: "
    command = f"backup-tray audit redact {args.seq} --reason TEXT"
    if not args.yes and keys and not options.confirmed(question, "Nothing was erased.", command):
        print("Nothing was erased.")
        return 1
    number = redact.redact(here, args.seq, reason)
    print(f"Erased: the details of entry {args.seq} ({keys}). Entry {number} says so. {redact.NOT_REACHED}")
    return 0


ACKNOWLEDGE = Command(
    _add_reason, _acknowledge, 'backup-tray audit acknowledge --reason "restored from Sunday\'s image"'
)
ROTATE = Command(no_arguments, _rotate, "backup-tray audit rotate")
PRUNE = Command(_add_age, _prune, "backup-tray audit prune --older-than 730 --dry-run")
REDACT = Command(_add_entry, _redact, 'backup-tray audit redact 17 --reason "a name stood in it"')
