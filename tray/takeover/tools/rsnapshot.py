"""rsnapshot: its configuration (fields behind tabs), and the command lines of rsync that it makes of it.

Only the first level (`retain alpha 6`) copies anything; the others move snapshots. With `sync_first`, `rsnapshot sync` copies.
"""

import shlex

from tray.takeover import reading
from tray.takeover.found import Machine
from tray.takeover.tools import Asked, Backup, Tool, located, option

_USUAL = "/etc/rsnapshot.conf"


def _called(asked: Asked) -> list[Backup]:
    words = list(asked.words)
    given = option(words, "-c")
    levels = [word for at, word in enumerate(words) if not word.startswith("-") and (at == 0 or words[at - 1] != "-c")]
    path = asked.path(given[-1]) if given else located(asked.machine, _USUAL)
    if not levels:
        return []
    backup, copies = _read(path, asked.machine)
    return [backup] if backup.why or levels[0] == copies else []


def _configured(machine: Machine) -> list[Backup]:
    path = located(machine, _USUAL)
    return [_read(path, machine)[0]] if reading.exists(path) else []


def _read(path: str, machine: Machine) -> tuple[Backup, str]:
    """Return the backup of a configuration, and the level that copies."""
    shown = path.removeprefix(machine.root) if machine.root else path
    try:
        lines = [
            line.split("\t") for line in reading.text(path).split("\n") if line.strip() and not line.startswith("#")
        ]
    except reading.UnreadableError as error:
        return Backup("", shown, "rsync", why=f"{shown} is not understood: {error}"), ""
    rows = [[part.strip() for part in line if part.strip()] for line in lines]
    settings = {row[0]: row[1] for row in rows if len(row) > 1}
    levels = [row[1] for row in rows if row and row[0] in ("retain", "interval") and len(row) > 1]
    root = settings.get("snapshot_root", "").rstrip("/")
    if not root or not levels:
        return Backup("", shown, "rsync", why=f"{shown} names no snapshot_root or no level"), ""
    first = settings.get("sync_first") == "1"
    into = f"{root}/.sync" if first else f"{root}/{levels[0]}.0"
    calls = tuple(
        ((*_program(settings), row[1], f"{into}/{row[2]}"),)
        for row in rows
        if row and row[0] == "backup" and len(row) > 2
    )
    scripts = any(row and row[0] == "backup_script" for row in rows)
    notes = ("its backup scripts are not looked into",) if scripts else ()
    return Backup("", shown, "rsync", calls, notes=notes), "sync" if first else levels[0]


def _program(settings: dict[str, str]) -> list[str]:
    usual = "--delete --numeric-ids --relative --delete-excluded"
    options = f"{settings.get('rsync_short_args', '-a')} {settings.get('rsync_long_args', usual)}"
    try:
        return [settings.get("cmd_rsync", "/usr/bin/rsync"), *shlex.split(options)]
    except ValueError:
        return [settings.get("cmd_rsync", "/usr/bin/rsync"), "-a"]


TOOL = Tool("rsnapshot", ("rsnapshot",), _called, _configured)
