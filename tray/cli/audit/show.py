"""`backup-tray audit show`."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tray import wording
from tray.cli.audit.common import as_json, moment
from tray.paths import places

if TYPE_CHECKING:
    from tray.audit.store import StoredEntry


def register(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("seq", nargs="?", type=int, metavar="SEQ", help="only this entry, with its details")
    parser.add_argument("--json", action="store_true", help="the exact bytes that were hashed, one entry a line")
    parser.add_argument("--limit", type=int, default=20, metavar="N", help="how many of the newest (default 20)")


def run(args: Namespace) -> int:
    """Print what was asked for."""
    from tray.audit.store import AuditLog

    with AuditLog.read(places().audit_db) as log:
        found = log.entries(-max(1, args.limit), max(1, args.limit)) if args.seq is None else [log.entry(args.seq)]
    for entry in found:
        if args.json:
            sys.stdout.buffer.write(entry.raw + b"\n")
        elif args.seq is None:
            print(_line(entry))
        else:
            print("\n".join(_details(entry)))
    sys.stdout.flush()
    return 0


def _line(entry: "StoredEntry") -> str:
    data = entry.data
    words = [
        f"{entry.seq:>6}",
        moment(data["time"]),
        f"{data['action']:<13}",
        f"{data['result']}",
        data["job"],
        data["run"],
    ]
    return "  ".join(wording.escape(str(word)) for word in words if word is not None)


def _details(entry: "StoredEntry") -> Iterator[str]:
    yield f"entry {entry.seq}"
    for key, value in entry.data.items():
        if value is not None:
            text = moment(value) if key in ("time", "recorded") else str(value)
            yield f"  {key:<16} {wording.escape(text)}"
    yield f"  {'leaf':<16} {entry.leaf.hex()}"
    if entry.erased:
        yield "  details          erased"
    for key, value in (entry.body or {}).items():
        text = value if isinstance(value, str) else as_json(value)
        yield f"  > {wording.escape(key):<14} {wording.escape(text)}"
