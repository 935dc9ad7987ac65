"""Know every engine, and find the one that a command line starts.

README.md beside this file explains how to add an engine, `base` defines the contract.

A backup waits for the import of its own adapter only: `Known.load` imports it when a program's name begins like one of its names.
Where none fits, `added` looks for engines that the user has installed. Nothing else in this room is imported late, but for the hash
of a long job name.
"""

import functools
import os
import sys
from collections.abc import Mapping, Sequence
from enum import IntEnum
from importlib import import_module
from typing import TYPE_CHECKING, cast

from tray.core.dataclass import dataclass
from tray.core.errors import UnknownEngineError
from tray.core.redact import Harmless
from tray.engines.base import Engine as Engine
from tray.engines.command import Command
from tray.engines.job_name import job_name as job_name
from tray.engines.program import unwrap as unwrap
from tray.engines.text import program_name

if TYPE_CHECKING:
    from tray.engines.plugins import Plugins

GROUP = "backup_tray.engines"
"""The group of entry points by which packages announce engines."""
_MAX_BYTES = 100_000


class Notice(IntEnum):
    """When the tracker notices a call that no wrapper of ours has started as a run; a script's calls are its steps anyway."""

    NEVER = 0  # everything calls it: installing a package, building a program
    IF_IT_LASTS = 1  # it does more than backups: calls that are over in a moment are mostly something else
    AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class Known:
    """A built-in engine that is imported when it is needed, with the facts that must be known before.

    Attributes:
        name: Name for users.
        begins: Beginnings of its programs' names, in lower case.
        notice: When the tracker notices a call that others have started.
        quick: Exit codes that few other programs have; its call may be over before the tracker looks, and opens its program once.
        talks: It never fails without words that `command.failure` knows.
        moves: It leaves its folder at once, so that relative paths count from its caller's folder.
        prefix: Beginning of an address that says that a folder follows; a bare path is one too.
        addressed: A bare path is none: it wants an address.
        variables: Variables that the tracker reads of such a process: they say where and how it works, or whether at all.
    """

    name: str
    begins: tuple[str, ...]
    notice: Notice = Notice.NEVER
    quick: tuple[int, ...] = ()
    talks: bool = False
    moves: bool = False
    prefix: str = ""
    addressed: bool = False
    variables: tuple[str, ...] = ()

    def load(self) -> Engine:
        """Return the adapter."""
        return cast(Engine, import_module(f"tray.engines.{self.name.replace('-', '_')}").ENGINE)


ENGINES: tuple[Known, ...] = (
    Known(
        "restic",
        ("restic",),
        Notice.AT_ONCE,
        quick=(2,),
        prefix="local:",
        variables=("RESTIC_REPOSITORY", "RESTIC_REPOSITORY_FILE", "RESTIC_HOST"),
    ),
    Known("borg", ("borg",), Notice.AT_ONCE, prefix="file://", variables=("BORG_REPO", "BORG_RSH")),
    Known("rclone", ("rclone",), Notice.IF_IT_LASTS, quick=(2,), variables=("RCLONE_DRY_RUN", "RCLONE_CONFIG")),
    Known(
        "rsync",
        ("rsync",),
        Notice.IF_IT_LASTS,
        quick=(3, 5, 10, 11, 12, 23),
        talks=True,
        moves=True,
        variables=("RSYNC_RSH",),
    ),
    Known("duplicity", ("duplicity",), Notice.AT_ONCE, prefix="file://", addressed=True),
    Known("kopia", ("kopia",), Notice.AT_ONCE, quick=(2,), variables=("KOPIA_CONFIG_PATH",)),
    Known("rdiff-backup", ("rdiff-backup",), Notice.AT_ONCE),
    Known("dar", ("dar",), Notice.AT_ONCE),
    Known("tar", ("tar", "gtar", "gnutar", "bsdtar"), Notice.NEVER, quick=(2,), talks=True, moves=True),
)
"""Every engine that is built in, besides `command`, which takes any command."""


def known(name: str) -> Known | None:
    """Return the facts about the built-in engine of this name; None if there is none."""
    return next((entry for entry in ENGINES if entry.name == name), None)


def recognise(argv: Sequence[str], environ: Mapping[str, str], engine: str | None = None) -> tuple[Engine, int]:
    """Return the engine that *argv* starts, and the index of its program.

    The engine `command` ("any other command", index 0) is the answer for every unknown program, and where a wrapper hides the end
    of the program.

    Args:
        argv: The whole command, wrappers such as `sudo` or `nice` included.
        environ: The environment that it will get.
        engine: Name of the engine to take, whatever the program is called.

    Raises:
        UnknownEngineError: There is no engine of that name.
    """
    inner = unwrap(argv, environ)
    if engine is not None:
        chosen = find(engine)
        if chosen is None:
            names = () if (plugins := added()) is None else plugins.names()
            raise UnknownEngineError(engine, (*(entry.name for entry in ENGINES), *names, COMMAND.name))
        return chosen, 0 if chosen is COMMAND else inner.at
    if argv and not inner.opaque:
        program = program_name(argv[inner.at])
        if (adapter := _built_in(program)) is not None:
            return adapter, inner.at
        plugin = None if (plugins := added()) is None else plugins.for_program(program)
        if plugin is not None and plugin.plans(argv, inner.at, environ):
            return plugin, inner.at
    return COMMAND, 0


COMMAND = Command(recognise)
"""The engine for any other command."""


def find(name: str) -> Engine | None:
    """Return the engine of this name, None if there is none."""
    if name == COMMAND.name:
        return COMMAND
    if (entry := known(name)) is not None:
        return entry.load()
    return None if (plugins := added()) is None else plugins.named(name)


def named(name: str) -> Engine:
    """Return the engine of a stored run; one that is not known (any more) is read as any other command."""
    return find(name) or COMMAND


def harmless(program: str) -> Harmless | None:
    """Return the harmless part of the command line of the program of this name; None if no adapter names one."""
    engine = _built_in(program) or (None if (plugins := added()) is None else plugins.for_program(program))
    return getattr(engine, "harmless", None)


def begins(argv: Sequence[str]) -> int:
    """Return the index of the program that stands behind `sudo`, `nice` and their like."""
    return unwrap(argv, {}).at


@functools.cache
def added() -> "Plugins | None":
    """Return the engines that installed packages add; None if no package announces one.

    A backup does not wait for `importlib.metadata`, whose import takes 10 ms, unless the entry points of a package name our group.
    """
    folders = tuple(folder for folder in sys.path if folder)
    if not any(map(_announces, folders)):
        return None
    return cast("Plugins", import_module("tray.engines.plugins").Plugins(GROUP, folders))


def problems() -> tuple[str, ...]:
    """Return one sentence for each thing that went wrong with engines that packages add, as far as this process met them."""
    plugins = added() if added.cache_info().currsize else None
    return () if plugins is None else tuple(plugins.problems)


def _built_in(program: str) -> Engine | None:
    lower = program.lower()
    candidates = (entry.load() for entry in ENGINES if lower.startswith(entry.begins))
    return next((engine for engine in candidates if engine.recognises(program)), None)


def _announces(folder: str) -> bool:
    """Whether a package in one folder of the search path names our group among its entry points."""
    try:
        with os.scandir(folder) as items:
            packages = [item.path for item in items if item.name.endswith((".dist-info", ".egg-info"))]
    except OSError:
        return False
    return any(GROUP.encode() in _content(os.path.join(package, "entry_points.txt")) for package in packages)


def _content(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(_MAX_BYTES)
    except OSError:
        return b""
