"""Whatever an engine prints, nothing raises, nothing is lost, and nothing turns green."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit import engine_captures
from tests.unit.engine_captures import load, replay, split
from tray import engines
from tray.engines import Exit, Session, Stream
from tray.engines.base import Fed, Progress
from tray.model import Outcome

BACKUPS = [name for name in engine_captures.names("restic") if "backup" in load(name).argv]
MESSAGES = sorted({line for name in BACKUPS for line, _ in load(name).lines if len(line) < 2000})
COMMANDS = [
    "restic backup /x",
    "restic backup --json /x",
    "restic backup -v /x",
    "restic check",
    "tar c /x",
    "restic backup -n /x",
]

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
fields = st.sampled_from(
    sorted({key for line in MESSAGES if line.startswith(b'{"') for key in json.loads(line)} | {"action", "snapshot_id"})
)
kinds = st.sampled_from(["status", "summary", "error", "exit_error", "verbose_status", "else"])
messages = st.builds(
    lambda kind, more: json.dumps({**more, "message_type": kind}).encode() + b"\n",
    kinds,
    st.dictionaries(fields, values, max_size=6),
)
lines = st.one_of(
    st.binary(max_size=200),
    messages,
    st.sampled_from(MESSAGES),
    st.tuples(st.sampled_from(MESSAGES), st.integers(0, 300)).map(lambda pair: pair[0][: pair[1]]),
    st.tuples(st.sampled_from(MESSAGES), st.binary(max_size=3), st.integers(0, 300)).map(
        lambda three: three[0][: three[2]] + three[1] + three[0][three[2] :]
    ),
)
streams = st.sampled_from(list(Stream))
exits = st.builds(Exit, st.none() | st.integers(0, 255), st.none() | st.integers(1, 64), st.booleans())


def begin(command: str) -> Session:
    """Begin a session of *command*."""
    argv = command.split()
    engine, at = engines.recognise(argv, {})
    return engine.session(engine.plan(argv, at, {}))


def check(fed: Fed) -> None:
    """What every line may lead to: valid text and counts that can be stored."""
    for event in fed.events:
        if isinstance(event, Progress):
            counts = (event.files_done, event.files_total, event.bytes_done, event.bytes_total, event.eta_seconds)
            assert all(count is None or 0 <= count < 2**63 for count in counts)
            assert event.current is None or event.current.encode() is not None
        else:
            assert event.message.encode() is not None
            assert event.item is None or event.item.encode() is not None


@given(st.sampled_from(COMMANDS), st.lists(st.tuples(lines, streams), max_size=12), exits)
@settings(max_examples=400, deadline=None)
def test_no_output_makes_a_session_raise(command: str, output: list[tuple[bytes, Stream]], exit: Exit) -> None:
    """Garbage, half lines and messages of another shape are at worst text for the log."""
    session = begin(command)
    for line, stream in output:
        check(session.feed(line, stream))
    result = session.conclude(exit)
    assert result.reason.encode()
    assert 0 <= len(result.problems) <= max(result.errors, 0)
    for count in (result.files, result.bytes_processed, result.bytes_added):
        assert count is None or 0 <= count < 2**63
    if result.outcome is Outcome.SUCCEEDED:
        assert exit.code == 0 or (exit.code is None and exit.signal is None)


@given(st.sampled_from(BACKUPS), st.data(), exits)
@settings(max_examples=150, deadline=None)
def test_a_recorded_run_cut_anywhere_is_no_false_green(name: str, data: st.DataObject, exit: Exit) -> None:
    """Power may fail, a disk may fill and a process may die at any byte."""
    capture = load(name)
    out = capture.out[: data.draw(st.integers(0, len(capture.out)))]
    err = capture.err[: data.draw(st.integers(0, len(capture.err)))]
    session = capture.session()
    cut = [(line, Stream.ERR) for line in split(err)] + [(line, Stream.OUT) for line in split(out)]
    for fed in replay(session, cut):
        check(fed)
    outcome = session.conclude(exit).outcome
    if b'"summary"' not in out and b" saved" not in out:
        assert outcome is not Outcome.SUCCEEDED
    if exit.signal is not None or (exit.code is not None and exit.code != 0):
        assert outcome is not Outcome.SUCCEEDED


@given(st.binary(max_size=3000), streams)
@settings(max_examples=200, deadline=None)
def test_text_that_is_no_message_is_relayed_unchanged(raw: bytes, stream: Stream) -> None:
    """The caller loses no byte that the engine wrote as text."""
    session = begin("restic backup /x")
    text = [line for line in split(raw) if b"message_type" not in line]
    assert b"".join(session.feed(line, stream).relay for line in text) == b"".join(text)


def test_lines_of_a_mebibyte_and_deep_json_are_only_text() -> None:
    """The longest line that is ever fed, and one made to exhaust a parser, do no harm."""
    session = begin("restic backup /x")
    for line in (
        b"x" * 2**20,
        b'{"a":' * 100_000,
        b"{" * 2**20,
        b'{"message_type":' + b"9" * 5000 + b"}",
        b"[" * 2**20,
    ):
        assert session.feed(line, Stream.OUT) == Fed(relay=line)
        session.feed(line, Stream.ERR)
    assert len(session.conclude(Exit(1)).reason) < 1000


@given(
    st.lists(
        st.text(max_size=12) | st.sampled_from(["env", "sudo", "nice", "-n", "--", "restic", "backup", "A=b", "-u"]),
        max_size=8,
    )
)
@settings(max_examples=400, deadline=None)
def test_any_command_line_can_be_planned(argv: list[str]) -> None:
    """Recognising, planning and naming never raise, and never drop or reorder a word of the user's."""
    engine, at = engines.recognise(argv, {})
    assert 0 <= at < max(len(argv), 1)
    plan = engine.plan(argv, at, {})
    added = [word for word in plan.argv if word == "--json"] if plan.ours else []
    assert len(plan.argv) == len(argv) + bool(added)
    rest = iter(plan.argv)
    assert all(word in rest for word in argv)
    name = engines.job_name(engine.name, plan.repository, plan.sources, kind=plan.kind, folder="/work")
    assert name.isprintable()
    assert 0 < len(name) <= 120
    engine.session(plan).conclude(Exit(0))
