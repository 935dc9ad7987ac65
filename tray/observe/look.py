"""A closer look at one process: is it a run of an engine, of what kind, from where to where.

Engines are asked what they would make of the command line (`Engine.plan`). Of the environment only the variables in `VARIABLES` are
copied; what leaves this module is redacted.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass

from tray import engines
from tray.engines.base import Plan
from tray.engines.recognise import program_name
from tray.observe.proc import Proc
from tray.observe.scope import Scope, user_name
from tray.paths import HOME_VARIABLE
from tray.redact import Redactor

VARIABLES = (
    "RESTIC_REPOSITORY",
    "RESTIC_REPOSITORY_FILE",
    "BORG_REPO",
    "KOPIA_CONFIG_PATH",
    "RCLONE_DRY_RUN",
    HOME_VARIABLE,
)
"""What is read of another process's environment. None of it is a password; an address among them may hold one, and is redacted."""

KINDS = frozenset(("backup", "dry-run", "restore", "check", "prune", "compact"))
NOT_ALONE = frozenset(("tar",))
"""Engines that everything calls (installing a package, building a program): seen as steps of a script, not as runs of their own."""
_SERVES = frozenset(("--server", "--daemon"))  # rsync's other half


@dataclass(frozen=True, slots=True)
class Found:
    """A process that is a run.

    Attributes:
        user: The name of its user if that is not us, else None.
        repository, sources, command: Redacted; local paths are absolute where the working folder is known.
        folder: Its working folder, None if unknown.
        here: Its paths are ours; False in a container.
    """

    pid: int
    start: str
    started_ms: int
    uid: int
    user: str | None
    engine: str
    kind: str
    repository: str | None
    sources: tuple[str, ...]
    command: tuple[str, ...]
    job: str
    folder: str | None
    here: bool = True

    @property
    def process(self) -> str:
        """What names it for good in this boot."""
        return f"{self.pid}@{self.start}"


def examine(proc: Proc, pid: int, scope: Scope) -> Found | None:
    """Return the run that the process *pid* is; None if it is none, or none of ours to look at. Never raises."""
    stat, argv = proc.stat(pid), proc.command(pid)
    if stat is None or stat.gone or not _may_be(argv):
        return None
    uid = proc.uid(pid)
    if uid is None or not scope.user(uid):
        return None
    environ = proc.environ(pid, VARIABLES)
    if not scope.instance(environ):
        return None
    try:
        found = _planned(argv, environ or {})
    except Exception:  # a command line that nobody thought of must not end the tracker
        return None
    if found is None:
        return None
    run = _described(proc, pid, stat.start, argv, scope.uid, uid, *found, environ or {})
    again = proc.stat(pid)
    same = again is not None and again.start == stat.start and proc.command(pid) == argv
    return run if same else None  # else another one took its number, or it became another while we looked


def _may_be(argv: Sequence[str]) -> bool:
    """Whether a built-in engine may stand there: only its name is looked at, and nothing is imported."""
    if not argv or not _SERVES.isdisjoint(argv):
        return False
    inner = engines.unwrap(argv, {})
    name = program_name(argv[inner.at]).lower()
    return any(name.startswith(known.begins) for known in engines.ENGINES)


def _planned(argv: Sequence[str], environ: dict[str, str]) -> tuple[str, Plan] | None:
    engine, at = engines.recognise(argv, environ)
    if engine is engines.COMMAND:
        return None
    plan = engine.plan(argv, at, environ)
    return (engine.name, plan) if plan.kind in KINDS else None


def _described(
    proc: Proc, pid: int, start: str, argv: list[str], me: int, uid: int, name: str, plan: Plan, environ: dict[str, str]
) -> Found:
    folder, hide = proc.folder(pid), Redactor(argv, environ)
    user = None if uid == me else user_name(uid)
    sources = tuple(absolute(hide.text(source), folder) for source in plan.sources)
    repository = None if plan.repository is None else absolute(hide.text(plan.repository), folder)
    job = engines.job_name(name, repository, sources, kind=plan.kind, folder=folder)
    return Found(
        pid=pid,
        start=start,
        started_ms=proc.started_ms(start),
        uid=uid,
        user=user,
        engine=name,
        kind=plan.kind,
        repository=repository,
        sources=sources,
        command=tuple(hide.argv(argv)),
        job=job if user is None else f"{job} ({user})",
        folder=folder,
        here=proc.here(pid),
    )


def absolute(path: str, folder: str | None) -> str:
    """Return a relative local path as seen from *folder*; whatever may be an address, or words of ours, as it is."""
    beginning = path.partition("/")[0]
    if folder is None or os.path.isabs(path) or path in ("", "-", "stdin") or ":" in beginning or path.startswith("~"):
        return path
    if path.startswith(("named in ", "listed in ")):
        return path
    return os.path.normpath(os.path.join(folder, path))
