"""`backup-tray audit redact SEQ --reason TEXT`."""

import sys
from argparse import ArgumentParser, Namespace

from tray import wording
from tray.core.errors import UsageError
from tray.core.paths import places

EXAMPLES = ('backup-tray audit redact 17 --reason "a name stood in it"',)


def register(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("seq", type=int, metavar="SEQ", help="the number of the entry")
    parser.add_argument("--reason", metavar="TEXT", help="why; it is kept in the log, so write nothing personal")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def run(args: Namespace) -> int:
    """Erase the details of one entry; that is an entry itself."""
    from tray.audit import redact
    from tray.audit.store import AuditLog

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
    if not args.yes and keys and not _agreed(args.seq, keys):
        print("Nothing was erased.")
        return 1
    number = redact.redact(here, args.seq, reason)
    print(f"Erased: the details of entry {args.seq} ({keys}). Entry {number} says so. {redact.NOT_REACHED}")
    return 0


def _agreed(seq: int, keys: str) -> bool:
    if not sys.stdin.isatty():
        raise UsageError(
            "Nobody can be asked whether to erase.", why="This is no terminal.", next="Say it with `--yes`."
        )
    return input(f"Erase the details of entry {seq} for good ({keys})? Type yes: ").strip().lower() == "yes"
