"""`backup-tray log RUN`."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable

from tray import runs
from tray.cli import asking
from tray.core.errors import RunNotFoundError
from tray.core.paths import Places, places

EXAMPLES = (
    "backup-tray log last",
    "backup-tray log last | less",
)


def register(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("run", metavar="RUN", help="the run's id, as `backup-tray history` shows it, or `last`")


def run(args: Namespace) -> int:
    """Print the full log of a run."""
    from tray import wording
    from tray.status import run_ids

    here = places()
    try:
        read = _reader(here, run_ids.resolve(here, args.run))
    except RunNotFoundError as error:
        raise asking.or_a_job(error, args.run) from error
    offset = 0
    while True:
        text, after = read(offset)
        if after == offset:
            return 0
        offset = after
        if sys.stdout.isatty():
            text = "".join(wording.escape(line) + "\n" for line in text.splitlines())
        sys.stdout.write(text)


def _reader(here: Places, wanted: str) -> Callable[[int], tuple[str, int]]:
    """Return what reads the log from an offset on: that of a run of this user, else of the system."""
    from tray.status import system_history

    try:
        found = runs.find(here, wanted).run
        return lambda offset: runs.read_log(here, found, offset)
    except RunNotFoundError:
        try:
            found = system_history.log(wanted)[0]
        except RunNotFoundError:
            raise system_history.no_log(here, wanted) from None
        return lambda offset: system_history.log(found, offset)[1:3]
