"""`backup-tray audit acknowledge --reason TEXT`."""

from argparse import ArgumentParser, Namespace

from tray.core.errors import UsageError
from tray.core.paths import places

EXAMPLES = ('backup-tray audit acknowledge --reason "restored from Sunday\'s image"',)


def register(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--reason", metavar="TEXT", help="what was found out about the breach; it is kept in the log")


def run(args: Namespace) -> int:
    """Acknowledge a breach, so that it is not told any more; that is an entry with the reason."""
    from tray.baselines import acknowledge

    reason = (args.reason or "").strip()
    if not reason:
        raise UsageError(
            "A breach is acknowledged with a reason.",
            why="People who read the log later must know what you found out.",
            next='For example: `backup-tray audit acknowledge --reason "restored from the backup of Monday"`.',
        )
    acknowledge.acknowledge(places(), reason)
    print("Noted, with your reason, in the audit log. What was found stays on record.")
    return 0
