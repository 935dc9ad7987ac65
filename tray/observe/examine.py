"""Examine one process: whether it is a run of an engine, of what kind, from where to where.

Engines are asked what they would make of the command line (`Engine.plan`). Of the environment only the variables in `VARIABLES` are
copied, and everything that leaves this module is redacted.
"""

import os
from collections.abc import Callable, Iterator, Sequence

from tray import engines
from tray.core.dataclass import dataclass
from tray.core.paths import HOME_VARIABLE
from tray.core.redact import Redactor
from tray.engines import Notice
from tray.engines.base import Plan
from tray.engines.job_name import SAID, is_shared
from tray.engines.text import program_name
from tray.observe.proc import COMMAND_BYTES, CUT, STRANGERS_BYTES, WORD_BYTES, Proc
from tray.observe.scope import Scope, user_name

VARIABLES = (*(name for known in engines.ENGINES for name in known.variables), "PWD", HOME_VARIABLE)
"""Variables that are read of another process's environment. An address or a command among them may hold a password: redacted."""

KINDS = frozenset(("backup", "dry-run", "restore", "check", "prune", "compact"))
OTHER = "other"
"""The kind of a call that only looks, or prepares: `restic snapshots`, `borg init`."""
NOT_ALONE = frozenset(known.name for known in engines.ENGINES if known.notice == Notice.NEVER)
"""Engines that are seen as steps of a script, not as runs of their own."""
_MOVES = tuple(begin for known in engines.ENGINES if known.moves for begin in known.begins)
_CALLERS = 3
"""So many ancestors may be the script whose own number is in a name."""
DEEP = 64
"""How far up ancestors are looked for."""
_PROGRAM = "backup-tray"
_FILE = "/tray/__main__.py"
_WRAPS = ("run", "backup")
_SERVES = frozenset(("--server", "--daemon"))  # rsync's other half


@dataclass(frozen=True, slots=True)
class Found:
    """A process that is a run.

    Attributes:
        user: Name of its user if that is not us, else None.
        repository, sources, command: Redacted; local paths are absolute where the working folder is known.
        folder: Its working folder, None if unknown.
        here: Whether its paths are ours; False in a container.
        whole: Whether its whole command line was read, and its environment, which may name the repository.
        shared: Whether another backup may have the same name, since its sources stand in a list that each run has anew.
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
    whole: bool = True
    shared: bool = False

    @property
    def process(self) -> str:
        """Pid and start: its name for good in this boot."""
        return f"{self.pid}@{self.start}"


@dataclass(frozen=True, slots=True)
class Facts:
    """The kernel's facts about a process, read all at once: it may be over before we have understood it.

    Attributes:
        above: Pid and start of its ancestors.
        wrapped: Whether one of them is a wrapper, also of another user's Backup Tray.
    """

    pid: int
    start: str
    argv: list[str]
    uid: int
    environ: dict[str, str] | None
    folder: str | None
    here: bool
    above: tuple[tuple[int, str], ...]
    wrapped: bool


def gather(proc: Proc, pid: int, admit: Callable[[], bool] = lambda: True) -> Facts | None:
    """Return the facts about a process that may be an engine; None if it is none, or gone.

    For a part of an engine (rsync is three processes with the same words) they are those of its first process. *admit* is called
    once the process may be an engine; False ends the look before the dear part of it.
    """
    most = COMMAND_BYTES if proc.uid(pid) == _ourselves() else STRANGERS_BYTES
    argv = proc.command(pid, most)
    if not _may_be(argv) or not admit():
        return None
    pid, above = _beginning(proc, pid, argv, most)
    if not pid:
        return None
    stat, uid = proc.stat(pid), proc.uid(pid)  # first what only the living process tells
    if stat is None or stat.gone or uid is None:
        return None
    environ, ours = proc.environ(pid, VARIABLES), uid == _ourselves()
    if ours and uid == 0 and proc.set_uid(pid):
        return None  # root's program with another user's words
    folder = _folder(proc, pid, argv, environ or {}, above)
    wrapped = any(wraps(proc.command(ancestor, WORD_BYTES)) for ancestor, _ in above)
    facts = Facts(pid, stat.start, argv, uid, environ, folder, not ours or proc.here(pid), above, wrapped)
    again = proc.stat(pid)
    if again is None or again.gone or again.start != stat.start or proc.command(pid, most) != argv:
        return None  # it ended, another one took its number, or it became another while we looked
    return facts


def _beginning(proc: Proc, pid: int, argv: Sequence[str], most: int) -> tuple[int, tuple[tuple[int, str], ...]]:
    """Return the first of a chain of processes of one user with the same words, and its ancestors.

    Only as many levels are looked at as `ancestors` yields, since any user can make a chain of a thousand. A process deeper in
    such a chain begins nothing: its pid is 0.
    """
    above, uid = tuple(ancestors(proc, pid)), proc.uid(pid)
    level = 0
    while level < len(above) and proc.uid(above[level][0]) == uid and proc.command(above[level][0], most) == argv:
        level += 1
    if level >= DEEP:
        return 0, ()
    return (pid, above) if not level else (above[level - 1][0], above[level:])


def ancestors(proc: Proc, pid: int) -> Iterator[tuple[int, str]]:
    """Yield pid and start of the parent of *pid*, of its parent, and so on."""
    stat = proc.stat(pid)
    for _ in range(DEEP):
        if stat is None or stat.parent < 1:
            return
        parent, stat = stat.parent, proc.stat(stat.parent)
        if stat is not None:
            yield parent, stat.start


def wraps(argv: Sequence[str]) -> bool:
    """Return whether this command line is a wrapper, of any user: `backup-tray run …`, `python3 -m tray backup …`."""
    for place, word in enumerate(argv[:-1]):
        as_module = word == "tray" and place > 0 and argv[place - 1] == "-m"
        if program_name(word) == _PROGRAM or as_module or word.endswith(_FILE):
            return argv[place + 1] in _WRAPS
    return False


def _ourselves() -> int:
    return os.geteuid() if hasattr(os, "geteuid") else -1


def _folder(
    proc: Proc, pid: int, argv: Sequence[str], environ: dict[str, str], above: Sequence[tuple[int, str]]
) -> str | None:
    """Return the folder that relative paths count from: the caller's, if the engine changes its own folder at its start."""
    if not program_name(argv[0]).startswith(_MOVES):
        return proc.folder(pid)
    caller = proc.folder(above[0][0]) if above else None
    return caller if caller is not None and environ.get("PWD", caller) == caller else None


