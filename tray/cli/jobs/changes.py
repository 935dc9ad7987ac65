"""Make and change jobs: `backup-tray jobs add`, `edit`, `disable`, `enable`, `remove`, `rename`, `merge` and `retire`."""

import shlex
import sys
from argparse import ArgumentParser, Namespace
from typing import Any

from tray import wording
from tray.cli import Command
from tray.cli.jobs import sheet
from tray.cli.options import from_here
from tray.config import jobs
from tray.config.jobs import CONDITIONS, KEYS, RULES, Job, nearest
from tray.core.errors import BackupTrayError, UsageError
from tray.core.paths import places
from tray.jobs import editing
from tray.report import recovery
from tray.schedule import change

_TEXTS = {
    "engine": ("NAME", "the backup program (default: restic, or as the command shows)"),
    "repository": ("PLACE", "the target: a folder, or an address that the engine understands"),
    "password_file": ("FILE", "the file that holds the repository's password"),
    "environment_file": ("FILE", "a file with lines NAME=VALUE for the command, such as passwords"),
    "every": ("TIME", "how often it is expected: 1d, 12h, 1w"),
    "on": ("TIMES", 'when it is expected: "Mon..Fri 20:30" (OnCalendar) or "30 20 * * 1-5" (cron)'),
    "rhythm": ("WORD", "learn (as it ran so far, the default) or off (never expected)"),
    "zone": ("ZONE", "the time zone of --on, such as Europe/Berlin"),
    "delay": ("TIME", "the scheduler starts it up to so much later, by chance: 15m"),
    "max_age": ("TIME", "an older backup is called old: 7d; or off"),
    "keep_logs": ("TIME", "how long the logs of its runs are kept: 90d; or off"),
    "watched": ("TEXT", "the scheduler that starts it, if this program does not"),
    "stalled_after": ("TIME", "a run without progress for so long is stalled: 10m; or off"),
}
_LISTS = {
    "source": ("sources", "PATH", "a folder or file to back up"),
    "exclude": ("excludes", "PATTERN", "a pattern of files to leave out"),
    "option": ("options", "OPTION", "an option of the engine's backup command: --option=--exclude-caches"),
    "condition": ("conditions", "WORD", f"a condition of a run: {', '.join(CONDITIONS)}"),
    "notify": ("notify", "WORD", f"an event of which to notify: {', '.join(RULES)}"),
    "match": ("matches", "NAME", "the automatic name of runs that belong to it"),
}
_PATHS = ("repository", "password_file", "environment_file")
_ON_SHEET = ("engine", "sources", "repository", "command", "password_file", "password_command", "environment_file")
"""The keys of which the recovery sheet speaks."""
_COMMANDS = {
    "password_command": "a command line that prints the repository's password",
    "before": "a command line to run first; if it fails, the backup is not started",
    "after": "a command line to run afterwards; if it fails, the run is at best a warning",
}


def _add_name(parser: ArgumentParser) -> None:
    parser.add_argument("job", metavar="JOB", help="the job, as `backup-tray jobs` names it")


def _add_keys(parser: ArgumentParser) -> None:
    """Declare an option for each key of a job."""
    _add_name(parser)
    for key, (metavar, words) in _TEXTS.items():
        parser.add_argument(f"--{key.replace('_', '-')}", metavar=metavar, help=words)
    for option, (_, metavar, words) in _LISTS.items():
        words = f"{words}; may be given several times"
        parser.add_argument(f"--{option}", metavar=metavar, action="append", help=words)
    for key, words in _COMMANDS.items():
        parser.add_argument(f"--{key.replace('_', '-')}", metavar="COMMAND", help=words)
    parser.add_argument("--check-every", metavar="TIME", help="how often `backup-tray check` is expected: 30d")
    words = "the whole backup command in one argument, instead of sources and repository"
    parser.add_argument("--command", metavar="COMMAND", help=words)


def _add_edit(parser: ArgumentParser) -> None:
    _add_keys(parser)
    words = "take a key of config.toml away, so that its default counts; may be given several times"
    parser.add_argument("--unset", metavar="KEY", action="append", default=[], help=words)


def _values(args: Namespace) -> dict[str, Any]:
    """Return the keys that the user gave, as config.toml has them."""
    values: dict[str, Any] = {key: getattr(args, key) for key in _TEXTS}
    values |= {key: getattr(args, option) for option, (key, _, _) in _LISTS.items()}
    values |= {key: from_here(values[key]) for key in _PATHS if values[key] is not None}
    if args.source is not None:
        values["sources"] = [from_here(source) for source in args.source]
    values |= {key: _argv(key, getattr(args, key)) for key in (*_COMMANDS, "command")}
    values["check"] = None if args.check_every is None else {"every": args.check_every}
    return {key: value for key, value in values.items() if value is not None}


def _argv(key: str, text: str | None) -> list[str] | None:
    if text is None:
        return None
    try:
        return shlex.split(text)
    except ValueError as error:
        option = f"--{key.replace('_', '-')}"
        step = f"Close every quote: `{option} \"tar --create 'my files'\"`."
        raise UsageError(f"{option} cannot be read.", why=f"{error}.", next=step) from error


