"""Start what stays in the background: the icon, the tracker, and the system's service for root's backups.

Each imports its own part only: the tracker and the icon stay in memory all day.
"""

import sys
from argparse import SUPPRESS, ArgumentParser, Namespace

from tray.cli import Command, no_arguments
from tray.core.errors import UsageError
from tray.core.paths import places

PATIENCE_SECONDS = 30.0
"""Time that a helper process, for which no user waits, waits for an audit log that another process keeps locked."""


def _tray(_: Namespace) -> int:
    """Show the icon; if one is there already, open its window."""
    from tray.icon.launch import main  # the icon alone needs it

    return main(places())


def _add_tracker(parser: ArgumentParser) -> None:
    # The tracker and the icon give these to processes that they start; the help does not show them.
    parser.add_argument("--idle-exit", type=float, metavar="SECONDS", help=SUPPRESS)
    for flag in ("--close-lost", "--look-at-repositories", "--care"):
        parser.add_argument(flag, action="store_true", help=SUPPRESS)
    parser.add_argument("--begun", type=int, metavar="MS", help=SUPPRESS)


def _tracker(args: Namespace) -> int:
    """Run the tracker in the foreground; if one is there already, that is fine."""
    if args.close_lost:
        from tray.audit import spool  # a helper's, not the tracker's
        from tray.recording import close_lost
        from tray.runs import left_paused

        left_paused.release_all(places())
        close_lost.close(places())
        spool.drain(places(), timeout=PATIENCE_SECONDS)
        return 0
    if args.look_at_repositories:
        from tray.repository import look  # a helper's, not the tracker's

        look.now_and_then(places())
        return 0
    if args.care:
        from tray.cli import care  # a helper's, not the tracker's

        return care.run(places(), args.begun)
    lean = "_hashlib" not in sys.modules
    if lean:  # the tracker hashes names of jobs only: OpenSSL would take 0.8 MiB of memory all day
        sys.modules["_hashlib"] = None  # type: ignore[assignment] # documented: an import then fails, and hashlib does without
    from tray.tracker import server  # the helpers need no server

    if lean:
        del sys.modules["_hashlib"]
    ended = server.run(places(), idle_exit=args.idle_exit)
    if ended is None:
        print("A tracker is running already.")
    elif ended.on_record:
        from tray.recording import (
            tracker_entries,  # only now: the tracker itself carries no database and no cryptography
        )

        tracker_entries.stopped(places(), ended.why)
    return 0


def _add_system(parser: ArgumentParser) -> None:
    words = "the group whose members see them (default backup-tray)"
    parser.add_argument("--group", default="backup-tray", metavar="NAME", help=words)


def _system(args: Namespace) -> int:
    """Show root's status to a group of users, read-only, until told to stop; systemd starts it."""
    if sys.platform == "win32":
        raise UsageError(
            "Root's backups are shown to a group on Linux and macOS only.", next="Look at yours: `backup-tray status`."
        )
    from tray.system import server  # the icon and the tracker do not need it

    return server.run(places(), group=args.group)


TRAY = Command(
    no_arguments,
    _tray,
    "backup-tray                      the icon in this session",
    "backup-tray status --watch       the same in a terminal",
)
TRACKER = Command(
    _add_tracker,
    _tracker,
    "backup-tray tracker              in a container or a session without a tray, for `status --watch`",
)
SYSTEM = Command(
    _add_system,
    _system,
    "sudo backup-tray system          the installer sets it up as a service",
    "sudo backup-tray system --group staff",
)
