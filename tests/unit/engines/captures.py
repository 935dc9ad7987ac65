"""Recorded runs of real engines (`tests/data/<engine>`), for the tests that replay them.

One run is up to three files: `NAME.exit`, and `NAME.stdout` and `NAME.stderr` where they are not empty.
The name tells engine, version and scenario: `restic014-unreadable-json` is restic 0.14 with an unreadable file
and `--json`. Long streams are cut to their first and last lines, except a few that are whole.

`NAME.exit` is JSON: `rc` (negative: died of that signal), `args` (the command as recorded, without the program) or `cmd` (with it),
and where it helps `typed`: the args as a person would have typed them, so that what is added to them counts as ours.

`expected.json` in each folder maps every recording of it to the outcome that a person would call it.
"""

import json
from pathlib import Path

from tray import engines
from tray.core.dataclass import dataclass
from tray.core.model import Outcome
from tray.engines.base import Exit, Fed, Plan, Result, Session, Stream
from tray.engines.text import split_lines

DATA = Path(__file__).parents[2] / "data"
NO_FAILURES = {("rdiff-backup", "prune", 2)}
"""Exit codes other than 0 of which an engine says that nothing went wrong: there was nothing old enough to remove."""
_ENDS = ((".stderr", Stream.ERR), (".stdout", Stream.OUT))


@dataclass(frozen=True)
class Capture:
    """One recorded run."""

    name: str
    engine: str
    argv: tuple[str, ...]
    typed: tuple[str, ...] | None
    code: int
    out: bytes
    err: bytes

    @property
    def exit(self) -> Exit:
        """How it ended, without a request to stop."""
        return Exit(None, -self.code) if self.code < 0 else Exit(self.code)

    @property
    def lines(self) -> list[tuple[bytes, Stream]]:
        """Its output, stderr first: the order between them is not recorded."""
        returns = self.plan().returns
        raw = ((self.err, Stream.ERR), (self.out, Stream.OUT))
        return [(line, stream) for text, stream in raw for line in split(text, returns=returns)]

    def plan(self, *extra: str, typed: bool = False) -> Plan:
        """The plan for its command as it was recorded, or (*typed*) as a person would have typed it: then the rest is ours."""
        argv = (*(self.typed if typed and self.typed is not None else self.argv), *extra)
        engine, at = engines.recognise(argv, {}, self.engine)
        return engine.plan(argv, at, {})

    def session(self, *extra: str, typed: bool = False) -> Session:
        """A session that reads it."""
        return engines.named(self.engine).session(self.plan(*extra, typed=typed))


def split(raw: bytes, *, returns: bool = False) -> list[bytes]:
    r"""Split as the runner does: at newlines only, and at `\r` too where a plan `returns`; the ends stay."""
    return list(split_lines(raw, returns=returns))


def load(name: str) -> Capture:
    """Load the recorded run *name*, whichever engine it is of."""
    (path,) = DATA.glob(f"*/{name}.exit")
    engine, told = path.parent.name, json.loads(path.read_text())
    raw = {stream: _bytes(path.with_name(name + end)) for end, stream in _ENDS}
    argv = (engine, *told["args"]) if "args" in told else (engine, *told["cmd"][1:])
    if engine == "restic" and "-text" in name:
        argv = (*argv, "-v")  # as recorded without --json; -v lets it be read as text
    typed = (engine, *told["typed"]) if "typed" in told else None
    return Capture(name, engine, argv, typed, told["rc"], raw[Stream.OUT], raw[Stream.ERR])


def _bytes(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def folders() -> list[str]:
    """The engines of which there are recordings."""
    return sorted({path.parent.name for path in DATA.glob("*/*.exit")})


def names(engine: str = "*") -> list[str]:
    """The names of all recorded runs of *engine*, by default of all."""
    return sorted(path.name.removesuffix(".exit") for path in DATA.glob(f"{engine}/*.exit"))


def expected(engine: str) -> dict[str, Outcome]:
    """Return the result of each recorded run of *engine*, as its folder's `expected.json` says."""
    path = DATA / engine / "expected.json"
    return {name: Outcome(word) for name, word in json.loads(path.read_text()).items()} if path.exists() else {}


def replay(session: Session, lines: list[tuple[bytes, Stream]]) -> list[Fed]:
    """Feed all *lines*."""
    return [session.feed(line, stream) for line, stream in lines]


def result(capture: Capture, exit: Exit | None = None) -> Result:
    """Replay a whole run and conclude it."""
    session = capture.session()
    replay(session, capture.lines)
    return session.conclude(capture.exit if exit is None else exit)
