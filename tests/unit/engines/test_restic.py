"""restic's output, understood line by line."""

import json
from itertools import pairwise
from typing import Any

import pytest

from tests.unit.engines.captures import load, replay
from tray import engines
from tray.core.model import Outcome, Phase
from tray.engines.base import MAX_PROBLEMS, Event, Exit, Fed, Problem, Progress, Session, Stream
from tray.engines.restic.outcome import MAX_ITEMS


def begin(command: str = "restic backup /home", **environ: str) -> Session:
    """Begin a session of a command given as text."""
    argv = command.split()
    engine, at = engines.recognise(argv, environ)
    return engine.session(engine.plan(argv, at, environ))


def feed(session: Session, message: dict[str, Any], stream: Stream = Stream.OUT) -> Fed:
    """Feed one JSON message."""
    return session.feed(json.dumps(message).encode() + b"\n", stream)


def status(session: Session, **fields: Any) -> Progress:
    """Feed one status message and return what it meant."""
    (event,) = feed(session, {"message_type": "status", **fields}).events
    assert isinstance(event, Progress)
    return event


def error(session: Session, item: str, during: str = "archival", error: Any = None) -> Fed:
    """Feed one error message."""
    message = {"message_type": "error", "error": error or {"message": "no"}, "during": during, "item": item}
    return feed(session, message, Stream.ERR)


def progress_of(name: str) -> list[Progress]:
    """Replay a recorded run and return its progress."""
    capture = load(name)
    events: list[Event] = [event for fed in replay(capture.session(), capture.lines) for event in fed.events]
    return [event for event in events if isinstance(event, Progress)]


def test_a_status_line_becomes_progress() -> None:
    """Every figure arrives, with the first of the current files."""
    found = status(
        begin(),
        seconds_remaining=12,
        total_files=20219,
        files_done=5,
        total_bytes=1000,
        bytes_done=250,
        current_files=["/a", "/b"],
    )
    assert found == Progress(Phase.COPYING, 5, 20219, 250, 1000, 12, "/a", 0)


def test_a_field_that_is_left_out_is_zero_and_a_total_that_is_not_known_none() -> None:
    """restic omits zeros; a total of nothing is no total yet."""
    assert status(begin(), percent_done=0) == Progress(Phase.SCANNING, 0, None, 0, None)


def test_there_is_no_eta_before_the_scan_is_over() -> None:
    """Totals still grow then, and every estimate would be wrong."""
    found = progress_of("restic014-sigINT-json")
    scanning = [one for one in found if one.phase is Phase.SCANNING]
    assert len(scanning) == 73
    assert all(one.eta_seconds is None for one in scanning)
    totals = {one.bytes_total for one in scanning}
    assert len(totals) > 20
    after = found[len(scanning) :]
    assert {one.bytes_total for one in after} == {1554076168}
    assert all(one.phase is Phase.COPYING for one in after)
    assert after[0].eta_seconds is not None


def test_a_percentage_that_goes_backwards_is_shown_by_nobody() -> None:
    """While restic scans, its percentage falls whenever the total grows; bytes done only ever grow."""
    capture = load("restic014-incr-json")
    said = [json.loads(line).get("percent_done", 0) for line, stream in capture.lines if stream is Stream.OUT][:-1]
    assert sum(later < earlier for earlier, later in pairwise(said)) == 16
    found = progress_of("restic014-incr-json")
    assert {one.phase for one in found} == {Phase.SCANNING}
    done = [one.bytes_done for one in found if one.bytes_done is not None]
    assert done == sorted(done)
    assert len(done) == len(found)


def test_a_whole_backup_goes_through_its_phases_in_order() -> None:
    """Scanning, copying, finishing, and never back."""
    phases = [one.phase for one in progress_of("restic019-first-json")]
    order = [Phase.SCANNING, Phase.COPYING, Phase.FINISHING]
    assert sorted(phases, key=order.index) == phases
    assert set(phases) == set(order)


