"""`backup-tray tracker`."""

from argparse import ArgumentParser, Namespace


def register(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--idle-exit", type=float, metavar="SECONDS", help="end so long after the last client and run")
    parser.add_argument(
        "--close-lost", action="store_true", help="close runs whose wrapper died, append records that wait, then end"
    )
    parser.add_argument(
        "--look-at-repositories", action="store_true", help="look at repositories whose state is old, then end"
    )


def run(args: Namespace) -> int:
    """Run the tracker in the foreground; one that is there already is fine."""
    from tray.paths import places

    if args.close_lost:
        from tray.audit import spool
        from tray.runner import closing

        closing.close(places())
        spool.drain(places())
        return 0
    if args.look_at_repositories:
        from tray.repository import look

        look.now_and_then(places())
        return 0
    from tray.tracker import server

    if not server.run(places(), idle_exit=args.idle_exit):
        print("A tracker is running already.")
    return 0
