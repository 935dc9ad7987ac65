"""Find the crontabs of this machine: the user's, the system's, the folders of `run-parts`, and anacron's."""

import os
from collections.abc import Iterator

from tray.core import regex
from tray.takeover import crontab, reading
from tray.takeover.crontab import Dialect, Line
from tray.takeover.found import Machine, Start

_CRON_NAME = regex.compile(r"[A-Za-z0-9_-]+")
"""The names of files that Debian's cron and run-parts take (run-parts(8)); `backup.sh` is none of them."""
_RUN_PARTS = regex.compile(r"\brun-parts\s+(?:--?[\w=-]+\s+)*(/[\w./-]+)")
_NO_TABLE = regex.compile(r"(?i)no crontab for|no such file")
"""The complaint of `crontab -l` where the user has no crontab, in Debian's, cronie's and busybox's words."""
_PATH = "/usr/bin:/bin"
_IN_CRONTAB = "replace the line by this one with `crontab -e`"
_IN_FILE = "replace the line by this one in {}"


def starts(machine: Machine) -> Iterator[Start]:
    """Yield the commands that cron and anacron start here, for this user and for the system."""
    dialect = _dialect(machine)
    for line in _own_lines(machine, dialect):
        yield _start(machine, line, f"crontab of {machine.user}", None, machine.user, _IN_CRONTAB)
    system = Dialect(users=True, zones=dialect.zones, delays=dialect.delays)
    lines = [(path, line) for path in _system_files(machine) for line in _lines_of(path, system, machine)]
    anacrontab = f"{machine.root}/etc/anacrontab"
    anacron = _anacron_lines(machine, anacrontab)
    by_anacron = {folder for line in anacron if (folder := _folder_of_parts(line.command))}
    for path, line in lines:
        shown = _real(machine, path)
        if folder := _folder_of_parts(line.command):
            if folder not in by_anacron:
                yield from _parts(machine, folder, line, shown)
        else:
            yield _start(machine, line, shown, shown, line.user or "root", _IN_FILE.format(shown))
    for line in anacron:
        shown = _real(machine, anacrontab)
        if folder := _folder_of_parts(line.command):
            yield from _parts(machine, folder, line, "anacron")
        else:
            yield _start(machine, line, "anacron", shown, "root", _IN_FILE.format(shown))


def _own_lines(machine: Machine, dialect: Dialect) -> list[Line]:
    """Return the lines of the user's crontab; one that says why where cron does not let the user see it."""
    try:
        return crontab.lines(machine.ask(["crontab", "-l"]) or "", dialect)
    except reading.RefusedError as error:
        said = str(error)
        return [] if not said or _NO_TABLE.search(said) else [crontab.unreadable("the crontab", said.rstrip("."))]


def _dialect(machine: Machine) -> Dialect:
    """Return the rules of the cron that is installed: cronie's program is called crond, Debian's cron."""
    folders = [f"{machine.root}{folder}" for folder in ("/usr/sbin", "/usr/bin", "/sbin")]
    cronie = any(reading.exists(f"{folder}/crond") for folder in folders)
    debian = any(reading.exists(f"{folder}/cron") for folder in folders)
    cronie = cronie and not debian
    return Dialect(zones=cronie, delays=cronie)


def _system_files(machine: Machine) -> list[str]:
    folder = f"{machine.root}/etc/cron.d"
    return [
        f"{machine.root}/etc/crontab",
        *(f"{folder}/{name}" for name in reading.names(folder) if _CRON_NAME.fullmatch(name)),
    ]


def _lines_of(path: str, dialect: Dialect, machine: Machine) -> list[Line]:
    if not reading.exists(path):
        return []
    try:
        return crontab.lines(reading.text(path), dialect)
    except reading.UnreadableError as error:
        return [crontab.unreadable(_real(machine, path), str(error))]


def _anacron_lines(machine: Machine, path: str) -> list[Line]:
    """Return the lines of anacron, none where it is not installed: then nothing reads its table."""
    programs = [f"{machine.root}{folder}/anacron" for folder in ("/usr/sbin", "/usr/bin", "/sbin")]
    if not reading.exists(path) or not any(map(reading.exists, programs)):
        return []
    try:
        return crontab.anacron_lines(reading.text(path))
    except reading.UnreadableError as error:
        return [crontab.unreadable(_real(machine, path), str(error))]


def _folder_of_parts(command: str) -> str | None:
    match = _RUN_PARTS.search(command)
    return None if match is None else match[1].rstrip("/")


def _parts(machine: Machine, folder: str, line: Line, by: str) -> Iterator[Start]:
    """Yield the programs of a folder such as /etc/cron.daily."""
    here = f"{machine.root}{folder}"
    for name in reading.names(here):
        path = f"{here}/{name}"
        if not _CRON_NAME.fullmatch(name) or not os.path.isfile(path):
            continue
        shown = f"{folder}/{name}"
        yield Start(
            source=f"{folder} ({by})" if by == "anacron" else folder,
            file=shown,
            line=None,
            schedule=line.schedule,
            user=line.user or "root",
            home=_home(machine, line.user or "root"),
            argvs=((path,),),
            folder="/",
            variables={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **line.variables},
            how=f"in {shown}, put this before the command of the backup",
            off="" if os.access(path, os.X_OK) else "it is not executable, so it is not started",
            label=name,
        )


def _start(machine: Machine, line: Line, source: str, file: str | None, user: str, how: str) -> Start:
    home = _home(machine, user)
    given = dict(line.variables)
    folder = given.get("HOME") or home
    if line.label:
        folder = "/"
    notes = _notes(machine, given)
    variables = {"PATH": _PATH, "SHELL": "/bin/sh", "LOGNAME": user, **({"HOME": home} if home else {}), **given}
    return Start(
        source=source,
        file=file,
        line=line.number or None,
        schedule=line.schedule,
        user=user,
        home=home,
        text=line.command,
        folder=folder,
        variables=variables,
        before=line.before,
        stdin=line.stdin,
        percent=not line.label,
        how=how,
        why=line.why,
        label=line.label,
        notes=notes,
    )


def _notes(machine: Machine, given: dict[str, str]) -> tuple[str, ...]:
    if "CRON_TZ" in given and not _dialect(machine).zones:
        return (f"the cron of this machine passes over CRON_TZ={given['CRON_TZ']}: the times are the machine's",)
    return ()


def _home(machine: Machine, user: str) -> str | None:
    """Return a user's home folder, from /etc/passwd alone; None if it is not there."""
    if user == machine.user:
        return machine.home
    try:
        rows = reading.text(f"{machine.root}/etc/passwd").split("\n")
    except reading.UnreadableError:
        rows = []
    fields = next((row.split(":") for row in rows if row.startswith(f"{user}:") and row.count(":") == 6), None)
    return fields[5] if fields else "/root" if user == "root" else None


def _real(machine: Machine, path: str) -> str:
    """Return the path as users know it."""
    return path.removeprefix(machine.root) if machine.root else path
