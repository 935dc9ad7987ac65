"""Print entries of the audit log, filtered, the newest first, or one with its details: `backup-tray audit show`."""

import json
import re
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence

from tray import wording
from tray.audit.rows import StoredEntry
from tray.audit.search import Page, names, search
from tray.audit.search.conditions import Filter
from tray.audit.store import AuditLog
from tray.cli import Command, options
from tray.core import clock
from tray.core.errors import RunNotFoundError, UsageError
from tray.core.paths import places
from tray.status import renamed, run_ids

PAGE = 20
_WIDEST = 40
"""A name wider than this does not push the columns of all the other lines away."""


def _register(parser: ArgumentParser) -> None:
    words = "one entry with its details: its number, or a run's id, which stands for the entry of the run's end"
    parser.add_argument("entry", nargs="?", metavar="SEQ|RUN", help=words)
    parser.add_argument("--json", action="store_true", help="the exact bytes that were hashed, one entry a line")
    options.add_list(parser, PAGE)


def _show(args: Namespace) -> int:
    """Print the entries of the filter, or the one that was named."""
    asked = options.wanted(args)
    if args.entry is not None:
        return _show_entry(args, asked)
    here = places()
    with AuditLog.read(here.audit_db, further=renamed.further(here)) as log:
        page = _page(log, asked, args.limit, args.page)
        if not page.entries:
            log.first()  # "nothing found" in a log that was emptied is no answer
        known = {name: names(log, name) for name in ("job", "engine") if not page.entries}
    empty = [options.nothing(asked, args.page, "entry", known)] if known and page.looked_to_ms is None else []
    if args.json:
        for entry in page.entries:
            sys.stdout.buffer.write(entry.raw + b"\n")
    else:
        for line in empty or _table(page.entries):
            print(line)
    sys.stdout.flush()
    options.notes(args, page.next is not None, page.looked_to_ms)
    return 0


def _show_entry(args: Namespace, asked: Filter) -> int:
    if asked.to_json():
        raise UsageError("One entry cannot be filtered.", next=f"Leave out the options: `audit show {args.entry}`.")
    with AuditLog.read(places().audit_db) as log:
        entry = log.entry(entry_number(args.entry))
    if args.json:
        sys.stdout.buffer.write(entry.raw + b"\n")
        sys.stdout.flush()
    else:
        print("\n".join(_details(entry)))
    return 0


def entry_number(words: str) -> int:
    """Return the number of the entry that *words* name: a number of the log, else the end (or the start) of a run.

    Raises:
        RunNotFoundError, RunAmbiguousError: There is no such run, or there are several.
        AuditUnavailableError: The log cannot be read.
    """
    here = places()
    with AuditLog.read(here.audit_db) as log:
        if re.fullmatch(r"0|[1-9][0-9]{0,15}", words) and (int(words) < log.head()[0] or len(words) < wording.SHORT_ID):
            return int(words)
        try:
            entry = log.entry_of_run(run_ids.resolve(here, words, system=False))
        except RunNotFoundError as error:
            raise options.or_a_job(error, words) from error
    if entry is None:  # its record waits to be written
        raise RunNotFoundError(words)
    return entry.seq


def _page(log: AuditLog, asked: Filter, limit: int, number: int) -> Page:
    """Return page *number*, counted from 1: cheap, since only the entries of that page are kept."""
    page = search(log, asked, limit, recorded=True)
    for _ in range(number - 1):
        if page.next is None or page.looked_to_ms is not None:
            return type(page)([], page.next, page.looked_to_ms)
        page = search(log, asked, limit, page.next, recorded=True)
    return page


def _table(entries: Sequence[StoredEntry]) -> Iterator[str]:
    """Yield one line for each entry: number, time, severity, action, result, job and run, under one another."""
    rows = []
    for entry in entries:
        words = [wording.escape(str(entry.data[name] or "")) for name in ("severity", "action", "result", "job")]
        run = wording.short_id(str(entry.data["run"] or ""))
        rows.append([f"{entry.seq:>6}", _moment(entry.data["time"]), *words, run])
    widths = [max(min(len(cell), _WIDEST) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        rest = (cell.ljust(width) for cell, width in zip(row[1:], widths[1:], strict=True))
        yield "  ".join((row[0].rjust(widths[0]), *rest)).rstrip()


def _details(entry: StoredEntry) -> Iterator[str]:
    yield f"entry {entry.seq}"
    for key, value in entry.data.items():
        if value is not None:
            text = _moment(value) if key in ("time", "recorded") else str(value)
            yield f"  {key:<16} {wording.escape(text)}"
    yield f"  {'leaf':<16} {entry.leaf.hex()}"
    if entry.erased:
        yield "  details          erased"
    for key, value in (entry.body or {}).items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        yield f"  > {wording.escape(key):<14} {wording.escape(text)}"


def _moment(text: str) -> str:
    """Return the time of an entry as people read it; text that is no time stays as it is."""
    try:
        return wording.both_times(clock.from_text(text))
    except ValueError:
        return text


SHOW = Command(
    _register,
    _show,
    "backup-tray audit show --since yesterday",
    "backup-tray audit show 17        one entry with its details",
    'backup-tray audit show --severity critical --text "permission denied"',
)
