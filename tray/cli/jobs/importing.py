"""Declare `backup-tray jobs import`; `tray.cli.jobs.taking_over` does it."""

from argparse import ArgumentParser, Namespace

from tray.cli import Command


def _register(parser: ArgumentParser) -> None:
    help_ = "the number of a backup in the list; several may be given"
    parser.add_argument("numbers", metavar="N", nargs="*", type=int, help=help_)
    parser.add_argument("--all", action="store_true", help="take over every backup that can be watched")
    parser.add_argument("--name", metavar="JOB", help="the name of the job, if a single backup is taken over")
    help_ = "change nothing: print the lines to put into crontabs and units, so that the backups run under watch"
    parser.add_argument("--lines", action="store_true", help=help_)
    parser.add_argument("--json", action="store_true", help="change nothing: print the list as JSON")


def _run(args: Namespace) -> int:
    """Show the backups that exist, or watch those that the user chooses."""
    from tray.cli.jobs import taking_over  # it loads YAML, SQLite and every engine, which the other parts do not need

    return taking_over.run(args)


IMPORT = Command(
    _register,
    _run,
    "backup-tray jobs import              shows crontabs, timers and tools that make backups; asks which to watch",
    "backup-tray jobs import --all        watches every one of them",
    "backup-tray jobs import 2 --name home",
    "backup-tray jobs import --lines      prints their lines with `backup-tray run` before the command",
)
