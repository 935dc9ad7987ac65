"""`backup-tray run [--job NAME] [--engine NAME] [--no-watch] -- COMMAND…`."""

from argparse import REMAINDER, ArgumentParser, Namespace
from contextlib import suppress

from tray.core.errors import UsageError

EXAMPLES = (
    "backup-tray run -- restic backup ~/Documents",
    "backup-tray run --job nightly -- /usr/local/bin/backup.sh",
    "backup-tray run --engine restic -- my-restic backup /home",
)


def register(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--job", metavar="NAME", help="the job this run belongs to (default: named after the command)")
    parser.add_argument("--engine", metavar="NAME", help="the engine, if the command does not show it")
    parser.add_argument("--no-watch", action="store_true", help="only record start, end and exit code; read nothing")
    parser.add_argument("command", nargs=REMAINDER, metavar="-- COMMAND", help="the backup command, after --")


def run(args: Namespace) -> int:
    """Run the command under watch; the exit code is the command's."""
    from tray.wrapper import privacy, wrap
    from tray.wrapper.child import leave

    command = args.command[1:] if args.command[:1] == ["--"] else args.command
    if not command:
        raise UsageError(
            "There is no command to run.",
            why="Nothing stands after --.",
            next="For example: `backup-tray run -- restic backup /home`",
        )
    job = None if args.job is None else privacy.job_name(args.job)
    code = wrap.run(command, job=job, engine=args.engine, watch=not args.no_watch)
    with suppress(Exception):
        leave(code)
    return code
