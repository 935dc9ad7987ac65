"""Options, questions and answers that several commands share."""

import os
import re
import shlex
import sys
from argparse import ArgumentParser, Namespace, _ArgumentGroup
from collections.abc import Callable, Mapping, Sequence

from tray import wording
from tray.audit.search import index_fill
from tray.audit.search.conditions import Filter, parse
from tray.core import clock
from tray.core.errors import BackupTrayError, RunNotFoundError, UsageError
from tray.core.paths import expand, places
from tray.status import past_runs

UPDATE_SECONDS = 2.0
"""Time that a search for words may first spend on its index."""

FILTER = {
    "since": ("TIME", "from then on: 2026-11-01, yesterday, 7d, 12h, ..."),
    "until": ("TIME", "up to then; a day is included"),
    "month": ("MONTH", "one month: 2026-10"),
    "job": ("NAME", "of this job; several with commas"),
    "engine": ("NAME", "of this engine (backup program)"),
    "action": ("ACTION", "run.finished, audit.verified, ..."),
    "outcome": ("WORD", "succeeded, warning, failed, cancelled, lost, unknown, ..."),
    "severity": ("WORD", "info, warning, error, critical"),
    "kind": ("WORD", "backup, restore, check, ..."),
    "source": ("WORD", "wrapped: started with `backup-tray run`; observed: without it, seen in the process list"),
    "text": ("WORDS", "all these words stand in it, or begin a word of it; not in hashes and ids"),
}
"""The options by which a list is narrowed down: their arguments and help."""


def from_here(place: str) -> str:
    """Return a path that was typed in this folder as a full path; an address such as `sftp:me@nas:/backup` as it is."""
    if not place or "\0" in place or re.match(r"[^/]+:", place):
        return place  # an empty one is refused where it is checked
    return os.path.abspath(expand(place))


def add_filter(parser: ArgumentParser | _ArgumentGroup) -> None:
    """Declare the options of a filter."""
    for name, (metavar, words) in FILTER.items():
        parser.add_argument(f"--{name}", metavar=metavar, help=words)


def add_list(parser: ArgumentParser, limit: int) -> None:
    """Declare the options of a list: a filter, and pages of *limit* lines by default."""
    add_filter(parser)
    parser.add_argument("--limit", type=int, default=limit, metavar="N", help=f"lines on a page (default {limit})")
    parser.add_argument("--page", type=int, default=1, metavar="N", help="which page, 1 is the newest (default 1)")


def wanted(args: Namespace) -> Filter:
    """Return the filter of a list; bring the index of words up to date if it asks for words.

    Raises:
        UsageError: A word or time makes no sense.
    """
    if args.limit < 1 or args.page < 1:
        name = "--limit" if args.limit < 1 else "--page"
        raise UsageError(f"{name} must be 1 or more.", next=f"Leave {name} out to have the usual.")
    asked = parse({name: getattr(args, name) for name in FILTER}, clock.now_ms())
    if asked.phrases():
        try:
            index_fill.update(places(), seconds=UPDATE_SECONDS)
        except BackupTrayError:
            pass  # a search works without the index, only slower; it tells the error itself
    return asked


def notes(args: Namespace, more: bool, looked_to_ms: int | None) -> None:
    """Say on stderr how to go on, and how far the search has looked."""
    if looked_to_ms is not None:
        print(
            f"Note: time was over, only what happened since {clock.local(looked_to_ms):%Y-%m-%d %H:%M} was looked at. "
            "Give --until for what was before, or try again: the index of words grows with each search.",
            file=sys.stderr,
        )
    elif more:
        print(f"Note: there are more. The next ones: add `--page {args.page + 1}`.", file=sys.stderr)


def or_a_job(error: RunNotFoundError, named: str | None, command: str = "history") -> RunNotFoundError:
    """Return *error*; if *named* is a job and no run, it proposes the *command* about all runs of that job."""
    try:
        if named is not None and named in past_runs.names(places())["job"]:
            error.why = "That is a job, which has many runs."
            error.next = f"See all its runs: `backup-tray {command} --job {shlex.quote(named)}`."
    except BackupTrayError:
        pass  # the first error tells enough
    return error


def nothing(asked: Filter, page: int, what: str, names: Mapping[str, Sequence[str]]) -> str:
    """Return the sentence for an empty list: a job or engine that is not on record, else the filter that matches nothing.

    Args:
        names: The names that are on record, under "job" and "engine".
    """
    if page > 1:
        return f"There is no page {page}."
    for name, known in names.items():
        absent = [value for value in getattr(asked, name) or () if value not in known]
        if absent and known:
            listed = ", ".join(wording.fit(wording.escape(other), 60) for other in known[:20])
            rest = "" if len(known) <= 20 else f" and {len(known) - 20} more"
            return (
                f"No {what} matches: no {name} {wording.escape(absent[0])!r} is on record. There are: {listed}{rest}."
            )
    given = [name for name in FILTER if asked.to_json().keys() & {name, f"{name}_ms"}]
    if not given:  # a damaged index of the database hides entries
        return f"No {what} can be found. If there should be some: `backup-tray audit verify`."
    least = " and ".join([", ".join(f"--{name}" for name in given[:-1])] * (len(given) > 1) + [f"--{given[-1]}"])
    return f"No {what} matches {least} together." if len(given) > 1 else f"No {what} matches {least}."


def confirmed(question: str, refusal: str, command: str, yes: Sequence[str] = ("yes",)) -> bool:
    """Ask the user *question* at the terminal, and return whether the answer is one of *yes*.

    Args:
        refusal: The sentence for a user who cannot be asked: nothing was done.
        command: The command that needs no question, but for `--yes`.

    Raises:
        UsageError: There is no terminal.
    """
    if not sys.stdin.isatty():
        raise UsageError(
            refusal,
            why="Without a terminal, the command cannot ask whether you are sure.",
            next=f"Confirm it with --yes: `{command} --yes`.",
        )
    try:
        return input(question).strip().lower() in yes
    except EOFError:
        return False


def progress() -> Callable[[int, int], None] | None:
    """Return a function that shows on a terminal how many entries are done; None without a terminal."""
    if not sys.stderr.isatty():
        return None

    def show(done: int, total: int) -> None:
        print(f"\r{wording.count(done)} of {wording.count(total)} entries\x1b[K", end="", file=sys.stderr, flush=True)
        if done + 4096 > total:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    return show
