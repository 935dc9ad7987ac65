"""`backup-tray audit export`."""

import shlex
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path

from tray import wording
from tray.core.paths import places

EXAMPLES = ("backup-tray audit export /media/stick/log",)


def register(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("folder", metavar="DIR", type=Path, help="what is there of an earlier export is kept")
    parser.add_argument("--format", choices=["tiles"], default="tiles", help="C2SP tlog-tiles, the only one so far")
    parser.add_argument(
        "--details", action="store_true", help="the details too: what is erased later stays in copies of the folder"
    )


def run(args: Namespace) -> int:
    """Export, put that on record, and say how to check it."""
    from tray.audit import spool, standalone, tlog
    from tray.audit.entry import Action, Draft
    from tray.audit.store import AuditLog

    here = places()
    with AuditLog.read(here.audit_db) as log:
        done = tlog.export(log, args.folder, details=args.details, progress=_progress())
    body = {
        "format": "C2SP tlog-tiles",
        "folder": str(args.folder.absolute()),
        "range": [done.first, done.size],
        "count": done.size - done.first,
        "details": args.details,
        "digest": done.digest,
    }
    spool.record(here, [Draft(Action.AUDIT_EXPORTED, body=body)])
    print(f"{wording.count(done.size - done.first)} entries are in {wording.escape(str(args.folder))}.")
    print(f"  files:  {wording.count(done.written)} written, the others were there")
    if done.first:
        print(f"  note:   the entries before {wording.count(done.first)} were pruned; the archive may have them")
    print(f"  root:   {done.root.hex()}")
    print(f"  check:  python3 {shlex.quote(standalone.__file__)} {shlex.quote(str(args.folder))} --key VKEY")
    print("          VKEY is what `backup-tray audit key` shows")
    return 0


def _progress() -> Callable[[int, int], None] | None:
    """Return what shows on a terminal how far the export is."""
    if not sys.stderr.isatty():
        return None

    def show(done: int, total: int) -> None:
        if done == total:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
        elif not done % 4096:
            print(
                f"\r{wording.count(done)} of {wording.count(total)} entries\x1b[K", end="", file=sys.stderr, flush=True
            )

    return show
