"""How fast engine output is understood and redacted; goal: at least 50,000 lines a second. Prints a table.

Beside it the floor: the cost of decoding the same JSON with nothing else.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from tests.unit.engines.captures import Capture, folders, load, names
from tray import engines
from tray.core.redact import Redactor
from tray.engines.base import Exit, Session, Stream

GOAL = 50_000
LINES = 100_000
ENVIRON = {"RESTIC_PASSWORD": "correct horse", "AWS_SECRET_ACCESS_KEY": "x" * 40, "HOME": "/root"}


def main() -> None:
    """Measure and print."""
    status = [line for line, _ in load("restic019-first-json").lines]
    problem = b'{"message_type":"error","error":{"message":"open /x: permission denied"},"during":"archival","item":"/%d/x"}\n'
    verbose = [line for line, _ in load("restic014-json-verbose2-weird").lines]
    plain = [b"error: open /home/me/%d: permission denied\n" % number for number in range(100)]
    print(f"{'what':<64}{'lines/s':>12}{'goal':>10}")
    row("floor: json.loads of status lines", _rate(json.loads, status))
    row("restic status lines, JSON asked for by us", _rate(_feeder("restic backup /x"), status))
    row("restic status lines, JSON of the user's", _rate(_feeder("restic backup --json /x"), status))
    row("restic verbose lines (-vv)", _rate(_feeder("restic backup --json -vv /x"), verbose))
    errors = [problem % number for number in range(LINES)]
    row("restic errors, each of another item", _rate(_feeder("restic backup /x"), errors))
    row("restic plain text", _rate(_feeder("restic backup -v /x"), plain))
    row("any other command, stderr", _rate(_feeder("tar c /x", Stream.ERR), plain))
    redactor = Redactor(["restic", "-r", "rest:https://me:secret@host/", "backup", "/x"], ENVIRON)
    row("redactor, plain lines", _rate(redactor.bytes, plain))
    row("redactor, JSON lines", _rate(redactor.bytes, status))
    row(
        "redactor, lines with an address",
        _rate(redactor.bytes, [b"cannot reach rest:https://me:secret@host/: refused\n"]),
    )
    print()
    every_engine()
    print()
    huge()


def every_engine() -> None:
    """Measure each engine over all lines that its recorded runs have, and over those of its longest run alone."""
    for engine in folders():
        runs = [load(name) for name in names(engine)]
        longest = max(runs, key=lambda run: len(run.lines))
        row(f"{engine}, longest run ({longest.name})"[:62], _replayed([longest]))
        row(f"{engine}, all {len(runs)} runs", _replayed(runs))


def _replayed(runs: list[Capture]) -> float:
    """Return lines a second of whole runs, read as they were recorded, the best of three rounds; conclusions included."""
    ready = [(run, run.lines, run.exit) for run in runs]
    count = sum(len(lines) for _, lines, _ in ready)
    rounds = max(LINES // 2 // count, 1)
    best = 0.0
    for _ in range(3):
        took = 0.0
        for _ in range(rounds):
            for run, lines, how in ready:
                session = run.session()
                began = time.perf_counter()
                for line, stream in lines:
                    session.feed(line, stream)
                session.conclude(how)
                took += time.perf_counter() - began
        best = max(best, count * rounds / took)
    return best


def huge() -> None:
    """Replay 10 TB in 10 million files at two updates a second for 28 hours."""
    files, size, steps = 10_000_000, 10 * 10**12, 200_000
    argv = ("restic", "backup", "/x")
    session = _session(argv)
    began, wrong = time.perf_counter(), 0
    for step in range(1, steps + 1):
        done, read = files * step // steps, size * step // steps
        line = (
            f'{{"message_type":"status","seconds_remaining":{(steps - step) // 2},"total_files":{files},'
            f'"files_done":{done},"total_bytes":{size},"bytes_done":{read},"current_files":["/srv/data/{done}"]}}\n'
        )
        (event,) = session.feed(line.encode(), Stream.OUT).events
        wrong += (getattr(event, "files_done", None), getattr(event, "bytes_done", None)) != (done, read)
    took = time.perf_counter() - began
    session.feed(b'{"message_type":"summary","snapshot_id":"ab12cd34"}\n', Stream.OUT)
    outcome = session.conclude(Exit(0)).outcome.value
    print(f"10 TB, 10,000,000 files, {steps:,} updates: {wrong} wrong, {took:.1f} s of CPU in all, {outcome}")


def row(what: str, rate: float) -> None:
    """Print one line of the table."""
    print(f"{what:<64}{rate:>12,.0f}{GOAL:>10,}")


def _session(argv: tuple[str, ...]) -> Session:
    engine, at = engines.recognise(argv, {})
    return engine.session(engine.plan(argv, at, {}))


def _feeder(command: str, stream: Stream = Stream.OUT) -> Callable[[bytes], object]:
    session = _session(tuple(command.split()))
    return lambda line: session.feed(line, stream)


def _rate(take: Callable[[bytes], object], lines: list[bytes]) -> float:
    """Return lines a second, the best of three rounds."""
    many = (lines * (LINES // len(lines) + 1))[:LINES]
    best = 0.0
    for _ in range(3):
        began = time.perf_counter()
        for line in many:
            take(line)
        best = max(best, len(many) / (time.perf_counter() - began))
    return best


if __name__ == "__main__":
    main()
