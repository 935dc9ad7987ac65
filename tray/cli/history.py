"""`backup-tray history`: past runs, filtered, the newest first."""

import json
import sys
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from tray import wording
from tray.cli import asking
from tray.core import clock
from tray.core.errors import UsageError
from tray.core.model import EndedRun, Instance, Source
from tray.core.paths import places
from tray.wording import progress_bar

if TYPE_CHECKING:
    from tray.audit.search.conditions import Filter

PAGE = 50

EXAMPLES = (
    "backup-tray history --since 7d",
    "backup-tray history --job home --outcome failed,lost",
    "backup-tray history --month 2026-10 --json",
)


def register(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    asking.register(parser, PAGE)


def run(args: Namespace) -> int:
    """Print past runs, the newest first."""
    from tray.audit.entry import ENDS
    from tray.status import past_runs

    asked, here = asking.wanted(args), places()
    if not set(asked.action or ()) <= set(ENDS):
        raise UsageError(
            f"The history lists ends of runs: {' and '.join(ENDS)}.",
            next=f"Look among all entries: `backup-tray audit show --action {','.join(asked.action or ())}`.",
        )
    asking.prepare(here, asked)
    found = past_runs.find(here, asked, limit=args.limit, page=args.page)
    for ended in found.runs:
        print(json.dumps(ended.to_json()) if args.json else _line(ended, terminal=sys.stdout.isatty()))
    if found.missing:
        print(f"Note: {found.missing}", file=sys.stderr)
    if not found.runs and not args.json and found.looked_to_ms is None:
        print(_nothing(args.page, asked))
    asking.notes(args, found.next is not None, found.looked_to_ms)
    return 0


def _line(ended: EndedRun, *, terminal: bool) -> str:
    when = clock.local(ended.finished_ms).strftime("%Y-%m-%d %H:%M:%S")
    marks = (("system", ended.instance is Instance.SYSTEM), ("observed", ended.source is Source.OBSERVED))
    whose = "".join(f"  ({mark})" for mark, holds in marks if holds)
    line = f"{when}  {wording.short_id(ended.run)}  {wording.last_line(ended, clock.now_ms())}{whose}"
    return progress_bar.folded(line, 4) if terminal else line


def _nothing(page: int, asked: "Filter") -> str:
    from tray.status import past_runs

    if page > 1:
        return f"There is no page {page}."
    if not asked.to_json():
        return "No backups performed. Backup Tray has seen none yet."
    return asking.nothing(asked, "run", past_runs.names(places()))
