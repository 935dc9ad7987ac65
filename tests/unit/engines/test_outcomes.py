"""The outcome of a restic run, for every recorded scenario and version, and for those that cannot be recorded."""

import json

import pytest

from tests.unit.engines import captures as engine_captures
from tests.unit.engines.captures import load, replay, result
from tests.unit.engines.letters import C, F, L, S, U, W
from tray import engines
from tray.core.model import Outcome
from tray.engines.base import Exit, Result, Stream


def test_no_recorded_run_with_an_error_is_green() -> None:
    """A run that ended badly, or said anything on stderr, never counts as a success."""
    captures = [load(name) for name in engine_captures.names("restic")]
    bad = [capture for capture in captures if capture.code != 0 or capture.err]
    assert len(bad) > 20
    assert [capture.name for capture in bad if result(capture).outcome is S] == []


@pytest.mark.parametrize("name", [name for name in engine_captures.names("restic") if "backup" in load(name).argv])
def test_a_run_whose_end_nobody_saw_is_green_only_with_its_summary(name: str) -> None:
    """A process that closes a dead wrapper's run concludes from restic's last words, and never guesses a success."""
    capture = load(name)
    for cut in range(0, len(capture.lines) + 1, max(len(capture.lines) // 20, 1)):
        session = capture.session()
        lines = capture.lines[:cut]
        replay(session, lines)
        outcome = session.conclude(Exit(None)).outcome
        done = any(b'"summary"' in line or b" saved" in line for line, _ in lines)
        assert outcome is S or outcome is W if done else outcome in (L, F, C), lines[-1:]
        assert not (outcome is S and capture.code != 0)


@pytest.mark.parametrize(
    "name", [f"restic{v}-{s}-json" for v in ("014", "019") for s in ("sigINT", "sigTERM", "sigKILL")]
)
def test_a_stop_that_was_asked_for_is_a_cancel(name: str) -> None:
    """Ctrl-C, SIGTERM and `cancel` are the person's wish in every version, however restic then ends."""
    capture = load(name)
    asked = Exit(capture.exit.code, capture.exit.signal, asked=True)
    assert result(capture, asked).outcome is C


def test_a_stop_that_came_too_late_stays_a_success() -> None:
    """A snapshot that was saved before the signal came is a backup."""
    assert result(load("restic019-first-json"), Exit(0, asked=True)).outcome is S


# restic 0.18 was not recorded; these are its codes (0.18 exits 1 on a signal, and announces its code in JSON).
def _run(*lines: tuple[str, Stream], exit: Exit, argv: tuple[str, ...] = ("restic", "backup", "/home")) -> Result:
    engine, at = engines.recognise(argv, {})
    session = engine.session(engine.plan(argv, at, {}))
    for text, stream in lines:
        session.feed(text.encode() + b"\n", stream)
    return session.conclude(exit)


SUMMARY = (
    json.dumps({"message_type": "summary", "snapshot_id": "ab" * 32, "total_files_processed": 3, "data_added": 7}),
    Stream.OUT,
)
STOPPED = ("\rsignal terminated received, cleaning up ", Stream.ERR)
EXIT_1 = (
    '{"message_type":"exit_error","code":1,"message":"Fatal: unable to save snapshot: context canceled"}',
    Stream.ERR,
)
UNREAD = ('{"message_type":"error","error":{"message":"no"},"during":"archival","item":"/x"}', Stream.ERR)


@pytest.mark.parametrize(
    ("lines", "exit", "expected"),
    [
        ((SUMMARY,), Exit(0), S),
        ((SUMMARY, UNREAD), Exit(0), W),
        ((SUMMARY,), Exit(3), W),
        ((), Exit(3), F),
        ((), Exit(0), F),
        ((SUMMARY,), Exit(4), F),
        ((SUMMARY,), Exit(77), F),
        ((SUMMARY,), Exit(1), F),
        ((STOPPED, EXIT_1), Exit(1), C),
        ((STOPPED, EXIT_1), Exit(None), C),
        ((EXIT_1,), Exit(None), F),
        ((), Exit(None), L),
        ((), Exit(130), C),
        ((), Exit(None, 9), F),
        ((), Exit(None, 15), F),
        ((), Exit(None, 2, asked=True), C),
        ((STOPPED,), Exit(None, 9), F),
        ((SUMMARY,), Exit(None), S),
        ((SUMMARY, UNREAD), Exit(None), W),
    ],
)
def test_words_and_exit_code_decide_together(
    lines: tuple[tuple[str, Stream], ...], exit: Exit, expected: Outcome
) -> None:
    """Neither the summary nor the exit code alone proves a backup, and an unknown code is a failure."""
    assert _run(*lines, exit=exit).outcome is expected


def test_the_time_limit_of_timeout_is_a_failure_and_says_so() -> None:
    """The user did not cancel the backup that `timeout` cut off, although restic says that a signal came."""
    found = _run(STOPPED, exit=Exit(124), argv=("timeout", "5h", "restic", "backup", "/home"))
    assert found.outcome is F
    assert "timeout" in found.reason


def test_an_opaque_wrapper_makes_the_outcome_unknown() -> None:
    """Exit 0 of a systemd-run that does not wait says nothing about the backup."""
    for argv in (
        ("systemd-run", "restic", "backup", "/x"),
        ("setsid", "restic", "backup", "/x"),
        ("tmux", "new", "restic"),
    ):
        assert _run(exit=Exit(0), argv=argv).outcome is U
    engine = engines.named("restic")
    argv = ("systemd-run", "restic", "backup", "/x")
    assert engine.session(engine.plan(argv, 1, {})).conclude(Exit(0)).outcome is U


def test_unseen_output_cannot_prove_a_success() -> None:
    """Behind `chronic` restic's words do not come here, and its exit code 0 may hide a missing source."""
    argv = ("chronic", "restic", "backup", "/x")
    assert _run(exit=Exit(0), argv=argv).outcome is U
    assert _run(exit=Exit(3), argv=argv).outcome is W
    assert _run(exit=Exit(1), argv=argv).outcome is F


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("restic014-wrongpw-json", "password is wrong"),
        ("restic019-wrongpw-json", "password is wrong"),
        ("restic014-norepo-json", "at repos/nonexist; check"),
        ("restic019-norepo-json", "`restic init`"),
        ("restic014-locked-backup-json", "locked by PID 22759 on vm by root; wait"),
        ("restic019-locked-backup-json", "wait until that run ends"),
        ("restic014-locked-prune-json", "wait until that run ends"),
        ("restic014-refused-json", "it refused the connection"),
        ("restic014-nohost-json", "its name is not known"),
        ("restic014-sftp-refused-json", "it refused the connection"),
        ("restic014-401-json", "The login was refused (401)"),
        ("restic014-diskfull-json", "no space left"),
        ("restic019-diskfull-json", "no space left"),
        ("restic019-nosource-json", "None of the sources exists"),
        ("restic014-badflag-json", "unknown flag: --nosuchflag"),
        ("restic019-sigKILL-json", "signal 9 (SIGKILL)"),
        ("restic014-partialsource-json", "/nonexistent/dir"),
        ("restic019-unreadable-json", "2 problems"),
    ],
)
def test_the_reason_is_plain_and_names_the_next_step(name: str, words: str) -> None:
    """A person reads what happened and what to do, not a code."""
    assert words in result(load(name)).reason


