"""`backup-tray system`."""

from argparse import ArgumentParser, Namespace

from tray.core.paths import places

EXAMPLES = (
    "sudo backup-tray system          the installer sets it up as a service",
    "sudo backup-tray system --group staff",
)


def register(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--group", default="backup-tray", metavar="NAME", help="the group whose members see them (default backup-tray)"
    )


def run(args: Namespace) -> int:
    """Show root's status to a group of users, read-only, until told to stop; systemd starts it."""
    from tray.system import server

    return server.run(places(), group=args.group)
