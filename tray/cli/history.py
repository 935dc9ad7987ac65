"""Show past runs: `backup-tray history` lists them, `backup-tray log` prints what one said."""

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable

from tray import runs, wording
from tray.audit.entry import ENDS
from tray.audit.search.conditions import Filter
from tray.cli import Command, options
from tray.core import clock
from tray.core.errors import RunNotFoundError, UsageError
from tray.core.model import EndedRun, Instance, Source
from tray.core.paths import Places, places
from tray.status import past_runs, run_ids, system_history
from tray.wording import progress_bar

PAGE = 50


def _add_list(parser: ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    options.add_list(parser, PAGE)


def _history(args: Namespace) -> int:
    """Print past runs, the newest first."""
    asked, here = options.wanted(args), places()
    if not set(asked.action or ()) <= set(ENDS):
        raise UsageError(
            f"The history lists ends of runs: {' and '.join(ENDS)}.",
            next=f"Look among all entries: `backup-tray audit show --action {','.join(asked.action or ())}`.",
        )
    page = past_runs.find(here, asked, limit=args.limit, page=args.page)
    for ended in page.runs:
        print(json.dumps(ended.to_json()) if args.json else _line(ended, terminal=sys.stdout.isatty()))
    if page.missing:
        print(f"Note: {page.missing}", file=sys.stderr)
    if not page.runs and not args.json and page.looked_to_ms is None:
        print(_nothing(args.page, asked))
    options.notes(args, page.next is not None, page.looked_to_ms)
    return 0


def _line(ended: EndedRun, *, terminal: bool) -> str:
    when = clock.local(ended.finished_ms).strftime("%Y-%m-%d %H:%M:%S")
    marks = (("system", ended.instance is Instance.SYSTEM), ("observed", ended.source is Source.OBSERVED))
    whose = "".join(f"  ({mark})" for mark, holds in marks if holds)
    line = f"{when}  {wording.short_id(ended.run)}  {wording.last_line(ended, clock.now_ms())}{whose}"
    return progress_bar.folded(line, 4) if terminal else line


def _nothing(page: int, asked: Filter) -> str:
    if page == 1 and not asked.to_json():
        return "No backups performed. Backup Tray has seen none yet."
    return options.nothing(asked, page, "run", past_runs.names(places()))


def _add_run(parser: ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="the run's id, as `backup-tray history` shows it, or `last`")


def _log(args: Namespace) -> int:
    """Print the full log of a run."""
    here = places()
    try:
        read = _reader(here, run_ids.resolve(here, args.run))
    except RunNotFoundError as error:
        raise options.or_a_job(error, args.run) from error
    offset = 0
    while True:
        text, after = read(offset)
        if after == offset:
            return 0
        offset = after
        if sys.stdout.isatty():
            text = "".join(wording.escape(line) + "\n" for line in text.splitlines())
        sys.stdout.write(text)


def _reader(here: Places, run: str) -> Callable[[int], tuple[str, int]]:
    """Return a function that reads the log from an offset on: of this user's run, else of the system's."""
    try:
        own = runs.find(here, run).run
        return lambda offset: runs.read_log(here, own, offset)
    except RunNotFoundError:
        try:
            shown = system_history.log(run)[0]
        except RunNotFoundError:
            raise system_history.no_log(here, run) from None
        return lambda offset: system_history.log(shown, offset)[1:3]


HISTORY = Command(
    _add_list,
    _history,
    "backup-tray history --since 7d",
    "backup-tray history --job home --outcome failed,lost",
    "backup-tray history --month 2026-10 --json",
)
LOG = Command(_add_run, _log, "backup-tray log last", "backup-tray log last | less")