def test_exit_codes_10_to_12_speak_without_words() -> None:
    """restic 0.17 and later tell the cause by the code, should the message be lost."""
    assert "repository at this address" in _run(exit=Exit(10)).reason
    assert "locked" in _run(exit=Exit(11)).reason
    assert "password" in _run(exit=Exit(12)).reason


def test_a_dry_run_names_no_snapshot() -> None:
    """The id that restic prints in a dry run belongs to nothing, so it is no backup on record."""
    for name in ("restic014-dryrun-json", "restic019-dryrun-json"):
        capture = load(name)
        found = result(capture)
        assert capture.plan().kind == "dry-run"
        assert found.snapshot is None
        assert found.bytes_added is None
        assert "nothing was saved" in found.reason


def test_a_summary_without_a_snapshot_is_no_clean_success() -> None:
    """Only `--skip-if-unchanged` may save nothing and still be fine."""
    silent = ('{"message_type":"summary","total_files_processed":3}', Stream.OUT)
    assert _run(silent, exit=Exit(0)).outcome is W
    asked = _run(silent, exit=Exit(0), argv=("restic", "backup", "--skip-if-unchanged", "/home"))
    assert asked.outcome is S
    assert "Nothing had changed" in asked.reason


def test_counts_come_from_the_summary() -> None:
    """Files, sizes and snapshot are restic's own figures; "added" is what was stored, where restic says so."""
    found = result(load("restic019-first-json"))
    assert (found.files, found.bytes_processed, found.bytes_added, found.errors) == (20019, 1554073833, 1347477297, 0)
    assert found.snapshot is not None
    assert len(found.snapshot) == 64


def test_the_summary_in_plain_text_proves_a_backup_too() -> None:
    """With -v restic's own lines are read; sizes that it rounds there are not taken for exact ones."""
    found = result(load("restic019-text-notty"))
    assert (found.outcome, found.files, found.bytes_processed, found.snapshot) == (S, 20219, None, "e51ca378")
