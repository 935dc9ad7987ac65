"""`backup-tray audit show [SEQ|RUN]`: the entries, filtered, the newest first; or one with its details."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from tray import wording
from tray.cli import asking
from tray.cli.audit.common import as_json, entry_number, moment
from tray.core.errors import UsageError
from tray.core.paths import Places, places

if TYPE_CHECKING:
    from tray.audit.rows import StoredEntry
    from tray.audit.search import Page
    from tray.audit.search.conditions import Filter
    from tray.audit.store import AuditLog

PAGE = 20
_WIDEST = 40
"""A name wider than this does not push the columns of all the other lines away."""

EXAMPLES = (
    "backup-tray audit show --since yesterday",
    "backup-tray audit show 17        one entry with its details",
    'backup-tray audit show --severity critical --text "permission denied"',
)


def register(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "entry",
        nargs="?",
        metavar="SEQ|RUN",
        help="one entry with its details: its number, or a run's id, which stands for the entry of the run's end",
    )
    parser.add_argument("--json", action="store_true", help="the exact bytes that were hashed, one entry a line")
    asking.register(parser, PAGE)


def run(args: Namespace) -> int:
    """Print what was asked for."""
    from tray.audit.store import AuditLog

    asked, here = asking.wanted(args), places()
    if args.entry is not None:
        return _one(here, args, asked)
    asking.prepare(here, asked)
    with AuditLog.read(here.audit_db) as log:
        page = _page(log, asked, args.limit, args.page)
        if not page.entries:
            log.first()  # "nothing found" in a log that was emptied is no answer
        empty = _nothing(log, asked, args) if not page.entries and page.looked_to_ms is None else None
    if args.json:
        for entry in page.entries:
            sys.stdout.buffer.write(entry.raw + b"\n")
    else:
        for line in [empty] if empty else _table(page.entries):
            print(line)
    sys.stdout.flush()
    asking.notes(args, page.next is not None, page.looked_to_ms)
    return 0


def _one(here: Places, args: Namespace, asked: "Filter") -> int:
    from tray.audit.store import AuditLog

    if asked.to_json():
        raise UsageError("One entry cannot be filtered.", next=f"Leave out the options: `audit show {args.entry}`.")
    with AuditLog.read(here.audit_db) as log:
        entry = log.entry(entry_number(args.entry))
    if args.json:
        sys.stdout.buffer.write(entry.raw + b"\n")
        sys.stdout.flush()
    else:
        print("\n".join(_details(entry)))
    return 0


def _page(log: "AuditLog", asked: "Filter", limit: int, number: int) -> "Page":
    """Return page *number*, counted from 1: cheap, since only the entries of that page are kept."""
    from tray.audit.search import search

    page = search(log, asked, limit, recorded=True)
    for _ in range(number - 1):
        if page.next is None or page.looked_to_ms is not None:
            return type(page)([], page.next, page.looked_to_ms)
        page = search(log, asked, limit, page.next, recorded=True)
    return page


def _nothing(log: "AuditLog", asked: "Filter", args: Namespace) -> str:
    if args.page > 1:
        return f"There is no page {args.page}."
    from tray.audit.search import names

    return asking.nothing(asked, "entry", {name: names(log, name) for name in ("job", "engine")})


def _table(entries: "Sequence[StoredEntry]") -> Iterator[str]:
    """Yield one line for each entry: number, time, severity, action, result, job and run, under one another."""
    rows = [
        [str(entry.seq), moment(data["time"])]
        + [wording.escape(str(data[name] or "")) for name in ("severity", "action", "result", "job")]
        + [wording.short_id(str(data["run"] or ""))]
        for entry in entries
        for data in (entry.data,)
    ]
    widths = [max((min(len(row[place]), _WIDEST) for row in rows), default=0) for place in range(7)]
    for row in rows:
        words = [
            row[0].rjust(max(6, widths[0])),
            *(word.ljust(width) for word, width in zip(row[1:], widths[1:], strict=True)),
        ]
        yield "  ".join(words).rstrip()


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