def _add(args: Namespace) -> int:
    values = _values(args)
    job = editing.add(places(), args.job, values)
    print(f"The job {wording.escape(job.name)} is made.")
    if job.runnable:
        name = wording.escape(shlex.quote(job.name))
        print(f"  to run it now             backup-tray backup {name}")
        if job.watched is None:
            times = "" if job.on else " --on daily"
            print(f"  nothing starts it yet     backup-tray schedule {name}{times}")
    return 0


def _edit(args: Namespace) -> int:
    values = _values(args)
    for key in args.unset:
        if key not in KEYS:
            raise UsageError(
                f"A job has no key {key!r}{nearest(key, KEYS)}".rstrip("?") + ".",
                next=f"Choose from: {', '.join(KEYS)}.",
            )
        values.setdefault(key, None)
    if not values:
        step = f"For example: `backup-tray jobs edit {shlex.quote(args.job)} --every 1d`."
        raise UsageError("Nothing was changed.", why="No key was given.", next=step)
    job = editing.edit(places(), args.job, values)
    _changed(job)
    change.edited(places(), job)
    if any(key in values for key in _ON_SHEET):
        _renew_sheet(job.name)
    return 0


def _renew_sheet(name: str, old: str | None = None) -> None:
    """Write a job's recovery sheet anew, if one is kept on this machine; *old* is the name that the job had before."""
    kept = recovery.kept(places(), old or name)
    if not kept.exists():
        return
    try:
        file = sheet.keep(places(), name)
        if old is not None:
            kept.unlink(missing_ok=True)
    except (BackupTrayError, OSError) as error:
        print(f"Its recovery sheet is old and could not be written anew: {wording.escape(str(error))}", file=sys.stderr)
        return
    print(f"Its recovery sheet is written anew: print it again. It is in {wording.escape(str(file))}")


def _changed(job: Job) -> None:
    print(f"The job {wording.escape(job.name)} is changed.")


def _add_disable(parser: ArgumentParser) -> None:
    _add_name(parser)
    parser.add_argument(
        "--until", metavar="DATE", help="only up to this day, on which it is on again by itself: 2026-12-24"
    )


def _disable(args: Namespace) -> int:
    until = None if args.until is None else editing.coming_day(args.until, args.job)
    editing.disable(places(), args.job, until)
    name, how = wording.escape(args.job), "disabled" if until is None else f"off until {until}"
    print(f"The job {name} is {how}: no schedule runs it, and no backup of it is expected.")
    return 0


def _enable(args: Namespace) -> int:
    editing.disable(places(), args.job, None, on=True)
    print(f"The job {wording.escape(args.job)} is enabled.")
    return 0


def _remove(args: Namespace) -> int:
    editing.remove(places(), args.job)
    print(f"The job {wording.escape(args.job)} is no longer in config.toml. Its runs stay in `backup-tray history`.")
    change.dropped(places(), args.job)
    return 0


def _add_rename(parser: ArgumentParser) -> None:
    _add_name(parser)
    parser.add_argument("new", metavar="NEW", help="its new name")


def _rename(args: Namespace) -> int:
    editing.rename(places(), args.job, args.new)
    old, new = wording.escape(args.job), wording.escape(args.new)
    print(
        f"The job {old} is called {new} now, and so are its runs. Whatever starts it under its old name may go on so."
    )
    change.renamed(places(), args.job, args.new)
    _renew_sheet(args.new, args.job)
    return 0


def _add_merge(parser: ArgumentParser) -> None:
    _add_name(parser)
    parser.add_argument("into", metavar="INTO", help="the job to which its runs shall belong")


def _merge(args: Namespace) -> int:
    editing.merge(places(), args.job, args.into)
    print(f"The runs of {wording.escape(args.job)} belong to the job {wording.escape(args.into)} now.")
    return 0


def _retire(args: Namespace) -> int:
    editing.retire(places(), args.job)
    job = wording.escape(args.job)
    print(f"The job {job} is over: it is not judged until it runs again. Its runs stay on record.")
    if args.job in jobs.load(places()).jobs:
        again = wording.escape(shlex.quote(args.job))
        print(f"It is disabled in config.toml, so no run of it is expected until `backup-tray jobs enable {again}`.")
    change.dropped(places(), args.job)
    return 0


ADD = Command(
    _add_keys,
    _add,
    "backup-tray jobs add home --source ~/Documents --repository /media/stick/backup --password-file ~/secret --every 1d",
    "backup-tray jobs add database --command 'pg_backup --all' --on 'Mon..Fri 20:30'",
    "backup-tray jobs add laptop --every 1w --watched 'crontab of ann' --match 'restic /home to /mnt/backup'",
)
EDIT = Command(
    _add_edit,
    _edit,
    "backup-tray jobs edit home --every 12h --max-age 3d",
    "backup-tray jobs edit nightly --on '15 2 * * *' --zone Europe/Berlin",
    "backup-tray jobs edit home --unset max_age",
)
DISABLE = Command(
    _add_disable, _disable, "backup-tray jobs disable home", "backup-tray jobs disable home --until 2026-12-24"
)
ENABLE = Command(_add_name, _enable, "backup-tray jobs enable home")
REMOVE = Command(_add_name, _remove, "backup-tray jobs remove home")
RENAME = Command(_add_rename, _rename, "backup-tray jobs rename 'restic /home to /mnt/backup' home")
MERGE = Command(_add_merge, _merge, "backup-tray jobs merge 'home (old laptop)' home")
RETIRE = Command(_add_name, _retire, "backup-tray jobs retire 'old laptop'")
