"""`backup-tray pause [RUN]`."""

from argparse import ArgumentParser, Namespace

from tray import wording
from tray.cli.cancel import add_run
from tray.core.model import Control, Phase
from tray.core.paths import places
from tray.status import control

EXAMPLES = (
    "backup-tray pause                if only one runs",
    "backup-tray pause home",
)


def register(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    add_run(parser)


def run(args: Namespace) -> int:
    """Suspend a run and all its processes until somebody resumes it."""
    return do(args, Control.PAUSE)


def do(args: Namespace, wish: Control) -> int:
    """Pause or resume a run, and say so once it is done."""
    here = places()
    with control.LiveRuns(here, "cli") as live:
        chosen = live.choose(args.run, wish)
        control.ask(here, wish, chosen.run, by="cli")
        done = live.wait_phase(chosen.run, paused=wish is Control.PAUSE)
    job = wording.escape(chosen.job)
    if done is None:
        print(f"{job} has ended.")
    elif (done.phase is Phase.PAUSED) is not (wish is Control.PAUSE):
        print(f"{job} has been asked to {wish.value}, but does not yet.")
        return 1
    else:
        after = (
            f" Let it go on with `backup-tray resume {wording.short_id(done.run)}`." if wish is Control.PAUSE else ""
        )
        print(f"{job} is paused.{after}" if wish is Control.PAUSE else f"{job} goes on.")
    return 0
