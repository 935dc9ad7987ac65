"""The options by which several commands narrow down what they list, and what they say when nothing matches."""

import shlex
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tray import wording
from tray.core import clock
from tray.core.errors import BackupTrayError, RunNotFoundError, UsageError
from tray.core.paths import Places

if TYPE_CHECKING:
    from tray.audit.search.conditions import Filter

UPDATE_SECONDS = 2.0
"""How long a search for words may first bring their index up to date."""

_HELP = {
    "since": ("TIME", "from then on: 2026-11-01, yesterday, 7d, 12h, ..."),
    "until": ("TIME", "up to then; of a day, until its end"),
    "month": ("MONTH", "one month: 2026-10"),
    "job": ("NAME", "of this job; several with commas"),
    "engine": ("NAME", "of this engine"),
    "action": ("ACTION", "run.finished, audit.verified, ..."),
    "outcome": ("WORD", "succeeded, warning, failed, cancelled, lost, unknown, ..."),
    "severity": ("WORD", "info, warning, error, critical"),
    "kind": ("WORD", "backup, restore, check, ..."),
    "source": ("WORD", "wrapped or observed"),
    "text": ("WORDS", "all these words stand in it, or begin a word of it; not in hashes and ids"),
}


def register(parser: ArgumentParser, limit: int) -> None:
    """Declare the options, with *limit* lines on a page by default."""
    for name, (metavar, words) in _HELP.items():
        parser.add_argument(f"--{name}", metavar=metavar, help=words)
    parser.add_argument("--limit", type=int, default=limit, metavar="N", help=f"lines on a page (default {limit})")
    parser.add_argument("--page", type=int, default=1, metavar="N", help="which page, 1 is the newest (default 1)")


def wanted(args: Namespace) -> "Filter":
    """Return the filter that was given.

    Raises:
        UsageError: A word or time makes no sense.
    """
    from tray.audit.search.conditions import parse

    if args.limit < 1 or args.page < 1:
        name = "--limit" if args.limit < 1 else "--page"
        raise UsageError(f"{name} must be 1 or more.", next=f"Leave {name} out to have the usual.")
    return parse({name: getattr(args, name) for name in _HELP}, clock.now_ms())


def prepare(places: Places, asked: "Filter") -> None:
    """Bring the index of words up to date if words are asked for; a search works without it, only slower."""
    if not asked.phrases():
        return
    from tray.audit.search import index_fill

    try:
        index_fill.update(places, seconds=UPDATE_SECONDS)
    except BackupTrayError:
        return  # the search itself will say it


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
    """Return the error, which names the *command* about all runs of a job if a job's name was taken for a run's id."""
    from tray.core.paths import places
    from tray.status import past_runs

    try:
        if named is not None and named in past_runs.names(places())["job"]:
            error.why = "That is a job, which has many runs."
            error.next = f"See all its runs: `backup-tray {command} --job {shlex.quote(named)}`."
    except BackupTrayError:
        pass  # what is wrong was said already
    return error


def nothing(asked: "Filter", what: str, there: Mapping[str, Sequence[str]]) -> str:
    """Return what to say when nothing matches: a job or engine that is not on record, else what was asked for.

    Args:
        there: The names that are on record, under "job" and "engine".
    """
    for name, known in there.items():
        absent = [value for value in getattr(asked, name) or () if value not in known]
        if absent and known:
            listed = ", ".join(wording.fit(wording.escape(one), 60) for one in known[:20])
            rest = "" if len(known) <= 20 else f" and {len(known) - 20} more"
            return (
                f"No {what} matches: no {name} {wording.escape(absent[0])!r} is on record. There are: {listed}{rest}."
            )
    given = [name for name in _HELP if asked.to_json().keys() & {name, f"{name}_ms"}]
    if not given:  # an index of the database that is damaged hides what is there
        return f"No {what} can be found. If there should be some: `backup-tray audit verify`."
    least = " and ".join([", ".join(f"--{name}" for name in given[:-1])] * (len(given) > 1) + [f"--{given[-1]}"])
    return f"No {what} matches {least} together." if len(given) > 1 else f"No {what} matches {least}."
