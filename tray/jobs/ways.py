"""Find the way into the repository of a configured job: engine, address and password, for commands that only read."""

from collections.abc import Mapping

from tray import engines
from tray.config.jobs import Job
from tray.core.dataclass import dataclass, replace
from tray.core.errors import CheckImpossibleError
from tray.engines import proving
from tray.engines.base import Engine
from tray.engines.proving import Prover, Way
from tray.jobs import configured

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


_BY_HAND = "Restore a file by hand now and then, under watch: `backup-tray run --job NAME -- COMMAND...`."


@dataclass(frozen=True, slots=True)
class Access:
    """An engine and the way into a job's repository; `environ` is the whole environment for the engine."""

    engine: Engine
    prover: Prover
    way: Way
    environ: Mapping[str, str]


def access(job: Job, environ: Mapping[str, str]) -> Access:
    """Return the way into the repository of *job*: that of its backup command, or its own `repository` beside one.

    Raises:
        CheckImpossibleError: Its engine cannot be asked to restore, or it is not known which repository it uses.
        ConfigError: The job makes no command line, or its environment file cannot be read.
    """
    if not job.runnable:
        raise _refused(job, "")
    known = _of_command(job, environ)
    if job.command and job.repository is not None:
        sources = known.way.sources or job.sources
        named = replace(job, command=(), engine=known.engine.name, sources=sources or ("/",), options=())
        other = _of_command(named, environ)
        known = replace(other, way=replace(other.way, sources=sources, options=known.way.options))
    if known.way.address is None:
        raise CheckImpossibleError(
            job.name,
            "Neither its command nor its `repository` says which repository it uses.",
            f'Add the repository to the job in config.toml: `repository = "…"` in [jobs.{job.name}].',
        )
    return known


def _of_command(job: Job, environ: Mapping[str, str]) -> Access:
    """Return the way of the job's backup command."""
    argv, engine = configured.command(job), job.engine if job.command else None
    named = engines.recognise(argv, environ, engine)[0]
    if named is not engines.COMMAND and proving.prover(named.name) is None:
        raise _refused(job, named.name)  # before a command is asked for its password
    environ = configured.environment(job, environ)
    adapter, at = engines.recognise(argv, environ, engine)
    inner, prover = engines.unwrap(argv, environ), proving.prover(adapter.name)
    if prover is None:
        raise _refused(job, adapter.name)
    if not inner.visible or not set(inner.before) <= _HARMLESS:
        raise CheckImpossibleError(
            job.name,
            "Its command starts the engine as another user or elsewhere, so its restored files could not be read here.",
            "Check it there: as root, `sudo backup-tray check` with a job of root's config.toml.",
        )
    try:
        way = prover.way(argv, at, environ)
    except ValueError as error:
        raise CheckImpossibleError(
            job.name, f"It cannot be proven that it can be restored: {error}.", _BY_HAND
        ) from error
    return Access(adapter, prover, way, _environ(adapter, way, environ))


def _refused(job: Job, engine: str) -> CheckImpossibleError:
    known = ", ".join(proving.PROVERS)
    if engine and engine != engines.COMMAND.name:
        return CheckImpossibleError(
            job.name,
            f"Backup Tray can restore and compare files of {known}, not of {engine}.",
            _BY_HAND,
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
