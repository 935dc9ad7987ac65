"""Find the way into the repository of a configured job: engine, address and password, for commands that only read."""

import shlex
from collections.abc import Mapping
from pathlib import Path

from tray import engines
from tray.config.jobs import Job
from tray.core import files
from tray.core.dataclass import dataclass, replace
from tray.core.errors import CheckImpossibleError, ConfigError
from tray.core.paths import expand
from tray.engines import proving
from tray.engines.base import Engine
from tray.engines.proving import Prover, Way

_MOST_BYTES = 1 << 20
_HARMLESS = {
    "env",
    "nice",
    "ionice",
    "chrt",
    "timeout",
    "nohup",
    "setsid",
    "stdbuf",
    "time",
    "systemd-inhibit",
    "caffeinate",
}
"""Programs before an engine that leave it on this machine, as this user; a check goes without them."""


@dataclass(frozen=True, slots=True)
class Access:
    """An engine and the way into a job's repository.

    Attributes:
        environ: The whole environment for the engine.
        host: Variables of the job itself: those of its environment file.
    """

    engine: Engine
    prover: Prover
    way: Way
    environ: Mapping[str, str]


def access(job: Job, environ: Mapping[str, str]) -> Access:
    """Return the way into the repository of *job*.

    Raises:
        CheckImpossibleError: Its engine cannot be asked to restore, or it is not known which repository it uses.
        ConfigError: Its environment file cannot be read.
    """
    environ = {**environ, **variables(job)}
    adapter, at = _engine(job, environ)
    prover = proving.prover(adapter.name)
    if prover is None:
        raise _refused(job, adapter.name)
    way = Way(adapter.name) if at is None else prover.way(job.command, at, environ)
    if job.repository:
        way = replace(way, address=expand(job.repository), sources=job.sources or way.sources)
    if job.repository or job.password_file or job.password_command:
        place = None if job.password_file is None else expand(job.password_file)
        way = replace(way, environ={**way.environ, **prover.environ(way.address, place, job.password_command)})
    if way.address is None:
        raise CheckImpossibleError(
            job.name,
            "Neither its command nor its `repository` says which repository it uses.",
            f'Add the repository to the job in config.toml: `repository = "…"` in [jobs.{job.name}].',
        )
    way = replace(way, sources=tuple(map(expand, way.sources)))
    return Access(adapter, prover, way, _environ(adapter, way, environ))


def _engine(job: Job, environ: Mapping[str, str]) -> tuple[Engine, int | None]:
    """Return the engine, and its index in the job's command; None without one."""
    if not job.command:
        return engines.named(job.engine or ""), None
    adapter, at = engines.recognise(job.command, environ, job.engine)
    inner = engines.unwrap(job.command, environ)
    if adapter is engines.COMMAND and job.engine is None and job.repository is None:
        raise _refused(job, "")
    if not inner.visible or not set(inner.before) <= _HARMLESS:
        raise CheckImpossibleError(
            job.name,
            "Its command starts the engine as another user or elsewhere, so its restored files could not be read here.",
            "Check it there: as root, `sudo backup-tray check` with a job of root's config.toml.",
        )
    return adapter, at


def _refused(job: Job, engine: str) -> CheckImpossibleError:
    known = " and ".join(proving.PROVERS)
    if engine and engine != engines.COMMAND.name:
        return CheckImpossibleError(
            job.name,
            f"Backup Tray can restore and compare files of {known}, not of {engine}.",
            f"Restore a file by hand now and then, under watch: `backup-tray run --job {shlex.quote(job.name)} -- COMMAND...`.",
        )
    return CheckImpossibleError(
        job.name,
        "Its command is a script or another program, so the engine and the repository are not known.",
        f"Make a job for the repository alone, with `engine`, `sources` and `repository` in config.toml ({known}).",
    )


def _environ(adapter: Engine, way: Way, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the engine's environment; variables that would contradict the way's own are left out."""
    without: set[str] = set()
    for group in (adapter.address_variables, adapter.password_variables):
        if any(name in way.environ for name in group):
            without.update(group)
    kept = {name: value for name, value in environ.items() if name not in without}
    return {**kept, **way.environ, "LC_ALL": "C.UTF-8", "TZ": "UTC", "BORG_DISPLAY_PASSPHRASE": "no"}


def variables(job: Job) -> dict[str, str]:
    """Return the variables of the job's environment file: lines `NAME=VALUE`, as systemd and a shell read them.

    Raises:
        ConfigError: The file cannot be read.
    """
    if job.environment_file is None:
        return {}
    path = Path(expand(job.environment_file))
    try:
        text = files.content(path, _MOST_BYTES).decode("utf-8", "surrogateescape")
    except OSError as error:
        why = f"The environment file of the job {job.name!r} cannot be read: {error.strerror or error}."
        raise ConfigError(path, why, next=f"Look at it: `ls -l {shlex.quote(str(path))}`.") from error
    known: dict[str, str] = {}
    for line in text.splitlines():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if equals and name.strip().isidentifier():
            known[name.strip()] = _value(value.strip())
    return known


def _value(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text
