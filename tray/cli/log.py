"""`backup-tray log RUN`."""

import sys
from argparse import ArgumentParser, Namespace

from tray import runs
from tray.paths import places


def register(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("run", metavar="RUN", help="the run's id or its beginning, or `last`")


def run(args: Namespace) -> int:
    """Print the full log of a run."""
    from tray import past, wording

    here = places()
    found = runs.find(here, past.resolve(here, args.run)).run
    offset = 0
    while True:
        text, after = runs.read_log(here, found, offset)
        if after == offset:
            return 0
        offset = after
        if sys.stdout.isatty():
            text = "".join(wording.escape(line) + "\n" for line in text.splitlines())
        sys.stdout.write(text)
