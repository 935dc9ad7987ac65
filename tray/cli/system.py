"""`backup-tray system`."""

from argparse import ArgumentParser, Namespace

from tray.paths import places


def register(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--group", default="backup-tray", metavar="NAME", help="whose members may look on (default backup-tray)"
    )


def run(args: Namespace) -> int:
    """Show root's status to a group of users, read-only, until told to stop; systemd starts it."""
    from tray.system import server

    return server.run(places(), group=args.group)
