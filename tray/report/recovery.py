"""Make the recovery sheet of a job: a page to print that leads from an empty machine to the restored files.

It holds the password only if the user asks for that. Nothing of it is on record: it says nothing about the past.
"""

import os
import re
import shlex
import shutil
import socket
import subprocess
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from tray import __version__, engines
from tray.config.jobs import DEFAULT_ENGINE, Job
from tray.core import clock
from tray.core.dataclass import dataclass
from tray.core.errors import ConfigError, RecoverySheetError
from tray.core.paths import Places, expand
from tray.core.redact import HIDDEN, Redactor
from tray.engines import recovery
from tray.engines.base import Engine
from tray.jobs import configured, passwords
from tray.report import facts
from tray.wording import both_times, escape

_ANSWER_SECONDS = 10
_PRIVATE = "It opens the whole backup: let no other person read this sheet, and keep it in a safe."


@dataclass(frozen=True, slots=True)
class _Backup:
    """The backup of a job, as its configuration tells it; an unknown version or repository is ""."""

    job: Job
    engine: Engine
    repository: str
    sources: tuple[str, ...]
    version: str

    @property
    def shown(self) -> str:
        """The repository's address without its password."""
        return Redactor((), {}).text(self.repository)


def sheet(places: Places, name: str, *, with_password: bool = False) -> facts.Sheet:
    """Return the recovery sheet of the job *name*.

    Raises:
        JobNotFoundError: There is no such job in config.toml.
        ConfigError: The configuration file is broken, or the job is.
        RecoverySheetError: The password is to be on it, and cannot be read.
    """
    backup = _backup(configured.find(places, name))
    steps = (
        recovery.steps(backup.engine.name, backup.shown, backup.sources, backup.version) if backup.repository else []
    )
    steps[1:1] = _login(backup, with_password=with_password) if steps else []
    title = "Restore on another machine"
    return facts.Sheet(
        kind="Recovery sheet",
        title=f"Recovery sheet: {escape(name)}",
        headline=f"Recovery sheet of the backup {escape(name)}",
        tone="none",
        sign="!",
        word="Keep it away from this machine",
        under=[f"Made {both_times(clock.now_ms())} on the machine {escape(socket.gethostname())}. Print it."],
        blocks=[
            facts.Facts("The backup", list(_rows(backup))),
            facts.Facts("The password", list(_password(backup, with_password=with_password))),
            *(facts.Note(text) for text in _warnings(backup)),
            facts.Steps(title, [(escape(words), escape(command)) for words, command in steps or _by_hand(backup)]),
        ],
        rests=None,
        closing=f"Backup Tray {__version__}. Make it again after each change: backup-tray jobs sheet {escape(shlex.quote(name))}",
    )


