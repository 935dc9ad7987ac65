"""`backup-tray audit prune`."""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from tray import wording
from tray.core import clock
from tray.core.errors import PruneRefusedError, UsageError
from tray.core.paths import places

EXAMPLES = ("backup-tray audit prune --older-than 730 --dry-run",)


def register(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--older-than",
        type=int,
        metavar="DAYS",
        help="what is younger is kept (default: `retention` of the configuration)",
    )
    parser.add_argument("--dry-run", action="store_true", help="only say what would go")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def run(args: Namespace) -> int:
    """Prune closed segments that are old enough and that a checkpoint elsewhere covers."""
    from tray import config
    from tray.audit import prune
    from tray.audit.store import AuditLog
    from tray.baselines import all_copies

    here = places()
    loaded = config.load(here)
    retention = _retention(args.older_than, loaded.audit.retention_ms)
    notes = all_copies.found(here, loaded)
    with AuditLog.read(here.audit_db) as log:
        plan = prune.plan(log, retention, notes)
    if not plan.segments:
        raise PruneRefusedError(plan.kept, plan.next)
    first, last = plan.segments[0].first, plan.segments[-1].size - 1
    what = f"entries {wording.count(first)} to {wording.count(last)}"
    archive = loaded.audit.archive
    print(f"Old enough: {what}. {plan.kept}")
    print(
        f"They are copied to {archive} first." if archive else "No archive is configured: they are gone then, for good."
    )
    if args.dry_run:
        return 0
    if not args.yes and not _agreed(what):
        print("Nothing was pruned.")
        return 1
    gone = prune.prune(here, retention, notes, archive=None if archive is None else Path(archive))
    print(
        f"Pruned: {sum(one.size - one.first for one in gone):,} entries. The log begins with entry {gone[-1].size:,} now."
    )
    print("Look whether what is left is sound: `backup-tray audit verify`.")
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


def _agreed(what: str) -> bool:
    if not sys.stdin.isatty():
        raise UsageError(
            "Nobody can be asked whether to prune.", why="This is no terminal.", next="Say it with `--yes`."
        )
    return input(f"Prune {what} of the audit log? Type yes: ").strip().lower() == "yes"