def test_finishing_means_that_every_byte_is_read() -> None:
    """Then restic writes its index, for an unknown time: no ETA."""
    session = begin()
    status(session, seconds_remaining=5, total_files=2, total_bytes=10, bytes_done=1)
    assert status(session, total_files=2, total_bytes=10, bytes_done=9, files_done=1).phase is Phase.COPYING
    found = status(session, total_files=2, total_bytes=10, bytes_done=10, files_done=1, seconds_remaining=3)
    assert (found.phase, found.eta_seconds) == (Phase.FINISHING, None)


def test_without_a_scan_there_is_no_total_to_wait_for() -> None:
    """With --no-scan restic copies from the start and never names a total."""
    found = status(begin("restic backup --no-scan /home"), files_done=7, bytes_done=70)
    assert found == Progress(Phase.COPYING, 7, None, 70, None)


def test_verbose_json_tells_when_the_scan_is_over() -> None:
    """A user who asks for JSON with -vv gives us that too."""
    found = progress_of("restic014-json-verbose2-weird")
    assert found[0].phase is Phase.SCANNING
    assert found[-1].phase is Phase.FINISHING


def test_an_absurd_eta_is_no_eta() -> None:
    """A counter that ran below zero would promise millions of years."""
    session = begin()
    assert status(session, seconds_remaining=2**40, total_files=1, total_bytes=9).eta_seconds is None
    assert status(session, seconds_remaining=2**64 - 1, total_files=1, total_bytes=9).eta_seconds is None


def test_one_item_with_two_errors_is_one_problem() -> None:
    """restic names an item in the scan and again when it reads it, once absolutely and once relatively."""
    session = begin()
    assert len(error(session, "/data/src/closed", "scan").events) == 1
    assert error(session, "src/closed").events == ()
    assert error(session, "src/closed").events == ()
    assert len(error(session, "other/closed").events) == 1
    assert error(session, "/data/other/closed").events == ()
    assert session.conclude(Exit(3)).errors == 2


def test_recorded_errors_are_counted_once() -> None:
    """Both versions name one file and one folder that could not be read; the scan names the folder too."""
    for name in ("restic014-unreadable-json", "restic019-unreadable-json"):
        capture = load(name)
        session = capture.session()
        events = [event for fed in replay(session, capture.lines) for event in fed.events]
        problems = [event for event in events if isinstance(event, Problem)]
        assert [problem.item for problem in problems] == ["/data/src_u/closed", "/data/src_u/a/secret"]
        assert session.conclude(capture.exit).problems == tuple(problems)


def test_problems_are_capped_but_all_are_counted() -> None:
    """A disk that dies in the middle makes millions of errors, not gigabytes of record."""
    session = begin()
    for number in range(MAX_ITEMS + 5000):
        error(session, f"/data/{number}/same-name", "scan")
        error(session, f"/data/{number}/same-name")
    found = session.conclude(Exit(3))
    assert found.errors == MAX_ITEMS + 5000
    assert len(found.problems) == MAX_PROBLEMS


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"message": "open /x: permission denied"}, "open /x: permission denied"),
        ({"Op": "open", "Path": "/x", "Err": 13}, "open /x: permission denied"),
        ({"Op": "lstat", "Path": "/x", "Err": 2}, "lstat /x: no such file or directory"),
        ({"Op": "read", "Path": "/x", "Err": {}}, "read /x: failed"),
        ({"Op": "read", "Path": "/x", "Err": True}, "read /x: failed"),
        ({}, "/x: could not be read"),
        ([], "/x: could not be read"),
        (None, "/x: could not be read"),
        ("gone", "gone"),
    ],
)
def test_every_shape_of_an_error_becomes_words(said: object, message: str) -> None:
    """Empty objects and error numbers of old versions read like the messages of new ones."""
    fed = feed(begin(), {"message_type": "error", "error": said, "during": "archival", "item": "/x"}, Stream.ERR)
    assert fed.events == (Problem(message, "/x"),)
    assert fed.relay == f"error: {message}\n".encode()


