"""`backup-tray resume [RUN]`."""

from argparse import ArgumentParser, Namespace

from tray.cli import pause
from tray.cli.cancel import add_run
from tray.core.model import Control

EXAMPLES = (
    "backup-tray resume               if only one runs",
    "backup-tray resume home",
)


def register(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    add_run(parser)


def run(args: Namespace) -> int:
    """Let a paused run go on."""
    return pause.do(args, Control.RESUME)