def kept(places: Places, name: str) -> Path:
    """Return the file in which the recovery sheet of the job *name* is kept on this machine; nothing is made."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-")[:60]
    mark = "" if plain == name else f"-{zlib.crc32(name.encode('utf-8', 'surrogateescape')):08x}"
    return places.config / "recovery" / f"{plain or 'job'}{mark}.pdf"


def _backup(job: Job) -> _Backup:
    if not job.command:
        adapter = engines.named(job.engine or DEFAULT_ENGINE)
        sources = tuple(os.path.abspath(expand(source)) for source in job.sources)
        return _Backup(job, adapter, expand(job.repository or ""), sources, _version(adapter, adapter.name))
    environ = {**os.environ, **configured.variables(job)}
    adapter, at = engines.recognise(job.command, environ, job.engine)
    plan = adapter.plan(job.command, at, environ)
    version = "" if adapter is engines.COMMAND else _version(adapter, job.command[at])
    repository = expand(job.repository or plan.repository or "")
    sources = (
        () if adapter is engines.COMMAND else tuple(map(os.path.abspath, map(expand, job.sources or plan.sources)))
    )
    return _Backup(job, adapter, repository, sources, version)


def _version(engine: Engine, program: str) -> str:
    """Return the version of the installed engine, "" if it does not say one."""
    path = shutil.which(program)
    if path is None:
        return ""
    words = (
        ("version", "--version") if engine.version_word else ("--version", "version")
    )  # an older restic has only the word
    for word in words:
        try:
            done = subprocess.run(
                [path, word], stdin=subprocess.DEVNULL, capture_output=True, timeout=_ANSWER_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            continue
        if done.returncode == 0:
            parts = done.stdout.decode("utf-8", "replace").split("\n")[0].split()
            return next((part.lstrip("v").rstrip(",") for part in parts if part.lstrip("v")[:1].isdecimal()), "")
    return ""


def _rows(backup: _Backup) -> Iterator[tuple[str, str]]:
    """Yield the facts of the backup."""
    yield "Sources", escape(", ".join(backup.sources)) or "as its command says"
    yield "Place", escape(backup.shown) or "as its command says"
    known = backup.engine is not engines.COMMAND
    yield "Engine", f"{backup.engine.name} {backup.version}".strip() if known else "a command of yours"
    if backup.job.command:
        yield "Command", escape(_shown(backup.job.command))
    if backup.job.environment_file is not None:
        names = ", ".join(sorted(configured.variables(backup.job))) or "none"
        yield (
            "Variables",
            escape(f"{names}: their values are in {expand(backup.job.environment_file)}; keep a copy of it"),
        )


def _login(backup: _Backup, *, with_password: bool) -> list[recovery.Step]:
    """Return the steps that set the variables of the job's login, with their values if the user asks for that."""
    variables = configured.variables(backup.job)
    if with_password:
        return [(f"Set {name}.", f"export {name}={shlex.quote(value)}") for name, value in variables.items()]
    words = "Set {0}: type its value after this command, in the same terminal as all that follow."
    return [(words.format(name), f"read -r {name} && export {name}") for name in variables]


def _shown(command: Sequence[str]) -> str:
    """Return a command line without the passwords in it."""
    return shlex.join(Redactor(command, {}).argv(command))


def _password(backup: _Backup, *, with_password: bool) -> Iterator[tuple[str, str]]:
    """Yield where the password is kept, and the password itself if the user asks for it."""
    job = backup.job
    if job.password_file is not None:
        kept = f"on this machine in the file {expand(job.password_file)}"
    elif job.password_command:
        kept = f"on this machine; this command prints it: {_shown(job.password_command)}"
    else:
        kept = "not by Backup Tray; the engine asks for it, or finds it by itself"
    yield "Kept", escape(kept)
    if with_password:
        yield "Password", escape(_secret(job))
        yield "Beware", _PRIVATE
    else:
        yield (
            "Also kept",
            "________________________________ (write down the second place: a password manager, or a safe)",
        )


def _secret(job: Job) -> str:
    """Return the password of *job*."""
    try:
        password = passwords.read(job)
    except ConfigError as error:
        raise RecoverySheetError(job.name, error.why) from error
    if password is None:
        raise RecoverySheetError(
            job.name, "It is not in a file, and no command prints it, so Backup Tray does not know it."
        )
    return password


def _warnings(backup: _Backup) -> Iterator[str]:
    """Yield the warnings: the loss of the password, and where the commands need a change."""
    if backup.job.password_file or backup.job.password_command:
        yield (
            "Without the password every file of this backup is lost: it cannot be read, not even by its owner, and the "
            "password cannot be reset. If this machine is lost, the password that it keeps is lost with it."
        )
    elif backup.engine.password_variables:
        yield "If the backup is encrypted, every file of it is lost without its password, which cannot be reset."
    if HIDDEN in backup.shown:
        yield f"The address holds a password of its own. It stands as {HIDDEN} here: fill it in."
    if any(HIDDEN in _shown(command) for command in (backup.job.command, backup.job.password_command)):
        yield f"A command above holds a password of its own. It stands as {HIDDEN} here: keep it in a second place too."
    if os.path.isabs(backup.repository):
        yield (
            "The place is a folder. On another machine its path may differ: connect the disk, and write the new path into "
            "the commands."
        )


def _by_hand(backup: _Backup) -> list[recovery.Step]:
    """Return the steps of a backup whose commands are not known here."""
    name = (
        "this command" if backup.engine is engines.COMMAND else " ".join((backup.engine.name, backup.version)).strip()
    )
    return [
        (f"Backup Tray does not know how a backup of {name} is restored. Write the command down here, and try it:", ""),
        ("________________________________________________________________", ""),
    ]
