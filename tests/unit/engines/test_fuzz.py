"""Whatever an engine prints, nothing raises, nothing is lost, nothing grows without end, and nothing turns green."""

import functools
import json
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.engines.captures import NO_FAILURES, Capture, expected, folders, load, names, replay, split
from tests.unit.engines.ends import exits
from tray import engines
from tray.core.model import Outcome
from tray.engines import ENGINES
from tray.engines.base import Exit, Fed, Plan, Progress, Session, Stream

EVERY = [known.name for known in ENGINES]
MORE_WORDS = [
    "env",
    "sudo",
    "nice",
    "-n",
    "--",
    "A=b",
    "-u",
    "--json",
    "-v",
    "--stats",
    "--progress",
    "::x",
    "-",
    "-qv",
]
LINE_LIMIT = 2000  # longer lines are mutated elsewhere
ERRORS = 52_000  # more than any engine remembers
GROWTH = 300_000


@functools.cache
def captures(engine: str) -> tuple[Capture, ...]:
    """All recorded runs of *engine*."""
    return tuple(load(name) for name in names(engine))


@functools.cache
def recorded_lines(engine: str) -> tuple[bytes, ...]:
    """Different lines that *engine* has printed, a few hundred from all its runs."""
    found = [line for one in captures(engine) for line in dict.fromkeys(line for line, _ in one.lines)]
    kept = list(dict.fromkeys(line for line in found if len(line) < LINE_LIMIT))
    return tuple(kept[:: max(len(kept) // 600, 1)]) or (b"\n",)


@functools.cache
def commands(engine: str) -> tuple[tuple[str, ...], ...]:
    """Command lines of *engine*: those of its runs, as recorded and as a person types them."""
    found = [argv for one in captures(engine) for argv in (one.argv, one.typed) if argv is not None]
    return tuple(dict.fromkeys(found)) or ((engine, "x"),)


@functools.cache
def fields(engine: str) -> tuple[str, ...]:
    """Names of the fields in the JSON that *engine* prints."""
    found: set[str] = {"message_type", "type", "action", "snapshot_id", "level", "msg", "stats"}
    for line in recorded_lines(engine):
        if line.startswith(b"{"):
            try:
                found |= set(json.loads(line))
            except ValueError:
                continue
    return tuple(sorted(found))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
streams = st.sampled_from(list(Stream))


@functools.cache
def lines(engine: str) -> st.SearchStrategy[bytes]:
    """Lines as *engine* prints them, changed: cut, stuffed, with other numbers, other values, other types."""
    recorded = st.sampled_from(recorded_lines(engine))
    kinds = sorted({kind for line in recorded_lines(engine) if (kind := _kind(line))} | {"else"})
    messages = st.builds(
        lambda kind, more: json.dumps({**more, "message_type": kind, "type": kind}).encode() + b"\n",
        st.sampled_from(kinds),
        st.dictionaries(st.sampled_from(fields(engine)), values, max_size=6),
    )
    cut = st.tuples(recorded, st.integers(0, 300)).map(lambda pair: pair[0][: pair[1]])
    stuffed = st.tuples(recorded, st.binary(max_size=3), st.integers(0, 300)).map(
        lambda three: three[0][: three[2]] + three[1] + three[0][three[2] :]
    )
    digits = st.tuples(recorded, st.integers(-1, 10**30)).map(
        lambda pair: b"".join(str(pair[1]).encode() if 48 <= char <= 57 else bytes([char]) for char in pair[0])[:5000]
    )
    return st.one_of(recorded, recorded, messages, cut, stuffed, digits, st.binary(max_size=200))


def _kind(line: bytes) -> str:
    try:
        found = json.loads(line) if line.startswith(b"{") else {}
    except ValueError:
        return ""
    return str(found.get("message_type") or found.get("type") or "") if isinstance(found, dict) else ""


def begin(engine: str, argv: tuple[str, ...]) -> tuple[Session, Plan]:
    """Begin a session of *argv*."""
    adapter, at = engines.recognise(argv, {}, engine)
    plan = adapter.plan(argv, at, {})
    return adapter.session(plan), plan


def check(fed: Fed) -> None:
    """Check that a line led to valid text and to counts that can be stored."""
    assert isinstance(fed.relay, bytes)
    for event in fed.events:
        if isinstance(event, Progress):
            counts = (event.files_done, event.files_total, event.bytes_done, event.bytes_total, event.eta_seconds)
            assert all(count is None or 0 <= count < 2**63 for count in counts), event
            assert event.current is None or event.current.encode() is not None
            assert 0 <= event.errors < 2**63
        else:
            assert event.message.encode() is not None
            assert event.item is None or event.item.encode() is not None


@pytest.mark.parametrize("engine", EVERY)
@given(st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_output_makes_a_session_raise(engine: str, data: st.DataObject) -> None:
    """Garbage, half lines and messages of another shape are at worst text for the log, and no bad exit is a success."""
    session, plan = begin(engine, data.draw(st.sampled_from(commands(engine))))
    for line, stream in data.draw(st.lists(st.tuples(lines(engine), streams), max_size=12)):
        check(session.feed(line, stream))
    exit = data.draw(exits)  # noqa: A001 - the product's word
    result = session.conclude(exit)
    assert result.reason.encode()
    assert 0 <= len(result.problems) <= max(result.errors, 0)
    for count in (result.files, result.bytes_processed, result.bytes_added):
        assert count is None or 0 <= count < 2**63
    if result.outcome is Outcome.SUCCEEDED:
        assert exit.signal is None
        assert exit.code in (0, None) or (engine, plan.kind, exit.code) in NO_FAILURES


@pytest.mark.parametrize("engine", EVERY)
@given(st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_recorded_run_cut_anywhere_is_no_false_green(engine: str, data: st.DataObject) -> None:
    """Power may fail, a disk may fill and a process may die at any byte."""
    if not captures(engine):
        return
    capture = data.draw(st.sampled_from(captures(engine)))
    session, plan = capture.session(), capture.plan()
    for raw, stream in ((capture.err, Stream.ERR), (capture.out, Stream.OUT)):
        cut = raw[: data.draw(st.integers(0, len(raw)))]
        for line in split(cut, returns=plan.returns):
            check(session.feed(line, stream))
    exit = data.draw(exits)  # noqa: A001 - the product's word
    outcome = session.conclude(exit).outcome
    if exit.signal is not None or exit.code not in (0, None):
        assert outcome is not Outcome.SUCCEEDED or (engine, plan.kind, exit.code) in NO_FAILURES
    if not exit.seen and expected(engine).get(capture.name) not in (Outcome.SUCCEEDED, Outcome.WARNING, None):
        assert outcome is not Outcome.SUCCEEDED


@pytest.mark.parametrize("engine", EVERY)
def test_a_run_that_said_nothing_and_whose_end_nobody_saw_is_not_green(engine: str) -> None:
    """Silence proves nothing, whatever the command."""
    for argv in commands(engine):
        session, _ = begin(engine, argv)
        assert session.conclude(Exit(None)).outcome not in (Outcome.SUCCEEDED, Outcome.WARNING), argv


@pytest.mark.parametrize("engine", EVERY)
def test_a_long_bad_night_takes_a_bounded_amount_of_memory(engine: str) -> None:
    """Of sixty thousand errors, each of another file, the last ten thousand are counted and not kept."""
    bad = [line for one in captures(engine) if one.code != 0 or one.err for line, _ in one.lines if b"/" in line]
    pattern = max(bad or [b"error: /x/y: no\n"], key=lambda line: (b"rror" in line or b"denied" in line, -len(line)))
    session, _ = begin(engine, commands(engine)[0])
    at = pattern.rindex(b"/") + 1

    def go_on(first: int, last: int) -> None:
        for number in range(first, last):
            session.feed(b"%s%d%s" % (pattern[:at], number, pattern[at:]), Stream.ERR)

    go_on(0, ERRORS)
    tracemalloc.start()
    try:
        go_on(ERRORS, ERRORS + 10_000)
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert grown < GROWTH
    assert len(session.conclude(Exit(1)).problems) <= 100


@pytest.mark.parametrize("engine", EVERY)
def test_lines_of_a_mebibyte_and_deep_json_do_no_harm(engine: str) -> None:
    """The longest line that is ever fed, and ones made to exhaust a parser or an expression."""
    for argv in commands(engine)[:4]:
        session, _ = begin(engine, argv)
        for line in (
            b"x" * 2**20,
            b" " * 2**20,
            b"\r" * 2**16,
            b"1," * 2**19,
            b"a: " * 2**18,
            b'{"a":' * 100_000,
            b"{" * 2**20,
            b'{"message_type":' + b"9" * 5000 + b"}",
            b"[" * 2**20,
            b"\xff" * 2**18,
        ):
            for stream in Stream:
                check(session.feed(line, stream))
        assert len(session.conclude(Exit(1)).reason) < 2000


@given(st.binary(max_size=3000), streams)
@settings(max_examples=200, deadline=None)
def test_restic_text_that_is_no_message_is_relayed_unchanged(raw: bytes, stream: Stream) -> None:
    """The caller loses no byte that the engine wrote as text."""
    session, _ = begin("restic", ("restic", "backup", "/x"))
    text = [line for line in split(raw) if b"message_type" not in line]
    assert b"".join(session.feed(line, stream).relay for line in text) == b"".join(text)


@pytest.mark.parametrize("name", names("restic"))
def test_a_cut_restic_backup_is_green_only_with_its_summary(name: str) -> None:
    """Without restic's own word that a snapshot was saved nothing is."""
    capture = load(name)
    if "backup" not in capture.argv:
        return
    kept = [(line, stream) for line, stream in capture.lines if b'"summary"' not in line and b" saved" not in line]
    session = capture.session()
    replay(session, kept)
    assert session.conclude(Exit(0)).outcome is not Outcome.SUCCEEDED


@given(
    st.data(),
    st.sampled_from(EVERY),
    st.lists(st.text(max_size=12) | st.sampled_from(MORE_WORDS) | st.sampled_from(EVERY), max_size=6),
)
@settings(max_examples=500, deadline=None)
def test_any_command_line_can_be_planned(data: st.DataObject, engine: str, more: list[str]) -> None:
    """Recognising, planning and naming never raise, and never drop or reorder a word of the user's."""
    argv = list(data.draw(st.sampled_from(commands(engine))))
    for word in more:
        argv.insert(data.draw(st.integers(0, len(argv))), word)
    adapter, at = engines.recognise(argv, {})
    assert 0 <= at < max(len(argv), 1)
    plan = adapter.plan(argv, at, {})
    rest = iter(plan.argv)
    assert all(word in rest for word in argv)
    name = engines.job_name(
        adapter.name, plan.repository, plan.sources, kind=plan.kind, folder="/home/me", apart=plan.apart
    )
    assert name.isprintable()
    assert 0 < len(name) <= 120
    assert isinstance(adapter.unlock(plan), str | None)
    adapter.session(plan).conclude(Exit(0))


def test_every_engine_that_can_be_run_here_has_recordings() -> None:
    """The tests above would prove nothing of an engine without any."""
    assert set(folders()) <= set(EVERY)
    assert {"restic", "borg", "rsync", "rclone", "tar", "duplicity", "rdiff-backup", "dar"} <= set(folders())
