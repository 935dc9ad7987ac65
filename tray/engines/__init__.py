"""The engines we understand, and which of them a command line starts.

README.md beside this file says how an engine is added, `base` what it must offer.

An adapter is imported when the name of a program begins like its own: a backup does not wait for the import of the others. Where
none fits, the installed packages are searched for engines of the user's own, which come by an entry point (see `plugins`).
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from importlib import import_module
from typing import cast

from tray.core.errors import UnknownEngineError
from tray.core.redact import Harmless
from tray.engines.adapter import Adapter
from tray.engines.base import (
    API,
    LOG_FD,
    STOP,
    Engine,
    Event,
    Exit,
    Fed,
    Plan,
    Problem,
    Progress,
    Result,
    Session,
    Stop,
    Stream,
)
from tray.engines.command import Command
from tray.engines.job_name import job_name
from tray.engines.program import Inner, unwrap
from tray.engines.text import program_name

__all__ = [
    "API",
    "COMMAND",
    "ENGINES",
    "LOG_FD",
    "STOP",
    "Engine",
    "Event",
    "Exit",
    "Fed",
    "Inner",
    "Known",
    "Notice",
    "Plan",
    "Problem",
    "Progress",
    "Result",
    "Session",
    "Stop",
    "Stream",
    "begins",
    "find",
    "harmless",
    "job_name",
    "known",
    "named",
    "problems",
    "recognise",
    "unwrap",
]


class Notice(IntEnum):
    """When a call that no wrapper of ours has started is noticed as a run of its own; a script's calls are its steps anyway."""

    NEVER = 0  # everything calls it: installing a package, building a program
    IF_IT_LASTS = 1  # it does more than backups: calls that are over in a moment are mostly something else
    AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class Known:
    """A built-in engine that is imported when it is needed, and what must be known of it before.

    Attributes:
        name: What users call it.
        begins: How the names of its programs begin, in lower case.
        notice: When a call that others have started is noticed.
        quick: It may be over before a look meets it, and each call opens its program once: exit codes that few other programs have.
        talks: It never fails without the words that are known (`command.failure`).
        moves: It leaves its folder at once, so that its caller tells where relative paths count from.
        prefix: How its address of a repository says that a folder follows; a bare path is one too.
        addressed: A bare path is none: it wants an address.
        variables: What is read of the environment of such a process: those that say where and how it works, or whether at all.
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
    Known("tar", ("tar", "gtar", "gnutar", "bsdtar"), Notice.NEVER, quick=(2,), talks=True, moves=True),
)
"""Every engine that is built in, besides `command`, which takes any command."""


def known(name: str) -> Known | None:
    """Return what is known of the built-in engine of this name before it is imported; None if there is none."""
    return next((one for one in ENGINES if one.name == name), None)


def recognise(argv: Sequence[str], environ: Mapping[str, str], engine: str | None = None) -> tuple[Engine, int]:
    """Return the engine that *argv* starts, and the index of its program.

    The engine `command` ("any other command", index 0) is the answer for every program that we do not know, and where a wrapper
    hides the end of the program.

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
            from tray.engines import plugins

            raise UnknownEngineError(engine, (*(one.name for one in ENGINES), *plugins.names(), COMMAND.name))
        return chosen, 0 if chosen is COMMAND else inner.at
    if argv and not inner.opaque:
        program = program_name(argv[inner.at])
        shown = program.lower()
        for one in ENGINES:
            if shown.startswith(one.begins) and (adapter := one.load()).recognises(program):
                return adapter, inner.at
        from tray.engines import plugins  # only here: looking for them costs a millisecond

        if (added := plugins.for_program(program)) is not None and added.plans(argv, inner.at, environ):
            return added, inner.at
    return COMMAND, 0


COMMAND = Command(recognise)
"""The engine for every other command."""


def find(name: str) -> Engine | None:
    """Return the engine of this name, None if there is none."""
    if name == COMMAND.name:
        return COMMAND
    if (one := known(name)) is not None:
        return one.load()
    from tray.engines import plugins

    return plugins.named(name)


def harmless(program: str) -> Harmless | None:
    """Return what is harmless in the command line of the program of this name, by its adapter; None if none says so."""
    shown = program.lower()
    for one in ENGINES:
        if shown.startswith(one.begins) and (adapter := one.load()).recognises(program):
            return cast(Adapter, adapter).harmless
    from tray.engines import plugins

    added = plugins.for_program(program)
    return None if added is None else added.harmless


def begins(argv: Sequence[str]) -> int:
    """Return the index of the program that stands behind `sudo`, `nice` and their like."""
    return unwrap(argv, {}).at


def problems() -> tuple[str, ...]:
    """Return one sentence for each thing that went wrong with engines that the user added, as far as this process met them."""
    plugins = sys.modules.get("tray.engines.plugins")
    return () if plugins is None else tuple(plugins.problems())


def named(name: str) -> Engine:
    """Return the engine of a stored run; one that we do not know (any more) is read as any other command."""
    return find(name) or COMMAND
