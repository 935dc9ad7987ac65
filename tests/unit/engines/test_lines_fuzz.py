"""duplicity, rdiff-backup, dar, tar and kopia: whatever they print, nothing raises, nothing is lost, and nothing turns green."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.engines.captures import load, names
from tests.unit.engines.ends import exits
from tray import engines
from tray.core.model import Outcome
from tray.engines.base import Exit, Plan, Progress, Session, Stream

COMMANDS = (
    "duplicity full /x file:///r",
    "duplicity verify file:///r /x",
    "rdiff-backup backup /x /r",
    "rdiff-backup verify /r",
    "dar -c a -R x",
    "dar -t a",
    "gtar -cvf a.tar x",
    "gtar c x",
    "gtar -df a.tar",
    "kopia snapshot create /x",
    "kopia snapshot create --json /x",
)
MINE = ("duplicity", "rdiff-backup", "dar", "tar", "kopia")
RECORDED = sorted(
    {line for engine in MINE for name in names(engine) for line, _ in load(name).lines if len(line) < 1000}
)
WORDS = [
    "--",
    "-",
    "",
    "-f",
    "-czf",
    "cf",
    "--exclude",
    "full",
    "file:///r",
    "backup",
    "-v",
    "snapshot",
    "create",
    "--rename",
    "=",
]

lines = st.one_of(
    st.binary(max_size=200),
    st.sampled_from(RECORDED),
    st.tuples(st.sampled_from(RECORDED), st.binary(max_size=3), st.integers(0, 200)).map(
        lambda three: three[0][: three[2]] + three[1] + three[0][three[2] :]
    ),
    st.tuples(st.sampled_from(RECORDED), st.integers(0, 200)).map(lambda pair: pair[0][: pair[1]]),
)
output = st.lists(st.tuples(lines, st.sampled_from(list(Stream))), max_size=15)


def begin(command: str) -> tuple[Plan, Session]:
    """Begin a session of *command*."""
    argv = command.split()
    engine, at = engines.recognise(argv, {})
    plan = engine.plan(argv, at, {})
    return plan, engine.session(plan)


@given(st.sampled_from(COMMANDS), output, exits)
@settings(max_examples=400, deadline=None)
def test_no_output_is_too_odd(command: str, said: list[tuple[bytes, Stream]], exit: Exit) -> None:
    """Every event and result can be stored and shown; without flags of ours every byte is passed on, with them none is made up."""
    plan, session = begin(command)
    heard, relayed = dict.fromkeys(Stream, b""), dict.fromkeys(Stream, b"")
    for line, stream in said:
        fed = session.feed(line, stream)
        assert plan.ours or fed.relay == line
        heard[stream] += line
        relayed[stream] += fed.relay
        for event in fed.events:
            if isinstance(event, Progress):
                counts = (event.files_done, event.files_total, event.bytes_done, event.bytes_total, event.eta_seconds)
                assert all(count is None or 0 <= count < 2**63 for count in counts)
            else:
                assert event.message.encode() is not None
                assert event.item is None or event.item.encode() is not None
    for stream in Stream:
        relayed[stream] += getattr(session, "held", lambda _stream: b"")(stream) if plan.ours else b""
        left = iter(heard[stream].replace(b"\n", b""))
        assert all(byte in left for byte in relayed[stream].replace(b"\n", b""))  # in their order
    found = session.conclude(exit)
    assert found.reason.strip().encode()
    for count in (found.files, found.bytes_processed, found.bytes_added, found.errors):
        assert count is None or 0 <= count < 2**63


@given(st.sampled_from(COMMANDS), output, st.integers(3, 255), st.integers(1, 64))
@settings(max_examples=200, deadline=None)
def test_nothing_turns_a_bad_end_green(command: str, said: list[tuple[bytes, Stream]], code: int, number: int) -> None:
    """Whatever was printed before it."""
    for how in (Exit(code), Exit(None, number), Exit(2)):
        _, session = begin(command)
        for line, stream in said:
            session.feed(line, stream)
        assert session.conclude(how).outcome is not Outcome.SUCCEEDED


@given(st.sampled_from(MINE), st.lists(st.sampled_from(WORDS) | st.text(max_size=8), max_size=9))
@settings(max_examples=400, deadline=None)
def test_no_command_line_is_too_odd(name: str, words: list[str]) -> None:
    """A plan is made of anything, and what the user typed is in it, whole and in order."""
    engine = engines.named(name)
    plan = engine.plan([name, *words], 0, {})
    typed = iter(plan.argv)
    assert all(word in typed for word in [name, *words])
    assert plan.kind in ("backup", "dry-run", "restore", "check", "prune", "other")
    assert engine.session(plan).conclude(Exit(9)).outcome is Outcome.FAILED
    assert engine.unlock(plan) is None or plan.repository is not None or "REPOSITORY" in str(engine.unlock(plan))
