"""Control a live run: `backup-tray cancel`, `pause` and `resume`."""

from argparse import ArgumentParser, Namespace

from tray import wording
from tray.cli import Command, options
from tray.core.model import Control, LiveRun, Outcome, Phase
from tray.core.paths import places
from tray.status import control, past_runs

NOT_CANCELLED = 1
"""Exit code: the user changed their mind, or the run was over before it could be stopped."""


def _add_run(parser: ArgumentParser) -> None:
    words = "the run's id, or its job; not needed if only one runs"
    parser.add_argument("run", metavar="RUN", nargs="?", default="", help=words)


def _add_cancel(parser: ArgumentParser) -> None:
    _add_run(parser)
    parser.add_argument("--yes", action="store_true", help="do not ask; needed in scripts")
    parser.add_argument("--no-wait", action="store_true", help="return at once; do not wait until the run has ended")


def _cancel(args: Namespace) -> int:
    """Stop a run, and say how it ended."""
    here = places()
    with control.LiveRuns(here, "cli") as live:
        chosen = live.choose(args.run, Control.CANCEL)
        job = wording.escape(chosen.job)
        if not args.yes and not _sure(chosen):
            print("Nothing was stopped.")
            return NOT_CANCELLED
        control.ask(here, Control.CANCEL, chosen.run, by="cli")
        if args.no_wait:
            print(f"{job} has been asked to stop.")
            return 0
        live.wait_end(chosen.run)
    ended = next((run for run in past_runs.history(here, job=chosen.job) if run.run == chosen.run), None)
    if ended is None:
        print(f"{job} has ended; how is not on record.")
        return NOT_CANCELLED
    print(f"{wording.last_line(ended, ended.finished_ms)}.")
    if ended.advice:
        print(f"  next: {wording.escape(ended.advice)}")
    return 0 if ended.outcome is Outcome.CANCELLED else NOT_CANCELLED


def _sure(chosen: LiveRun) -> bool:
    facts = ", ".join(part for part in (wording.escape(chosen.engine), wording.percent(chosen)) if part)
    question = f"Stop {wording.escape(chosen.job)} ({facts})? [y/N] "
    command = f"backup-tray cancel {wording.short_id(chosen.run)}"
    return options.confirmed(question, "Nothing was stopped.", command, yes=("y", "yes"))


def _pause(args: Namespace, wish: Control = Control.PAUSE) -> int:
    """Pause or resume a run, and say so once it is done."""
    here = places()
    pauses = wish is Control.PAUSE
    with control.LiveRuns(here, "cli") as live:
        chosen = live.choose(args.run, wish)
        control.ask(here, wish, chosen.run, by="cli")
        run = live.wait_phase(chosen.run, paused=pauses)
    job = wording.escape(chosen.job)
    if run is None:
        print(f"{job} has ended.")
    elif (run.phase is Phase.PAUSED) is not pauses:
        print(f"{job} has been asked to {wish.value}, but does not yet.")
        return 1
    elif pauses:
        print(f"{job} is paused. Let it go on with `backup-tray resume {wording.short_id(run.run)}`.")
    else:
        print(f"{job} goes on.")
    return 0


def _resume(args: Namespace) -> int:
    return _pause(args, Control.RESUME)


CANCEL = Command(
    _add_cancel,
    _cancel,
    "backup-tray cancel               if only one runs; asks first",
    "backup-tray cancel home --yes",
)
PAUSE = Command(_add_run, _pause, "backup-tray pause                if only one runs", "backup-tray pause home")
RESUME = Command(_add_run, _resume, "backup-tray resume               if only one runs", "backup-tray resume home")
