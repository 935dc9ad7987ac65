"""borgmatic, 1.x and 2.x: its configuration files, and the command lines of borg that it makes of them.

Up to version 1.9 the sources stand in borg's command line, since version 2 in a list that is another file each night. The tracker
reads that list while borg runs, so the runs of both versions have the name that the command line with the sources gives.
"""

import glob
import shlex
from collections.abc import Mapping

from tray.engines.text import words as split_words
from tray.takeover import reading
from tray.takeover.found import Machine
from tray.takeover.tools import Asked, Backup, Forms, Tool, located, option, table, texts

_FORMAT = "{hostname}-{now:%Y-%m-%dT%H:%M:%S.%f}"
_LISTED = "/tmp/borgmatic-aaaaaaaa/borgmatic/tmpaaaaaaaa"  # noqa: S108 - only its form counts, nothing is put there
_ELSEWHERE = "its sources come from another file"
_PATTERN = "one of its sources is a pattern: once it means other folders, the runs get another name"
_OTHERS = split_words(
    """init repo-create rcreate transfer prune compact check delete extract config export-tar mount umount repo-delete restore
    repo-list rlist list repo-info rinfo info break-lock key borg recreate bootstrap rdelete -I -p -k -x -l -i"""
)
_CREATES = frozenset(("create", "-C", "--create"))


def _called(asked: Asked) -> list[Backup]:
    words = list(asked.words)
    if _CREATES.isdisjoint(words) and not _OTHERS.isdisjoint(words):
        return []
    machine = asked.machine
    homes = [asked.environ.get("XDG_CONFIG_HOME") or (f"{asked.home}/.config" if asked.home else "")]
    files = [path for file in _configs(words) for path in _files(asked.path(file))]
    files = files or ([] if _configs(words) else _usual(machine, homes))
    if not files:
        return [Backup("", "", "borg", why="its configuration file was not found")]
    return [backup for path in files for backup in _backups(path, machine)]


def _configs(words: list[str]) -> list[str]:
    """Return the values of `--config`: each takes one or several words."""
    files = []
    for at, word in enumerate(words):
        if word in ("-c", "--config"):
            for value in words[at + 1 :]:
                if value.startswith("-") or value in _CREATES | _OTHERS:
                    break
                files.append(value)
    return files + [value for value in option(words, "--config") if f"--config={value}" in words]


def _usual(machine: Machine, homes: list[str]) -> list[str]:
    """Return the configuration files in the usual places."""
    places = ["/etc/borgmatic/config.yaml", "/etc/borgmatic.d"]
    places += [
        f"{home}/{name}" for home in homes if home for name in ("borgmatic/config.yaml", "borgmatic.d", "borgmatic")
    ]
    paths = [path for place in places for path in _files(located(machine, place))]
    return list(dict.fromkeys(paths))


def _files(path: str) -> list[str]:
    """Return the configuration files at *path*: a file, or all in a folder."""
    inside = [f"{path}/{name}" for name in reading.names(path) if name.endswith((".yaml", ".yml"))]
    if inside:
        return inside
    return [path] if path.endswith((".yaml", ".yml")) and reading.exists(path) else []


def _configured(machine: Machine) -> list[Backup]:
    return [backup for path in _usual(machine, [machine.config]) for backup in _backups(path, machine)]


def _backups(path: str, machine: Machine) -> list[Backup]:
    shown = path.removeprefix(machine.root) if machine.root else path
    label = path.rpartition("/")[2].rpartition(".")[0]
    label = "" if label == "config" else label
    try:
        settings = reading.settings(path)
    except reading.UnreadableError as error:
        return [Backup(label, shown, "borg", why=f"{shown} is not understood: {error}")]
    sectioned = isinstance(settings.get("location"), dict)
    flat = {**settings, **table(settings.get("location")), **table(settings.get("storage"))} if sectioned else settings
    repositories = _repositories(flat.get("repositories"))
    sources = [*texts(flat.get("source_directories") or []), *_roots(flat.get("patterns"))]
    if not repositories:
        return [Backup(label, shown, "borg", why=f"{shown} names no repository")]
    calls = tuple(_forms(flat, repository, sources, machine) for repository in repositories)
    rsh = flat.get("ssh_command")
    environ = {"BORG_RSH": rsh} if isinstance(rsh, str) else {}
    notes = (_PATTERN,) if any(map(glob.has_magic, sources)) else () if sources else (_ELSEWHERE,)
    return [Backup(label, shown, "borg", calls, environ, notes=notes)]


def _repositories(value: object) -> list[str]:
    """Return the repositories: texts up to version 1.7, since then tables with a path."""
    items = value if isinstance(value, list) else []
    paths = [table(item).get("path") if isinstance(item, dict) else item for item in items]
    return [path for path in paths if isinstance(path, str) and path]


def _roots(patterns: object) -> list[str]:
    """Return the sources among patterns, as borg writes them: `R /home`."""
    return [text[1:].strip() for text in texts(patterns or []) if text[:1] in ("R", "r")]


def _paths(source: str, machine: Machine) -> list[str]:
    """Return the paths that a source means, which may be a pattern of the shell's."""
    path = f"{machine.home}{source[1:]}" if source.startswith("~/") else source
    matches = glob.glob(located(machine, path)) if glob.has_magic(path) else []
    return [match.removeprefix(machine.root) for match in matches] or [path]


def _forms(flat: Mapping[str, object], repository: str, sources: list[str], machine: Machine) -> Forms:
    """Return borg's call for one repository; without sources, one whose runs cannot be foretold."""
    given = flat.get("archive_name_format")
    archive = given if isinstance(given, str) and given else _FORMAT
    borg = flat.get("local_path")
    program = [borg if isinstance(borg, str) and borg else "borg", "create"]
    try:
        program += shlex.split(str(table(flat.get("extra_borg_options")).get("create") or ""))
    except ValueError:
        pass
    repository = f"{machine.home}{repository[1:]}" if repository.startswith("~/") else repository
    place = f"{repository}::{archive}"
    paths = sorted({path for source in sources for path in _paths(source, machine)})
    return ((*program, place, *paths) if paths else (*program, "--patterns-from", _LISTED, place),)


TOOL = Tool("borgmatic", ("borgmatic",), _called, _configured)
