"""Fuzz the adapters of engines, guided by coverage.

    python -m tests.fuzz.engines ENGINE|all [CORPUS FOLDER] [libFuzzer options such as -max_total_time=60]

An input is: two bytes for the command line, one for the end, one for its number, then lines, the first byte of each saying its
stream. A folder that is not there yet is filled with the recorded runs. libFuzzer stops at the first input that breaks a promise,
and writes it to a file.
"""

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["tray.engines"]):
    from tests.unit.engines.captures import NO_FAILURES, Capture, load, names
    from tray import engines
    from tray.engines import ENGINES
    from tray.engines.base import Exit, Fed, Plan, Problem, Stream

    for adapter in ENGINES:
        adapter.load()

from tray.core.model import Outcome
from tray.engines.text import split_lines

STREAMS = {b"o": Stream.OUT, b"e": Stream.ERR}
LETTERS = {stream: letter for letter, stream in STREAMS.items()}
SEED_BYTES = 4000


def plans(chosen: str) -> list[tuple[str, Plan]]:
    """The plans of all recorded command lines, as recorded and as typed."""
    pairs = []
    for name in captured(chosen):
        capture = load(name)
        for argv in (capture.argv, capture.typed or capture.argv):
            adapter, at = engines.recognise(argv, {}, capture.engine)
            pairs.append((capture.engine, adapter.plan(argv, at, {})))
    return pairs


def captured(chosen: str) -> list[str]:
    """The names of the recorded runs."""
    return names("*" if chosen == "all" else chosen)


def seeds(chosen: str, folder: Path) -> None:
    """Write the recorded runs as inputs: their beginnings and their ends, since inputs are best when they are short."""
    folder.mkdir(parents=True)
    for number, name in enumerate(captured(chosen)):
        capture = load(name)
        raw = b"".join(LETTERS[stream] + line for line, stream in capture.lines)
        short = raw if len(raw) <= SEED_BYTES else raw[: SEED_BYTES // 2] + b"\n" + raw[-SEED_BYTES // 2 :]
        (folder / f"{number:04d}").write_bytes((2 * number).to_bytes(2) + bytes((1, _code(capture))) + short)


def _code(capture: Capture) -> int:
    return capture.code if 0 <= capture.code <= 255 else 1


def end(kind: int, number: int) -> Exit:
    """Return the end that two bytes stand for: unseen, by code, by signal; every second one was requested."""
    asked = bool(kind & 4)
    if kind % 3 == 0:
        return Exit(None, asked=asked)
    return Exit(number, asked=asked) if kind % 3 == 1 else Exit(None, number % 64 + 1, asked=asked)


def try_one(known: list[tuple[str, Plan]], data: bytes) -> None:
    """Check every adapter's promises with one input."""
    if len(data) < 4:
        return
    engine, plan = known[int.from_bytes(data[:2]) % len(known)]
    how = end(data[2], data[3])
    session = engines.named(engine).session(plan)
    for line in split_lines(data[4:], returns=plan.returns):
        fed = session.feed(line[1:], STREAMS.get(line[:1], Stream.OUT))
        check(fed)
    result = session.conclude(how)
    assert result.reason.strip() and result.reason.encode()  # noqa: PT018 - one promise
    assert len(result.problems) <= min(result.errors, 100)
    assert all(
        count is None or 0 <= count < 2**63 for count in (result.files, result.bytes_processed, result.bytes_added)
    )
    if result.outcome is Outcome.SUCCEEDED:
        assert how.signal is None
        assert how.code in (0, None) or (engine, plan.kind, how.code) in NO_FAILURES


def check(fed: Fed) -> None:
    """Check that text is valid and that counts can be stored."""
    for event in fed.events:
        if isinstance(event, Problem):
            assert event.message.encode() is not None
            assert event.item is None or event.item.encode() is not None
        else:
            counts = (event.files_done, event.files_total, event.bytes_done, event.bytes_total, event.eta_seconds)
            assert all(count is None or 0 <= count < 2**63 for count in counts)
            assert event.current is None or event.current.encode() is not None


def main() -> None:
    """Fill the corpus if it is not there, and fuzz."""
    chosen, *arguments = sys.argv[1:]
    if arguments and not arguments[0].startswith("-") and not Path(arguments[0]).exists():
        seeds(chosen, Path(arguments[0]))
    known = plans(chosen)
    atheris.Setup([sys.argv[0], *arguments], lambda data: try_one(known, data))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
