"""`backup-tray report RUN`."""

from argparse import ArgumentParser, Namespace

from tray.paths import places


def register(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "run", metavar="RUN", nargs="?", default="last", help="the run's id or its beginning, or `last`"
    )
    parser.add_argument("--format", choices=["text"], default="text", help="how (this version: text)")


def run(args: Namespace) -> int:
    """Print the audit report of a run."""
    from tray import past, report

    here = places()
    print(report.text(report.find(here, past.resolve_anywhere(here, args.run))))
    return 0
