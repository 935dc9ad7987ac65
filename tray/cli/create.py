"""Make a first backup in the terminal: `backup-tray create`. The window's "Create First Backup" asks the same."""

import getpass
import shlex
import subprocess
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from tray.cli import Command, run, schedule
from tray.cli.jobs import sheet
from tray.cli.options import from_here
from tray.config.jobs import DEFAULT_ENGINE, Job
from tray.core import ourselves
from tray.core.errors import BackupTrayError, JobSetupError, UsageError
from tray.core.files import opened
from tray.core.model import BACKUP
from tray.core.paths import Places, places
from tray.jobs import choices, engine_install, first_backup
from tray.schedule import change
from tray.wording import escape, size

_LONGEST_PASSWORD = 4096
_NOTHING_TO_PROVE = 1
"""The exit code of a check that had no file to compare."""
_USUAL_TIME = "20:30"
_EXAMPLE = "backup-tray create --source ~/Documents --repository /media/stick/backup --yes"


def _register(parser: ArgumentParser) -> None:
    words = "a folder to back up; may be given several times"
    parser.add_argument("--source", action="append", metavar="PATH", help=words)
    words = "the target: a new folder, best on another disk, or an address such as sftp:me@nas:/backup"
    parser.add_argument("--repository", metavar="PLACE", help=words)
    parser.add_argument("--name", help="the name of the job (default: home)")
    words = "the file that holds the password (default: one is made)"
    parser.add_argument("--password-file", metavar="FILE", help=words)
    parser.add_argument("--schedule", metavar="WHEN", help="have the job run by itself: daily, 20:30, 'Mon..Fri 20:30'")
    parser.add_argument("--no-run", action="store_true", help="only make repository and job; do not back up yet")
    parser.add_argument("--yes", action="store_true", help="ask nothing: for scripts")


def _create(args: Namespace) -> int:
    """Ask for missing answers, make repository and job, run the first backup, restore a few of its files, and schedule the job.

    The exit code is the engine's; where that is 0, the one of the check if it fails.
    """
    here = places()
    step = f"Give the answers as options: `{_EXAMPLE}`."
    if not args.yes and not sys.stdin.isatty():
        raise UsageError("Nothing was created.", why="There is no terminal to ask on.", next=step)
    _have_engine(ask=not args.yes)
    if args.schedule is not None:
        # A mistake is told before anything is made.
        change.planned(Job(name="home", command=("true",)), BACKUP, args.schedule, None)
    try:
        job = _make(here, args)
    except EOFError:
        raise UsageError("Nothing was created.", why="The questions were not answered.", next=step) from None
    _explain(here, job)
    code = 0 if args.no_run else _first_run(here, job)
    when = args.schedule if args.yes or args.schedule is not None else _asked_times()
    if when is not None:
        schedule.tell(change.set_up(here, job.name, on=when))
    return code


def _have_engine(*, ask: bool) -> None:
    """Offer to install the engine if it is missing; the user sees the exact command, and nothing is installed without a yes.

    Raises:
        EngineMissingError: It is missing, and the user does not want it to be installed, or it cannot be from here.
        EngineInstallError: It was not installed.
    """
    missing = engine_install.missing(DEFAULT_ENGINE)
    if missing is None:
        return
    argv = engine_install.command(DEFAULT_ENGINE, terminal=True)
    if not ask or not argv:
        raise missing
    try:
        answer = input(f"{missing} Install it now with `{escape(shlex.join(argv))}`? [y, N] ")
    except EOFError:
        answer = ""
    if answer.strip().lower() not in ("y", "yes"):
        raise missing
    engine_install.install(DEFAULT_ENGINE, argv, terminal=True)


def _first_run(here: Places, job: Job) -> int:
    """Run *job*, then restore a few of its files and compare them; return the exit code."""
    print("\nThe first backup runs now.", flush=True)
    code = run.start(here, job)
    if code != 0:
        return code
    print("\nA few of its files are restored and compared, as a test.", flush=True)
    proven = subprocess.run(ourselves.command("check", job.name), env=ourselves.environ(), check=False).returncode
    return 0 if proven == _NOTHING_TO_PROVE else proven


