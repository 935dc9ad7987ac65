"""Look after jobs: `backup-tray jobs PART`. Each part is a `Command` of a module in this folder; without a part, list the jobs."""

from argparse import ArgumentParser

from tray.cli import Command
from tray.cli.jobs import changes, importing, look, sheet
from tray.cli.parser import add_parts, run_part

PARTS = {
    "list": (look.LIST, "all jobs, those of config.toml and those that only their runs made known"),
    "show": (look.SHOW, "the settings of a job"),
    "sheet": (sheet.SHEET, "print the recovery sheet: how to restore the job's files on another machine"),
    "add": (changes.ADD, "make a job"),
    "import": (importing.IMPORT, "find the backups that this machine makes already, and watch them"),
    "edit": (changes.EDIT, "change a job, or give one that runs by itself a rhythm"),
    "disable": (changes.DISABLE, "no longer run a job by its schedule, nor expect it"),
    "enable": (changes.ENABLE, "run and expect a disabled job again"),
    "remove": (changes.REMOVE, "take a job out of config.toml; its runs stay on record"),
    "rename": (changes.RENAME, "give a job another name, with all its runs"),
    "merge": (changes.MERGE, "put the runs of a job to those of another one"),
    "retire": (changes.RETIRE, "end a job: it is no longer judged until its next run; its runs stay on record"),
}
"""Every part, and its one line of help."""


def _register(parser: ArgumentParser) -> None:
    """Declare the arguments of every part."""
    look.LIST.register(parser)
    parser.set_defaults(act=look.LIST.run)
    add_parts(parser, PARTS, required=False)


JOBS = Command(
    _register,
    run_part,
    "backup-tray jobs",
    "backup-tray jobs edit nightly --every 1d",
    "backup-tray jobs show home --json",
)
