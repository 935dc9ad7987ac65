"""Recorded runs of real engines (`tests/data`), for the tests that replay them.

The names tell engine, version and scenario: `restic014-unreadable-json` is restic 0.14 with an unreadable file and `--json`.
Long streams are cut to their first and last lines, except three that are whole.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from tray import engines
from tray.engines.base import Exit, Fed, Plan, Result, Session, Stream

DATA = Path(__file__).parent.parent / "data"


@dataclass(frozen=True)
class Capture:
    """One recorded run."""

    name: str
    argv: tuple[str, ...]
    code: int
    out: bytes
    err: bytes

    @property
    def exit(self) -> Exit:
        """How it ended, nobody having asked for it."""
        return Exit(None, -self.code) if self.code < 0 else Exit(self.code)

    @property
    def lines(self) -> list[tuple[bytes, Stream]]:
        """Its output, stderr first: the order between the two is not recorded."""
        return [(line, Stream.ERR) for line in split(self.err)] + [(line, Stream.OUT) for line in split(self.out)]

    def plan(self, *extra: str) -> Plan:
        """The plan for its command; without `--json` in it, JSON becomes ours."""
        argv = (*self.argv, *extra)
        engine, at = engines.recognise(argv, {})
        return engine.plan(argv, at, {})

    def session(self, *extra: str) -> Session:
        """A session that reads it as it was recorded."""
        return engines.named("restic").session(self.plan(*extra))


def split(raw: bytes) -> list[bytes]:
    """Split at newlines only and keep them."""
    lines = raw.split(b"\n")
    return [line + b"\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def load(name: str) -> Capture:
    """Load the recorded run *name*."""
    folder = DATA / "restic"
    told = json.loads((folder / f"{name}.exit").read_text())
    out, err = ((folder / f"{name}{end}") for end in (".stdout", ".stderr"))
    argv = ("restic", *told["args"])
    raw = [path.read_bytes() if path.exists() else b"" for path in (out, err)]
    if "-text" in name:
        argv = (*argv, "-v")  # as recorded without --json; -v lets it be read as text
    return Capture(name, argv, told["rc"], *raw)


def names() -> list[str]:
    """The names of all recorded runs."""
    return sorted(path.stem for path in (DATA / "restic").glob("*.exit"))


def replay(session: Session, lines: list[tuple[bytes, Stream]]) -> list[Fed]:
    """Feed all *lines*."""
    return [session.feed(line, stream) for line, stream in lines]


def result(capture: Capture, exit: Exit | None = None) -> Result:
    """Replay a whole run and conclude it."""
    session = capture.session()
    replay(session, capture.lines)
    return session.conclude(capture.exit if exit is None else exit)
