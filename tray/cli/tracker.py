"""`backup-tray tracker`."""

import sys
from argparse import SUPPRESS, ArgumentParser, Namespace

PATIENCE_SECONDS = 30.0
"""How long the helper that nobody waits for waits itself for an audit log that another process keeps locked."""

EXAMPLES = ("backup-tray tracker              in a container or a session without a tray, for `status --watch`",)


def register(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    # What the tracker and the tray call it with; the help shows nothing of that.
    parser.add_argument("--idle-exit", type=float, metavar="SECONDS", help=SUPPRESS)
    for flag in ("--close-lost", "--look-at-repositories", "--care"):
        parser.add_argument(flag, action="store_true", help=SUPPRESS)
    parser.add_argument("--begun", type=int, metavar="MS", help=SUPPRESS)


def run(args: Namespace) -> int:
    """Run the tracker in the foreground; one that is there already is fine."""
    from tray.core.paths import places

    if args.close_lost:
        from tray.audit import spool
        from tray.recording import close_lost

        close_lost.close(places())
        spool.drain(places(), timeout=PATIENCE_SECONDS)
        return 0
    if args.look_at_repositories:
        from tray.repository import look

        look.now_and_then(places())
        return 0
    if args.care:
        return _care(args.begun)
    from tray.tracker import server

    ended = server.run(places(), idle_exit=args.idle_exit)
    if ended is None:
        print("A tracker is running already.")
    elif ended.on_record:  # only now, since a tracker that serves carries neither database nor cryptography
        from tray.recording import tracker_entries

        tracker_entries.stopped(places(), ended.why)
    return 0


def _care(begun: int | None) -> int:
    """Do one round of housekeeping; its failures go to stderr, for whoever runs it by hand."""
    import os

    from tray.core.paths import places
    from tray.housekeeping import rounds
    from tray.recording import tracker_entries

    here = places()
    rounds.be_modest()
    if begun is not None:
        tracker_entries.started(here, begun, os.getppid())
    failed = rounds.run(here, started=begun is not None)
    for duty, why in failed.items():
        print(f"backup-tray: {duty}: {why}", file=sys.stderr)
    return 1 if failed else 0