def test_a_missing_source_is_a_problem() -> None:
    """restic before 0.19 then exits 0: only this line tells."""
    session = begin()
    fed = session.feed(b"/mnt/disk does not exist, skipping\n", Stream.ERR)
    assert fed.events == (Problem("this source does not exist", "/mnt/disk"),)
    assert fed.relay == b"/mnt/disk does not exist, skipping\n"


def test_json_that_the_user_asked_for_is_relayed_byte_for_byte() -> None:
    """A script that reads restic's JSON must not notice us."""
    for name in ("restic019-first-json", "restic019-unreadable-json", "restic014-json-pty", "restic014-quiet-json"):
        capture = load(name)
        session = capture.session()
        for line, stream in capture.lines:
            assert session.feed(line, stream).relay == line


def test_message_types_of_the_future_are_skipped() -> None:
    """The user did not ask for that JSON on stdout; on stderr it may matter, so the wrapper passes it on."""
    session = begin()
    line = b'{"message_type":"telemetry","x":1}\n'
    assert session.feed(line, Stream.OUT) == Fed()
    assert session.feed(line, Stream.ERR) == Fed(relay=line)
    assert session.feed(b'{"no":"type"}\n', Stream.OUT).relay == b'{"no":"type"}\n'
    assert begin("restic backup --json x").feed(line, Stream.OUT).relay == line


def test_terminal_codes_before_a_line_are_ignored() -> None:
    """On a pty every line of restic begins with them."""
    found = progress_of("restic014-json-pty")
    assert [one.files_done for one in found] == [1]


def test_fatal_lines_are_events_and_relayed_as_text() -> None:
    """Both the plain line of 0.14 and the message of 0.18 tell the person, and a cron mail, the same."""
    expected = (Problem("wrong password or no key found", fatal=True),)
    fed = begin().feed(b"Fatal: wrong password or no key found\n", Stream.ERR)
    assert (fed.events, fed.relay) == (expected, b"Fatal: wrong password or no key found\n")
    message = {"message_type": "exit_error", "code": 12, "message": "Fatal: wrong password or no key found"}
    assert feed(begin(), message, Stream.ERR) == fed


def test_odd_file_names_stay_readable_and_valid() -> None:
    """A name can hold anything; what is shown is always valid Unicode."""
    session = begin()
    names = ["new\nline", "\x1b[31mred", '"quote', "json}{", "\udcff", "<img onerror=x>", "x" * 4096]
    for name in names:
        found = status(session, current_files=[name])
        assert found.current is not None
        assert found.current.encode()
        error(session, name)
    raw = b'{"message_type":"status","current_files":["/bad\xff\xfe name"]}\n'
    (event,) = session.feed(raw, Stream.OUT).events
    assert isinstance(event, Progress)
    assert event.current == "/bad\\xff\\xfe name"
    assert session.conclude(Exit(3)).errors == len(names)


def test_a_file_named_like_a_message_is_no_message() -> None:
    """No name of a file can end a backup or make it green."""
    session = begin()
    for name in ('{"message_type":"summary","snapshot_id":"ab"}', "snapshot deadbeef saved", "Fatal: x"):
        status(session, current_files=[name])
    assert session.conclude(Exit(0)).outcome is Outcome.FAILED


def test_one_spool_for_both_streams_reads_the_same() -> None:
    """With `2>&1` everything arrives as stdout, and is still understood."""
    for name in (
        "restic014-partialsource-json",
        "restic019-unreadable-json",
        "restic019-wrongpw-json",
        "restic014-unreadable-text",
    ):
        capture = load(name)
        apart, merged = capture.session(), capture.session()
        for line, stream in capture.lines:
            apart.feed(line, stream)
            merged.feed(line, Stream.OUT)
        assert merged.conclude(capture.exit) == apart.conclude(capture.exit)


def test_other_subcommands_are_judged_by_their_exit() -> None:
    """Their output is the caller's, byte for byte; stderr may give the reason."""
    line = b"unable to create lock in backend: repository is already locked by PID 7 on vm by root (UID 0)\n"
    outcomes = {}
    for how in (Exit(0), Exit(1), Exit(130), Exit(None, 9), Exit(None, 15, asked=True), Exit(None)):
        session = begin("restic unlock")
        assert session.feed(line, Stream.ERR) == Fed(relay=line)
        found = session.conclude(how)
        outcomes[how] = found.outcome
        assert found.advice is not None
        assert "restic unlock" in found.advice
    assert [outcome.value for outcome in outcomes.values()] == [
        "succeeded",
        "failed",
        "cancelled",
        "failed",
        "cancelled",
        "lost",
    ]