def _asked_times() -> str | None:
    """Ask the user when the job is to run by itself; None: not at all."""
    try:
        answer = input(
            f"\nBack up by itself every day at {_USUAL_TIME}? [Y, n, or other times such as Mon..Fri 12:00] "
        ).strip()
    except EOFError:
        return None
    if answer.lower() in ("n", "no"):
        return None
    return _USUAL_TIME if answer.lower() in ("", "y", "yes") else answer


def _make(here: Places, args: Namespace) -> Job:
    """Make repository and job; ask again for an answer that does not make sense.

    Raises:
        BackupTrayError: It cannot be made, or there is no user to ask.
        EOFError: The user ends the questions.
    """
    name, home = first_backup.suggested(here)
    password = None if args.password_file is None else _password_in(Path(args.password_file))
    given = {"sources": args.source, "repository": args.repository, "name": args.name, "password": password}
    if args.yes:
        if args.repository is None:
            raise UsageError("There is no place for the backup.", next=f"Name one: `{_EXAMPLE}`.")
        usual = {"sources": [home], "name": name, "password": first_backup.generate_password()}
        answers = _full(given | {key: given[key] or value for key, value in usual.items()})
        return first_backup.create_first_backup(here, **answers)
    while True:
        given = _full(_asked(given, name, home))
        try:
            return first_backup.create_first_backup(here, **given)
        except JobSetupError as error:
            print(f"\n{error.what} {error.why}\n{error.next}", file=sys.stderr)
            given[error.field] = None


def _asked(given: dict[str, Any], name: str, home: str) -> dict[str, Any]:
    """Return *given* with the user's answers to the open questions."""
    if given["repository"] is None:
        for drive in choices.drives():
            place = choices.on_drive(drive.path, given["name"] or name)
            print(f"The drive {escape(drive.name)} has {size(drive.free)} free: {escape(place)}")
    where = "Where to? A new folder, best on another disk, or an address such as sftp:me@nas:/backup"
    return {
        "sources": given["sources"] or [_answer("Back up which folder?", home)],
        "repository": _answer(where, "") if given["repository"] is None else given["repository"],
        "name": given["name"] or _answer("What shall it be called?", name),
        "password": _new_password() if given["password"] is None else given["password"],
    }


def _full(answers: dict[str, Any]) -> dict[str, Any]:
    """Return *answers* with full paths: what is typed in a terminal is meant from its folder."""
    sources = [from_here(source) for source in answers["sources"]]
    return answers | {"sources": sources, "repository": from_here(answers["repository"])}


def _answer(question: str, default: str) -> str:
    """Return the line that the user types, or *default* for an empty one."""
    while True:
        typed = input(f"{question} [{default}] " if default else f"{question}: ").strip()
        if typed or default:
            return typed or default


def _new_password() -> str:
    """Return the password that the user types, or a new one, which is shown once."""
    typed = getpass.getpass("A password for it (empty: one is made for you): ")
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


def _explain(here: Places, job: Job) -> None:
    """Tell the user about the new job, write its recovery sheet, and say where that is."""
    name = escape(shlex.quote(job.name))
    print(f"\nThe job {escape(job.name)} and its repository {escape(str(job.repository))} are made.")
    print(f"  its password is kept in   {escape(str(job.password_file))}")
    if job.environment_file is not None:
        print(f"  its login is kept in      {escape(job.environment_file)}")
    print(f"  to run it now             backup-tray backup {name}")
    print(f"  to run it every night     backup-tray schedule {name} --on 2:15")
    if job.conditions:
        print("  a scheduled start while its drive is away is skipped, and the skip is on record")
    try:
        print(f"  its recovery sheet is in  {escape(str(sheet.keep(here, job.name)))}")
    except (BackupTrayError, OSError) as error:
        why = error.why if isinstance(error, BackupTrayError) else f"{error.strerror}."
        print(f"  the recovery sheet could not be written: {escape(why)}")
        print(f"  to write it               backup-tray jobs sheet {name} --output recovery.pdf")
    print("Print the sheet, write the password on it, and keep it away from this machine: if this machine is lost, the")
    print("password that it keeps is lost with it, and without the password every file of the backup is lost.")


CREATE = Command(
    _register,
    _create,
    "backup-tray create                                             asks four questions",
    "backup-tray create --source ~/Documents --repository /media/stick/backup --yes",
    "backup-tray create --source /etc --repository sftp:me@nas:/backup --password-file ~/secret --yes --no-run",
)
