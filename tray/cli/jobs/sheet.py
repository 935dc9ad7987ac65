"""Print the recovery sheet of a job: `backup-tray jobs sheet`."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from tray.cli import Command
from tray.cli.report import as_pdf
from tray.core.errors import UsageError
from tray.core.paths import Places, places, private
from tray.report import create, recovery, save
from tray.wording import escape

_FORMATS = {"txt": "text", "html": "html", "htm": "html", "pdf": "pdf"}


def _register(parser: ArgumentParser) -> None:
    parser.add_argument("job", metavar="JOB", help="the job, as config.toml names it")
    parser.add_argument(
        "--output", metavar="FILE", help="a file that ends with .txt, .html or .pdf (default: print it)"
    )
    parser.add_argument("--force", action="store_true", help="replace a file that is there")
    parser.add_argument("--with-password", action="store_true", help="put the password itself on the sheet")


def keep(here: Places, job: str) -> Path:
    """Write the recovery sheet of *job*, without its password, to its private file on this machine, and return that.

    Raises:
        JobNotFoundError, ConfigError: The job is not configured, or not well.
        ReportUnwritableError, UnsafeFolderError, OSError: The file cannot be written.
    """
    file = recovery.kept(here, job)
    private(here.config)
    private(file.parent)
    order = create.Order(run=None, given={}, format="pdf", pdf=as_pdf)
    save.put(file, create.drawn(order, recovery.sheet(here, job)), force=True)
    return file


def _sheet(args: Namespace) -> int:
    """Write or print the sheet; the file can be read by this user only."""
    ending = "txt" if args.output is None else args.output.rpartition(".")[2].lower()
    if ending not in _FORMATS:
        raise UsageError(
            f"{args.output}: the format is not known.",
            why="The end of the file's name says it.",
            next="Name a file that ends with .txt, .html or .pdf.",
        )
    output = args.output or save.STDOUT
    save.free(output, force=args.force)
    sheet = recovery.sheet(places(), args.job, with_password=args.with_password)
    order = create.Order(run=None, given={}, format=_FORMATS[ending], pdf=as_pdf)
    save.deliver(create.drawn(order, sheet), output, force=args.force)
    if args.output is not None:
        print(
            f"The recovery sheet is in {escape(args.output)}, which only you can read. Print it, and keep it elsewhere."
        )
        if args.with_password:
            print("It holds the password: delete the file when it is printed.")
    return 0


SHEET = Command(
    _register,
    _sheet,
    "backup-tray jobs sheet home",
    "backup-tray jobs sheet home --output recovery.pdf",
    "backup-tray jobs sheet home --output recovery.pdf --with-password",
)
