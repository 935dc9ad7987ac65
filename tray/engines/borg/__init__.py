"""borg, 1.2 and 1.4; borg 2's way to name the repository is understood too.

A `create` gets `--log-json` and `--progress`, so that its progress and its messages are known, and `--json` for the figures of the
archive; what we asked for in JSON the caller sees as the plain text that borg prints without. Nothing is added

- with the user's own `--progress` (and no `--log-json`): each version draws it in its own way, on a terminal and elsewhere. It is
  left alone; on a terminal borg then has the terminal to itself,
- with `--stats`, whose table borg does not print together with JSON: then no `--json`; the figures are read from the table,
- in a dry run, which has neither progress nor figures,
- with BORG_LOGGING_CONF, where the user says what messages look like,
- when the output does not come to us (`chronic`, `systemd-cat`), or nobody here can see the end (`systemd-run` without `--wait`),
- to any other subcommand: those are known by their exit code and their words.

BORG_EXIT_CODES is never set: it changes the code that the caller sees. borg knows no totals while it works. The sizes of the table
of `--stats` are rounded to two decimals by borg, and recorded so. borg 1.0 has no JSON: it wants `backup-tray run --no-watch`.
"""

import re
import shlex
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tray.engines.base import API, STOP, Plan, Session, Stop
from tray.engines.borg import options as borg_options
from tray.engines.borg.options import Options
from tray.engines.borg.session import CreateSession, OtherSession
from tray.engines.recognise import program_name, unwrap
from tray.redact import Redactor

_NAME = re.compile(
    r"borg(?:backup)?(?:\d[\w.+-]*|[-_.]v?\d[\w.+-]*|-(?:linux|macos|freebsd|windows)[\w.+-]*)?(?:\.exe)?",
    re.IGNORECASE,
)
_KINDS = {"create": "backup", "extract": "restore", "check": "check", "prune": "prune", "compact": "compact"}
_REHEARSED = {"create": "dry-run", "prune": "other", "compact": "other"}
_LISTS = ("paths-from-stdin", "paths-from-command", "paths-from-shell-command")


@dataclass(frozen=True, slots=True)
class BorgPlan(Plan):
    """A plan that remembers what was added, which its command alone would not tell from the user's own words."""

    added: tuple[str, ...] = ()


class Borg:
    """The engine for borg."""

    api = API
    name = "borg"
    stop: Stop = ((signal.SIGINT, 60.0), (signal.SIGTERM, 20.0), STOP[-1])
    """An interrupt makes it write a checkpoint, which on a slow line takes a while; then it clears up and leaves."""

    def recognises(self, program: str) -> bool:
        """Take `borg`, `borg1`, `borg-1.4.0`, `borg-linux-glibc236`, `borg.exe`; not `borgmatic`, `borgfs` or `borg-restore`."""
        return _NAME.fullmatch(program) is not None

    def plan(self, argv: Sequence[str], at: int, environ: Mapping[str, str]) -> Plan:
        """Plan the run; see the module for what is added and when."""
        inner, options = unwrap(argv, environ), borg_options.read(argv, _program(argv, at))
        kind = _kind(options)
        read = kind == "backup" and not inner.opaque and not inner.hidden and "BORG_LOGGING_CONF" not in inner.environ
        draws = options.on("progress") and not options.on("log-json")
        visible = read and not draws
        added = _missing(options) if visible else ()
        hide = Redactor(argv, environ).text
        repository, paths = borg_options.place(options, inner.environ)
        return BorgPlan(
            argv=_with(argv, options, added),
            kind=kind,
            env={},
            repository=None if repository is None else hide(repository),
            sources=tuple(map(hide, _sources(options, paths))) if kind in ("backup", "dry-run") else (),
            spool_stdout=visible,
            ours=bool(added),
            returns=read,  # an unfinished line is then part of a message, or of the user's own progress, and no prompt
            added=added,
        )

    def session(self, plan: Plan) -> Session:
        """Begin to understand one run; everything that it needs to know is in *plan*, also in one that was stored."""
        inner = unwrap(plan.argv, {})
        options = borg_options.read(plan.argv, _program(plan.argv, inner.at))
        unlock = self.unlock(plan)
        if plan.kind == "backup":
            added = (plan.added if isinstance(plan, BorgPlan) else _missing(options)) if plan.ours else ()
            return CreateSession(plan, options, inner, added, unlock)
        _, paths = borg_options.place(options, {} if plan.repository is None else {"BORG_REPO": plan.repository})
        return OtherSession(plan, options, inner, len(paths), unlock)

    def unlock(self, plan: Plan) -> str:
        """Return `borg break-lock`, which removes every lock: for when no other borg works on the repository."""
        at = _program(plan.argv, unwrap(plan.argv, {}).at)
        program = shlex.quote(program_name(plan.argv[at])) if plan.argv else "borg"
        program = program if _NAME.fullmatch(program) else "borg"
        if plan.repository is None:
            return f"{program} break-lock"
        repository = shlex.quote(plan.repository)
        by_option = borg_options.read(plan.argv, at).on("repo")  # borg 2
        return f"{program} -r {repository} break-lock" if by_option else f"{program} break-lock {repository}"


def _program(argv: Sequence[str], at: int) -> int:
    """Return where borg stands: at *at*, unless the engine was forced and a wrapper that we do not know stands there."""
    if not argv or _NAME.fullmatch(program_name(argv[at])):
        return at
    named = (i for i in range(at + 1, len(argv)) if _NAME.fullmatch(program_name(argv[i])))
    return next((i for i in named if borg_options.read(argv, i).at is not None), at)


def _kind(options: Options) -> str:
    if options.on("help", "version"):
        return "other"
    if options.on("dry-run") and options.subcommand in _REHEARSED:
        return _REHEARSED[options.subcommand]
    return _KINDS.get(options.subcommand, "other")


def _missing(options: Options) -> tuple[str, ...]:
    """Return the flags that a visible `create` lacks."""
    figures = options.on("json", "stats", "quick-stats")
    wanted = [] if figures else ["--json"]
    return (*wanted, *(f"--{name}" for name in ("log-json", "progress") if not options.on(name)))


def _with(argv: Sequence[str], options: Options, added: Sequence[str]) -> tuple[str, ...]:
    place = (options.at or 0) + 1
    return (*argv[:place], *added, *argv[place:])


def _sources(options: Options, paths: Sequence[str]) -> Sequence[str]:
    """Return what is backed up, as given."""
    if options.on("content-from-command"):
        return [" ".join(paths)]
    if options.on(*_LISTS):
        return [" ".join(("listed by", *paths)) if paths else "listed in stdin"]
    return ["stdin" if path == "-" else path for path in paths]


ENGINE = Borg()
