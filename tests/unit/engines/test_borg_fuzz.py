"""Whatever borg prints, nothing raises, nothing is lost, and nothing turns green."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.engines.captures import load, names, replay, split
from tests.unit.engines.ends import exits
from tray import engines
from tray.core.model import Outcome
from tray.engines.base import Exit, Fed, Progress, Session, Stream

CREATES = [name for name in names("borg") if load(name).plan().kind == "backup"]
LINES = sorted({line for name in names("borg") for line, _ in load(name).lines if len(line) < 2000})
COMMANDS = [
    "borg create r::a /x",
    "borg create --stats --list r::a /x",
    "borg create --json r::a /x",
    "borg create --log-json r::a /x",
    "borg create --progress r::a /x",
    "borg create -n r::a /x",
    "borg check r",
    "borg extract r::a x",
]
BORG = engines.named("borg")

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
fields = st.sampled_from(
    [
        "message",
        "levelname",
        "name",
        "msgid",
        "nfiles",
        "original_size",
        "path",
        "finished",
        "status",
        "archive",
        "stats",
    ]
)
kinds = st.sampled_from(
    [
        "archive_progress",
        "log_message",
        "progress_message",
        "progress_percent",
        "file_status",
        "question_prompt",
        "else",
        7,
    ]
)
known = st.fixed_dictionaries(
    {
        "levelname": st.sampled_from(["WARNING", "ERROR", "INFO", "odd"]),
        "name": st.sampled_from(["borg.archiver", "borg.output.stats", "borg.output.show-rc", "borg.output.list"]),
        "message": st.text(max_size=30)
        | st.sampled_from(
            [
                "x: [Errno 2] y",
                "Number of files: 3",
                "terminating with success status, rc 0",
                "Received SIGTERM",
                "Traceback (\n",
            ]
        ),
    }
)
messages = st.builds(
    lambda kind, more: json.dumps({**more, "type": kind}).encode() + b"\n",
    kinds,
    st.dictionaries(fields, values, max_size=6) | known,
)
lines = st.one_of(
    st.binary(max_size=200),
    messages,
    st.sampled_from(LINES),
    st.tuples(st.sampled_from(LINES), st.integers(0, 300)).map(lambda pair: pair[0][: pair[1]]),
    st.tuples(st.sampled_from(LINES), st.binary(max_size=3), st.integers(0, 300)).map(
        lambda three: three[0][: three[2]] + three[1] + three[0][three[2] :]
    ),
)
streams = st.sampled_from(list(Stream))


def begin(command: str) -> Session:
    """Begin a session of *command*."""
    return BORG.session(BORG.plan(command.split(), 0, {}))


def check(fed: Fed) -> None:
    """Check that a line led to valid text and to counts that can be stored."""
    for event in fed.events:
        if isinstance(event, Progress):
            counts = (event.files_done, event.bytes_done)
            assert all(count is None or 0 <= count < 2**63 for count in counts)
            assert (event.files_total, event.bytes_total, event.eta_seconds) == (None, None, None)
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
    assert "\n" not in result.reason
    assert 0 <= len(result.problems) <= max(result.errors, 0)
    for count in (result.files, result.bytes_processed, result.bytes_added):
        assert count is None or 0 <= count < 2**63
    if result.outcome is Outcome.SUCCEEDED:
        assert exit.signal is None
        assert exit.code in (0, None)


@given(st.sampled_from(CREATES), st.data(), exits)
@settings(max_examples=200, deadline=None)
def test_a_recorded_run_cut_anywhere_is_no_false_green(name: str, data: st.DataObject, exit: Exit) -> None:
    """Power may fail, a disk may fill and a process may die at any byte."""
    capture = load(name)
    returns = capture.plan().returns
    out = capture.out[: data.draw(st.integers(0, len(capture.out)))]
    err = capture.err[: data.draw(st.integers(0, len(capture.err)))]
    session = capture.session()
    cut = [(line, Stream.ERR) for line in split(err, returns=returns)]
    cut += [(line, Stream.OUT) for line in split(out, returns=returns)]
    for fed in replay(session, cut):
        check(fed)
    outcome = session.conclude(exit).outcome
    if exit.signal is not None or (exit.code is not None and exit.code != 0):
        assert outcome is not Outcome.SUCCEEDED
    figures = out.rstrip().endswith(b"\n}") or b"This archive: " in err + out
    if not figures and capture.plan().spool_stdout:
        assert outcome is not Outcome.SUCCEEDED


@given(st.sampled_from(COMMANDS), st.binary(max_size=3000), streams)
@settings(max_examples=200, deadline=None)
def test_text_that_is_no_message_is_relayed_unchanged(command: str, raw: bytes, stream: Stream) -> None:
    """The caller loses no byte that borg wrote as text."""
    session = begin(command)
    text = [line for line in split(raw) if b"{" not in line]
    assert b"".join(session.feed(line, stream).relay for line in text) == b"".join(text)


def test_lines_of_a_mebibyte_and_deep_json_are_only_text() -> None:
    """The longest line that is ever fed, and one made to exhaust a parser, do no harm."""
    session = begin("borg create r::a /x")
    for line in (
        b"x" * 2**20,
        b'{"a":' * 100_000,
        b'{"' * 2**19 + b"}\n",
        b'{"type":' + b"9" * 5000 + b"}\n",
        b"[" * 2**20,
        b"1.0 B O " * 100_000 + b"\n",
    ):
        assert session.feed(line, Stream.ERR) == Fed(relay=line)
    many = b": [Errno 1] " * 80_000 + b"\n"
    assert session.feed(many, Stream.ERR).relay == many
    assert len(session.conclude(Exit(1)).reason) < 1000


def test_a_document_without_an_end_is_not_kept_for_ever() -> None:
    """Memory stays bounded, and what never ended proves nothing."""
    session = begin("borg create r::a /x")
    session.feed(b"{\n", Stream.OUT)
    for _ in range(100):
        session.feed(b" " * 100_000 + b"\n", Stream.OUT)
    session.feed(b"}\n", Stream.OUT)
    assert session.conclude(Exit(0)).outcome is Outcome.UNKNOWN


words = st.text(max_size=12) | st.sampled_from(
    [
        "env",
        "sudo",
        "--",
        "borg",
        "create",
        "-n",
        "--json",
        "--log-json",
        "-p",
        "r::a",
        "::",
        "-r",
        "BORG_REPO=x",
        "--stats",
        "-",
    ]
)


@given(st.lists(words, max_size=8), st.booleans())
@settings(max_examples=400, deadline=None)
def test_any_command_line_can_be_planned(argv: list[str], forced: bool) -> None:
    """Recognising, planning and naming never raise, and never drop or reorder a word of the user's."""
    engine, at = engines.recognise(argv, {}, "borg" if forced and argv else None)
    plan = engine.plan(argv, at, {})
    rest = iter(plan.argv)
    assert all(word in rest for word in argv)
    assert len(plan.argv) <= len(argv) + 3
    name = engines.job_name(
        engine.name, plan.repository, plan.sources, kind=plan.kind, folder="/work", apart=plan.apart
    )
    assert name.isprintable()
    assert plan.repository is None or plan.repository
    engine.unlock(plan)
    engine.session(plan).conclude(Exit(0))