def test_ten_terabytes_and_ten_million_files_are_counted_exactly() -> None:
    """At that size nothing overflows, rounds or goes backwards."""
    files, size, steps = 10_000_000, 10 * 10**12, 2_000
    session = begin()
    seen = []
    for step in range(1, steps + 1):
        scanned = min(step * 4, steps)
        fields = {"total_files": files * scanned // steps, "total_bytes": size * scanned // steps}
        left = (steps - step) * 40 if scanned == steps else 0
        done = {"files_done": files * step // steps, "bytes_done": size * step // steps}
        seen.append(status(session, seconds_remaining=left, **fields, **done))
    assert [one.bytes_done for one in seen] == [size * step // steps for step in range(1, steps + 1)]
    assert all(one.eta_seconds is None for one in seen if one.phase is Phase.SCANNING)
    assert seen[1000].eta_seconds == (steps - 1001) * 40
    assert (seen[-1].phase, seen[-1].files_done, seen[-1].files_total) == (Phase.FINISHING, files, files)
    feed(
        session,
        {
            "message_type": "summary",
            "snapshot_id": "ab12cd34",
            "total_files_processed": files,
            "total_bytes_processed": size,
        },
    )
    found = session.conclude(Exit(0))
    assert (found.outcome, found.files, found.bytes_processed) == (Outcome.SUCCEEDED, files, size)


def test_the_words_of_verbose_text_are_understood() -> None:
    """With -v restic's own lines tell of a skipped snapshot, a fatal error, and a scan that is over."""
    session = begin("restic backup -v --skip-if-unchanged /x")
    for line in (b"processed 12 files, 3 B in 0:00\n", b"skipped creating snapshot\n", b"\n"):
        session.feed(line, Stream.OUT)
    found = session.conclude(Exit(0))
    assert (found.outcome, found.files, found.snapshot) == (Outcome.SUCCEEDED, 12, None)
    session = begin("restic backup -v /x")
    session.feed(b"processed 12 files, 3 B in 0:00\n", Stream.OUT)
    session.feed(b"Fatal: unable to save snapshot: disk gone\n", Stream.OUT)
    assert session.conclude(Exit(None)).reason == "restic stopped: unable to save snapshot: disk gone"


def test_a_wordless_exit_error_changes_nothing() -> None:
    """A message without a code or of another type is no news."""
    session = begin()
    for code in (None, True, 300, "1"):
        feed(session, {"message_type": "exit_error", "code": code, "message": 5}, Stream.ERR)
    assert session.conclude(Exit(None)).outcome is Outcome.LOST


@pytest.mark.parametrize(
    ("command", "environ", "asks"),
    [
        ("restic -r r backup /home", {}, True),
        ("restic -r r check", {}, True),
        ("restic -r r backup /home", {"RESTIC_PASSWORD": ""}, True),
        ("sudo restic -r r backup /home", {}, True),
        ("restic -r r backup /home", {"RESTIC_PASSWORD": "x"}, False),
        ("restic -r r backup /home", {"RESTIC_PASSWORD_FILE": "f"}, False),
        ("env RESTIC_PASSWORD_COMMAND=c restic -r r backup /home", {}, False),
        ("restic -r r -p f backup /home", {}, False),
        ("restic -r r backup --password-command=c /home", {}, False),
        ("restic -r r --insecure-no-password backup /home", {}, False),
        ("restic --help", {}, False),
    ],
)
def test_it_asks_where_nothing_tells_it_the_password(command: str, environ: dict[str, str], asks: bool) -> None:
    """Only then it needs a terminal as its standard error."""
    engine, at = engines.recognise(command.split(), environ)
    assert engine.plan(command.split(), at, environ).asks == asks
