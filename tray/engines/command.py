"""Any other command: watched from its start to its exit code, its output untouched.

Its stdout stays the caller's (`pg_dump > file`). Its stderr is kept as text for the log and relayed as the same bytes. The exit
code is all that is known of it, so 0 is a success, and everything else a failure unless a signal was asked for.
"""

import signal
from collections.abc import Container, Mapping, Sequence

from tray.core.model import BACKUP, Outcome
from tray.core.redact import Redactor
from tray.engines.base import API, STOP, Exit, Fed, Plan, Result, Stream, Traits
from tray.engines.recognise import RUNNERS, Inner, program_name, unwrap
from tray.engines.text import plain
from tray.engines.told import depends, masked, variables, written

_KNOWN_CODES = {
    124: "`timeout` returns this when the time is up",
    125: "the program that starts another one (timeout, env, docker …) failed itself",
    126: "it was found but could not be started; check that it may be executed",
    127: "it was not found; check its name and the PATH",
}

_ASKED = 2
_TELLS = frozenset(("--version", "-V", "version", "--help", "-h", "help", "-?", "--usage"))

_MAY_FAIL = (b"tar: ", b"gtar: ", b"bsdtar: ", b"rsync error: ", b"pg_", b"mysql", b"mariadb", b"/")


class Command(Traits):
    """The engine for every command that we know nothing about: it has no trait."""

    api = API
    name = "command"
    stop = STOP

    def recognises(self, program: str) -> bool:  # noqa: ARG002 - every program will do
        """Take any program."""
        return True

    def plan(self, argv: Sequence[str], at: int, environ: Mapping[str, str]) -> Plan:  # noqa: ARG002 - it stands anywhere
        """Start *argv* as it is. `sources` is the redacted command itself, so that different commands are different jobs."""
        shown = Redactor(argv, environ).argv(list(argv))
        inner = unwrap(argv, environ)
        apart = unwrap(shown, {}).sets
        given = variables(program_name(argv[inner.at]), inner.environ, apart) if argv else []
        apart = (*apart, *map(masked, given))
        if depends(argv[inner.at :]) and not any(one.startswith("folder=") for one in apart):
            apart = (*apart, "folder=.")
        text = written(shown[inner.at :])
        return Plan(
            argv=tuple(argv), kind=_kind(argv[inner.at :]), env={}, sources=(text,) if text else (), apart=apart
        )

    def session(self, plan: Plan) -> "CodeSession":
        """Begin to watch one run."""
        inner = unwrap(plan.argv, {})
        return CodeSession(program_name(plan.argv[inner.at]) if plan.argv else "the command", inner)

    def unlock(self, plan: Plan) -> str | None:  # noqa: ARG002 - nobody knows
        """Nobody knows whether it locks anything."""
        return None


def _kind(words: Sequence[str]) -> str:
    """Return what a command does: a backup, unless it only tells of itself, or hands on words that are certainly none."""
    if len(words) == _ASKED and words[1] in _TELLS:
        return "other"
    if len(words) < _ASKED or program_name(words[0]) not in RUNNERS:
        return BACKUP
    from tray.engines import inside

    return inside.kind(words)


class CodeSession:
    """One run of which only the exit code is known: remembers the last line of stderr, which often says why it failed.

    Args:
        name: What ran, for the reason.
        inner: What stands before it.

    Attributes:
        failures: Programs that said on stderr that they failed, each with its words.
    """

    def __init__(self, name: str, inner: Inner) -> None:
        self._name, self._opaque = name, inner.opaque
        self._last = ""
        self.failures: dict[str, str] = {}

    def feed(self, line: bytes, stream: Stream) -> Fed:
        """Relay the same bytes."""
        if stream is Stream.ERR:
            self._last = plain(line) or self._last
            if line.startswith(_MAY_FAIL):
                self._failed(line)
        return Fed(relay=line)

    def conclude(self, exit: Exit) -> Result:
        """Conclude from the exit code alone."""
        return Result(*conclude_by_code(self._name, exit, opaque=self._opaque, last=self._last))

    def _failed(self, line: bytes) -> None:
        from tray.engines import sayings  # most commands never say so

        if (said := sayings.failure(line)) is not None:
            self.failures.setdefault(*said)


def conclude_by_code(name: str, exit: Exit, *, opaque: str = "", last: str = "") -> tuple[Outcome, str]:
    """Return outcome and reason of a command of which only the exit is known.

    Args:
        name: The command's name.
        exit: How it ended.
        opaque: Why its exit code says nothing about the work, if so.
        last: The last line of its stderr.
    """
    if not exit.seen:
        return Outcome.LOST, f"Nobody saw how {name} ended."
    if exit.asked:
        return Outcome.CANCELLED, f"{name} was stopped on request."
    if exit.code == 0:
        return (
            (Outcome.UNKNOWN, f"It was started, but {opaque}.")
            if opaque
            else (Outcome.SUCCEEDED, f"{name} ended with exit code 0.")
        )
    return Outcome.FAILED, why_failed(name, exit, last)


def why_failed(name: str, exit: Exit, last: str = "") -> str:
    """Return one sentence about an exit that is a failure."""
    if exit.signal is not None:
        return f"{name} was killed by {signal_name(exit.signal)}."
    known = _KNOWN_CODES.get(exit.code or 0)
    if known:
        return f"{name} ended with exit code {exit.code}: {known}."
    return f"{name} ended with exit code {exit.code}" + (f": {last[:300]}" if last else ".")


def why_stopped(what: str, exit: Exit, inner: Inner, *, said: bool, codes: Container[int] = ()) -> str:
    """Return why a run counts as cancelled, "" if it does not. A `timeout` that ran out is a failure, nobody's wish.

    Args:
        what: What was stopped: "The backup".
        exit: How it ended.
        inner: What stood before the engine.
        said: The engine said that a signal stops it.
        codes: Its exit codes that say the same.
    """
    if exit.asked:
        return f"{what} was stopped on request, before it was complete."
    if exit.signal is None and not inner.timed_out(exit.code) and (said or exit.code in codes):
        return f"{what} was stopped by a signal, before it was complete."
    return ""


def why_timed_out(what: str, exit: Exit, inner: Inner) -> str:
    """Return one sentence if the time of a `timeout` was up, else ""."""
    up = inner.timed and exit.code == 124
    return f"{what} did not end in the time that `timeout` gave it, and was stopped." if up else ""


_LIMITS = {
    "SIGXFSZ": ": file size limit exceeded, see `ulimit -f`",
    "SIGXCPU": ": CPU time limit exceeded, see `ulimit -t`",
}


def signal_name(number: int) -> str:
    """Return "signal 9 (SIGKILL)", with the meaning of the signals by which the system enforces a limit."""
    try:
        name = signal.Signals(number).name
        return f"signal {number} ({name}{_LIMITS.get(name, '')})"
    except ValueError:
        return f"signal {number}"


ENGINE = COMMAND = Command()
