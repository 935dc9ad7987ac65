"""duply: its profiles, which are settings in the shell's language, and the command line of duplicity that it makes of them.

A profile is read, never sourced: only plain assignments count.
"""

import shlex

from tray.takeover import reading
from tray.takeover.found import Machine
from tray.takeover.shell import OddError, Shell, commands
from tray.takeover.tools import Asked, Backup, Tool, located

_BACKUPS = frozenset(("backup", "bkp", "full", "incr"))


def _called(asked: Asked) -> list[Backup]:
    words = [word for word in asked.words if not word.startswith("-")]
    if len(words) < 2:
        return []
    chain = words[1].replace("+", "_").replace("-", "_").replace("[", "_").replace("]", "_").split("_")
    if _BACKUPS.isdisjoint(chain):
        return []
    profile = words[0]
    if "/" in profile:
        return [_backup(asked.path(profile), asked.machine)]
    homes = [f"{asked.home}/.duply"] if asked.home else []
    folders = [located(asked.machine, f"{folder}/{profile}") for folder in (*homes, "/etc/duply")]
    there = [folder for folder in folders if reading.exists(f"{folder}/conf")]
    if not there:
        return [Backup(profile, "", "duplicity", why=f"its profile {profile!r} was not found")]
    return [_backup(there[0], asked.machine)]


def _configured(machine: Machine) -> list[Backup]:
    folders = [located(machine, folder) for folder in (f"{machine.home}/.duply", "/etc/duply")]
    there = [f"{folder}/{name}" for folder in folders for name in reading.names(folder)]
    return [_backup(folder, machine) for folder in there if reading.exists(f"{folder}/conf")]


def _backup(folder: str, machine: Machine) -> Backup:
    profile, path = folder.rstrip("/").rpartition("/")[2], f"{folder}/conf"
    shown = path.removeprefix(machine.root) if machine.root else path
    shell = Shell(
        {"HOME": machine.home, "DUPL_PARAMS": ""}, host=machine.host, user=machine.user, now=machine.now_ms / 1000
    )
    try:
        for command in commands(reading.text(path)):
            words = command.words[1:] if command.words[0] == "export" else command.words
            if all(map(shell.assign, words)):
                continue
    except (reading.UnreadableError, OddError) as error:
        return Backup(profile, shown, "duplicity", why=f"{shown} is not understood: {error}")
    known = shell.variables
    source, target = known.get("SOURCE", ""), known.get("TARGET", "")
    if not source or not target:
        return Backup(profile, shown, "duplicity", why=f"{shown} names no source or no target")
    try:
        more = shlex.split(known.get("DUPL_PARAMS", ""))
    except ValueError:
        more = []
    argv = ("duplicity", "--name", f"duply_{profile}", *more, "--exclude-filelist", f"{folder}/exclude", source, target)
    return Backup(profile, shown, "duplicity", ((argv,),))


TOOL = Tool("duply", ("duply",), _called, _configured)
