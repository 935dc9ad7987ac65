"""Make a first backup in the terminal: `backup-tray create`. The window's "Create First Backup" asks the same."""

import getpass
import shlex
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from tray.cli import Command, run
from tray.config import Job
from tray.core.errors import BackupTrayError, JobSetupError, UsageError
from tray.core.files import opened
from tray.core.paths import Places, places
from tray.jobs import configured, first_backup
from tray.wording import escape

_LONGEST_PASSWORD = 4096
_EXAMPLE = "backup-tray create --source ~/Documents --repository /media/stick/backup --yes"


def _register(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--source", action="append", metavar="PATH", help="a folder to back up; may be given several times"
    )
    parser.add_argument(
        "--repository",
        metavar="PLACE",
        help="the target: a new folder, best on another disk, or an address such as sftp:me@nas:/backup",
    )
    parser.add_argument("--name", help="what the job is called (default: home)")
    parser.add_argument(
        "--password-file", metavar="FILE", help="the file that holds the password (default: one is made)"
    )
    parser.add_argument("--no-run", action="store_true", help="only make repository and job; do not back up yet")
    parser.add_argument("--yes", action="store_true", help="ask nothing: for scripts")


def _create(args: Namespace) -> int:
    """Ask for missing answers, make repository and job, and run the first backup; the exit code is its engine's."""
    here = places()
    if not args.yes and not sys.stdin.isatty():
        raise UsageError(
            "Nothing was created.",
            why="There is no terminal to ask on.",
            next=f"Give the answers as options: `{_EXAMPLE}`.",
        )
    job = _make(here, args)
    _explain(job)
    if args.no_run:
        return 0
    print("\nThe first backup runs now.", flush=True)
    return run.start(here, job)


def _make(here: Places, args: Namespace) -> Job:
    """Make repository and job; ask again for an answer that does not make sense.

    Raises:
        BackupTrayError: It cannot be made, or there is no user to ask.
    """
    name, home = first_backup.suggested(here)
    given = {
        "sources": args.source or ([home] if args.yes else None),
        "repository": args.repository,
        "name": args.name or (name if args.yes else None),
        "password": None if args.password_file is None else _password_in(Path(args.password_file)),
    }
    if args.yes:
        if given["repository"] is None:
            raise UsageError("There is no place for the backup.", next=f"Name one: `{_EXAMPLE}`.")
        given["password"] = given["password"] or first_backup.generate_password()
    while True:
        answers = {**given} if args.yes else _ask(given, name, home)
        try:
            return first_backup.create_first_backup(here, **answers)
        except JobSetupError as error:
            if args.yes:
                raise
            print(f"\n{error.what} {error.why}\n{error.next}", file=sys.stderr)
            given = {**answers, error.field: None}


def _ask(given: dict[str, object], name: str, home: str) -> dict[str, object]:
    """Return *given* with an answer for each question that is open."""
    answers = dict(given)
    if answers["sources"] is None:
        answers["sources"] = [_answer("Back up which folder?", home)]
    if answers["repository"] is None:
        answers["repository"] = _answer(
            "Where to? A new folder, best on another disk, or an address such as sftp:me@nas:/backup", ""
        )
    if answers["name"] is None:
        answers["name"] = _answer("What shall it be called?", name)
    if answers["password"] is None:
        answers["password"] = _new_password()
    return answers


def _answer(question: str, default: str) -> str:
    """Return the line that the user types, or *default* for an empty one."""
    while True:
        try:
            typed = input(f"{question} [{default}] " if default else f"{question}: ").strip()
        except EOFError:
            raise UsageError("Nothing was created.", why="The questions were not answered.") from None
        if typed or default:
            return typed or default


def _new_password() -> str:
    """Return the password that the user types, or a new one, which is shown once."""
    try:
        typed = getpass.getpass("A password for it (empty: one is made for you): ")
    except EOFError:
        raise UsageError("Nothing was created.", why="The questions were not answered.") from None
    if typed:
        return typed
    made = first_backup.generate_password()
    print(f"The password is  {made}\nWrite it down: without it the backup cannot be read, not even by you.")
    return made


def _password_in(file: Path) -> str:
    """Return the first line of *file*.

    Raises:
        BackupTrayError: It cannot be read.
    """
    try:
        with opened(file) as source:
            return source.read(_LONGEST_PASSWORD).decode("utf-8").partition("\n")[0].rstrip("\r")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise BackupTrayError(
            f"The password cannot be read from {file}.",
            why=f"{why}.",
            next=f"Look at the file: `ls -l {shlex.quote(str(file))}`.",
        ) from error


def _explain(job: Job) -> None:
    """Tell the user about the new job, and how to run it every night."""
    print(f"\nThe job {escape(job.name)} and its repository {escape(str(job.repository))} are made.")
    print(f"  its password is kept in   {escape(str(job.password_file))}")
    print(f"  to run it now             backup-tray backup {escape(shlex.quote(job.name))}")
    print("  to run it every night     add this line with `crontab -e`:")
    print(f"    {escape(configured.cron_line(job))}")


CREATE = Command(
    _register,
    _create,
    "backup-tray create                                             asks four questions",
    "backup-tray create --source ~/Documents --repository /media/stick/backup --yes",
    "backup-tray create --source /etc --repository sftp:me@nas:/backup --password-file ~/secret --yes --no-run",
)
