"""restic restore, check, prune and forget: what they came to, and their output untouched."""

import json

import pytest

from tests.unit.engines.captures import load, replay, result
from tray import engines
from tray.core.model import Outcome, Phase
from tray.engines.base import Exit, Progress, Result, Session, Stream

TASKS = [
    "restic014-check",
    "restic014-check-damaged",
    "restic014-forget",
    "restic014-forget-prune",
    "restic014-forget-unknown",
    "restic014-prune-nopack",
    "restic014-restore-damaged",
    "restic019-check-json",
    "restic019-restore-json",
]


def begin(command: str) -> Session:
    """Begin a session of *command*."""
    argv = tuple(command.split())
    engine, at = engines.recognise(argv, {})
    return engine.session(engine.plan(argv, at, {}))


def run(command: str, *lines: tuple[str, Stream], exit: Exit) -> Result:
    """Feed *lines* to a run of *command* and conclude it."""
    session = begin(command)
    for text, stream in lines:
        session.feed(text.encode() + b"\n", stream)
    return session.conclude(exit)


@pytest.mark.parametrize("name", TASKS)
def test_the_output_is_relayed_untouched(name: str) -> None:
    """A person or a script reads restic's own output of a task."""
    capture = load(name)
    assert [fed.relay for fed in replay(capture.session(), capture.lines)] == [line for line, _ in capture.lines]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("restic014-check", "no errors were found"),
        ("restic014-check-damaged", "has errors (Pack ID does not match"),
        ("restic014-check-nopack", "does not exist"),
        ("restic014-check-wrongpw", "password is wrong"),
        ("restic014-prune-nopack", "has errors (The index references 1 needed pack"),
        ("restic014-restore-damaged", "/src/f1: ciphertext verification failed"),
        ("restic014-restore-nosnapshot", "no matching ID found"),
        ("restic014-forget-unknown", 'Ignoring "12345678"'),
        ("restic019-restore-json", "18 files"),
        ("restic019-check-json", "no errors were found"),
    ],
)
def test_the_reason_says_what_is_wrong(name: str, words: str) -> None:
    """A person reads which pack or which file it is, not only that there are errors."""
    assert words in result(load(name)).reason


def test_every_file_that_was_not_restored_is_named_once() -> None:
    """restic complains twice of one file; it is one problem in the list, and its own count stands."""
    found = result(load("restic014-restore-damaged"))
    assert [problem.item for problem in found.problems] == ["/src/f1"]
    assert found.errors == 2


@pytest.mark.parametrize(
    ("name", "unseen"),
    [
        ("restic014-check", Outcome.SUCCEEDED),
        ("restic014-prune", Outcome.SUCCEEDED),
        ("restic019-restore-json", Outcome.SUCCEEDED),
        ("restic019-check-json", Outcome.SUCCEEDED),
        ("restic014-check-quiet", Outcome.LOST),
        ("restic014-forget", Outcome.LOST),
        ("restic014-restore-verify", Outcome.LOST),
        ("restic014-check-damaged", Outcome.FAILED),
        ("restic014-restore-damaged", Outcome.FAILED),
        ("restic014-check-sigINT", Outcome.LOST),
    ],
)
def test_an_end_that_nobody_saw_is_good_only_by_last_words(name: str, unseen: Outcome) -> None:
    """A process that closes a dead wrapper's run believes restic's words and nothing else."""
    assert result(load(name), Exit(None)).outcome is unseen


@pytest.mark.parametrize("name", TASKS)
def test_both_streams_in_one_come_to_the_same(name: str) -> None:
    """`2>&1` changes no outcome."""
    capture = load(name)
    session = capture.session()
    for line, _ in capture.lines:
        session.feed(line, Stream.OUT)
    assert session.conclude(capture.exit).outcome is result(capture).outcome


def test_a_restore_that_was_asked_for_json_shows_its_progress() -> None:
    """restic 0.17 and later tell how far a restore is."""
    session = begin("restic restore --json latest --target /x")
    line = {
        "message_type": "status",
        "total_files": 30,
        "files_restored": 10,
        "files_skipped": 2,
        "total_bytes": 900,
        "bytes_restored": 300,
        "bytes_skipped": 50,
    }
    (event,) = session.feed(json.dumps(line).encode() + b"\n", Stream.OUT).events
    assert event == Progress(Phase.COPYING, 12, 30, 350, 900)


ERROR = ('{"message_type":"error","error":{"message":"no space left"},"during":"restore","item":"/x/y"}', Stream.ERR)
SUMMARY = ('{"message_type":"summary","total_files":3,"files_restored":2,"bytes_restored":7}', Stream.OUT)
BROKEN = ('{"message_type":"summary","num_errors":2,"broken_packs":["ab"]}', Stream.OUT)
LOCK = "unable to create lock in backend: repository is already locked by PID 7 on vm by root (UID 0)"
LOCKED = (json.dumps({"message_type": "exit_error", "code": 11, "message": LOCK}), Stream.ERR)
STOPPED = ("signal interrupt received, cleaning up", Stream.ERR)


@pytest.mark.parametrize(
    ("command", "lines", "exit", "expected"),
    [
        ("restore --json latest", (ERROR, SUMMARY), Exit(1), Outcome.FAILED),
        ("restore --json latest", (ERROR, SUMMARY), Exit(0), Outcome.WARNING),
        ("restore --json latest", (ERROR, SUMMARY), Exit(None), Outcome.WARNING),
        ("restore --json latest", (SUMMARY,), Exit(0), Outcome.SUCCEEDED),
        ("check --json", (BROKEN,), Exit(1), Outcome.FAILED),
        ("check --json", (BROKEN,), Exit(0), Outcome.WARNING),
        ("check --json", (BROKEN,), Exit(None), Outcome.LOST),
        ("prune", (LOCKED,), Exit(11), Outcome.FAILED),
        ("prune", (LOCKED,), Exit(None), Outcome.FAILED),
        ("check", (("Fatal: repository contains errors", Stream.ERR),), Exit(0), Outcome.FAILED),
        ("prune", (STOPPED,), Exit(1), Outcome.CANCELLED),
        ("prune", (("done", Stream.OUT),), Exit(None, 9), Outcome.FAILED),
        ("prune", (("done", Stream.OUT),), Exit(77), Outcome.FAILED),
        ("check", (), Exit(None, 15, asked=True), Outcome.CANCELLED),
    ],
)
def test_words_and_exit_code_decide_together(
    command: str, lines: tuple[tuple[str, Stream], ...], exit: Exit, expected: Outcome
) -> None:
    """No word makes a bad exit good, and no exit code 0 hides an error that restic named."""
    assert run(f"restic {command}", *lines, exit=exit).outcome is expected


def test_a_time_limit_is_no_cancel() -> None:
    """The user did not cancel the check that `timeout` cut off."""
    assert run("timeout 5h restic check", STOPPED, exit=Exit(124)).outcome is Outcome.FAILED


def test_a_lock_is_reported_with_the_command_that_removes_it() -> None:
    """Both a lock that is in the way and one that a killed run may have left."""
    locked = run("restic -r /mnt/repo prune", LOCKED, exit=Exit(11))
    assert locked.advice is not None
    assert "`restic -r /mnt/repo unlock`" in locked.advice
    for command in ("backup /x", "check"):
        killed = run(f"restic -r /mnt/repo {command}", exit=Exit(None, 9)).advice
        assert killed is not None
        assert "`restic -r /mnt/repo unlock`" in killed
    assert run("restic -r /mnt/repo backup /x", exit=Exit(1)).advice is None