def examine(proc: Proc, facts: Facts, scope: Scope, kinds: frozenset[str] = KINDS) -> Found | None:
    """Return the run that a process is; None if it is none of *kinds*, or out of scope. Never raises."""
    if not scope.user(facts.uid) or not scope.instance(facts.environ):
        return None
    try:
        planned = _planned(proc, facts, kinds)
    except Exception:  # an odd command line must not end the tracker
        return None
    return None if planned is None else _described(proc, facts, scope, *planned)


def _may_be(argv: Sequence[str]) -> bool:
    """Return whether the command line may be a built-in engine's, by its name alone, without an import."""
    if not argv or not _SERVES.isdisjoint(argv):
        return False
    inner = engines.unwrap(argv, {})
    name = program_name(argv[inner.at]).lower()
    return any(name.startswith(known.begins) for known in engines.ENGINES)


def _planned(proc: Proc, facts: Facts, kinds: frozenset[str]) -> tuple[str, Plan, bool] | None:
    """Return the engine's name, its plan, and whether another backup may have the same name."""
    environ = facts.environ or {}
    engine, at = engines.recognise(facts.argv, environ)
    if engine is engines.COMMAND:
        return None
    plan = engine.plan(facts.argv, at, environ)
    if plan.kind not in kinds:
        return None
    ours = facts.uid == _ourselves()
    plan = engine.listed(plan, lambda path: proc.text(facts.pid, path) if ours else None)
    return engine.name, plan, ours and is_shared(plan)


def _described(proc: Proc, facts: Facts, scope: Scope, name: str, plan: Plan, shared: bool) -> Found:
    folder, hide = facts.folder, Redactor(facts.argv, facts.environ or {})
    user = None if facts.uid == scope.uid else user_name(facts.uid)
    sources = tuple(absolute(hide.text(source), folder) for source in plan.sources)
    repository = None if plan.repository is None else absolute(hide.text(plan.repository), folder)
    if user is None:
        apart, pids = tuple(map(hide.text, plan.apart)), (facts.pid, *(pid for pid, _ in facts.above[:_CALLERS]))
        job = engines.job_name(name, repository, sources, kind=plan.kind, folder=folder, apart=apart, pids=pids)
    else:  # one job for each engine and user: that user could make up any number of words
        job = name if plan.kind == "backup" else f"{name} {plan.kind}"
    # The same words may mean other folders: a container's success must not stand for a failure of ours.
    labels = [word for word in (user, None if facts.here else "container") if word is not None]
    return Found(
        pid=facts.pid,
        start=facts.start,
        started_ms=proc.started_ms(facts.start),
        uid=facts.uid,
        user=user,
        engine=name,
        kind=plan.kind,
        repository=repository,
        sources=sources,
        command=tuple(hide.argv(facts.argv)),
        job=f"{job} ({', '.join(labels)})" if labels else job,
        folder=folder,
        here=facts.here,
        shared=shared,
        whole=facts.environ is not None and not any(word.endswith(CUT) for word in facts.argv),
    )


def absolute(path: str, folder: str | None) -> str:
    """Return a relative local path as seen from *folder*; an address, or words of ours, unchanged."""
    beginning = path.partition("/")[0]
    if folder is None or os.path.isabs(path) or path in ("", "-", "stdin") or ":" in beginning or path.startswith("~"):
        return path
    if path.startswith(("named in ", "listed in ", *SAID)):
        return path
    return os.path.normpath(os.path.join(folder, path))
