"""`backup-tray audit checkpoint`."""

import sys
from argparse import ArgumentParser, Namespace

from tray.core.errors import AuditUnavailableError, UsageError
from tray.core.paths import places

EXAMPLES = ("backup-tray audit checkpoint > /media/stick/checkpoint",)


def register(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--line", action="store_true", help="on one line, as system logs get it")
    what.add_argument(
        "--size", type=int, metavar="N", help="instead, the line that stood at the foot of a report over N entries"
    )


def run(args: Namespace) -> int:
    """Print the newest signed checkpoint, or what the log was at an earlier size."""
    from tray.audit import checkpoint
    from tray.audit.store import AuditLog
    from tray.baselines import all_copies

    with AuditLog.read(places().audit_db) as log:
        size, _, note = log.head()
        if not note:
            raise AuditUnavailableError(
                "The log holds no signed checkpoint.", "Look closer: `backup-tray audit verify`."
            )
        if args.size is not None:
            if not 0 < args.size <= size:
                raise UsageError(
                    f"The log never had {args.size} entries." if args.size > size else "That is no number of entries.",
                    why=f"It holds {size}.",
                    next=f"Name a number from 1 to {size}.",
                )
            seen = checkpoint.Checkpoint(checkpoint.parse(note).origin, args.size, log.root_at(args.size))
            print(all_copies.footer_of(seen))
            return 0
    if args.line:
        print(checkpoint.to_line(note))
        return 0
    sys.stdout.buffer.write(note)
    sys.stdout.flush()
    return 0
