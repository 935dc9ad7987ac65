"""`backup-tray cancel [RUN] [--yes] [--no-wait]`."""

import sys
from argparse import ArgumentParser, Namespace

from tray import wording
from tray.core.errors import UsageError
from tray.core.model import Control, LiveRun, Outcome
from tray.core.paths import Places, places
from tray.status import control

NOT_CANCELLED = 1
"""Exit code: nobody wished it in the end, or the run was over before it could be stopped."""

EXAMPLES = (
    "backup-tray cancel               if only one runs; asks first",
    "backup-tray cancel home --yes",
)


def register(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    add_run(parser)
    parser.add_argument("--yes", action="store_true", help="do not ask; needed in scripts")
    parser.add_argument("--no-wait", action="store_true", help="return at once; do not wait until the run has ended")


def add_run(parser: ArgumentParser) -> None:
    """Declare the argument that names the run."""
    parser.add_argument(
        "run",
        metavar="RUN",
        nargs="?",
        default="",
        help="the run's id, or its job; not needed if only one runs",
    )


def run(args: Namespace) -> int:
    """Stop a run, and say how it ended."""
    here = places()
    with control.LiveRuns(here, "cli") as live:
        chosen = live.choose(args.run, Control.CANCEL)
        if not args.yes and not _agreed(chosen):
            print("Nothing was stopped.")
            return NOT_CANCELLED
        control.ask(here, Control.CANCEL, chosen.run, by="cli")
        if args.no_wait:
            print(f"{wording.escape(chosen.job)} has been asked to stop.")
            return 0
        live.wait_end(chosen.run)
    return _tell(here, chosen)


def _tell(here: Places, chosen: LiveRun) -> int:
    """Print how the run ended."""
    from tray.status import past_runs

    ended = next((found for found in past_runs.history(here, job=chosen.job) if found.run == chosen.run), None)
    if ended is None:
        print(f"{wording.escape(chosen.job)} has ended; how is not on record.")
        return NOT_CANCELLED
    print(f"{wording.last_line(ended, ended.finished_ms)}.")
    if ended.advice:
        print(f"  next: {wording.escape(ended.advice)}")
    return 0 if ended.outcome is Outcome.CANCELLED else NOT_CANCELLED


def _agreed(chosen: LiveRun) -> bool:
    if not sys.stdin.isatty():
        raise UsageError(
            "Nothing was stopped.",
            why="Without a terminal, `cancel` cannot ask whether you are sure.",
            next=f"Confirm it with --yes: `backup-tray cancel {wording.short_id(chosen.run)} --yes`.",
        )
    facts = ", ".join(part for part in (wording.escape(chosen.engine), wording.percent(chosen)) if part)
    try:
        return input(f"Stop {wording.escape(chosen.job)} ({facts})? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False
