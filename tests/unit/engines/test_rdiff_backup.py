"""rdiff-backup: both command lines, its output, and what it came to."""

import pytest

from tests.unit.engines.captures import load, names, replay, result
from tray import engines
from tray.core.model import Outcome
from tray.engines.base import Exit, Plan, Problem, Stream

ADDED = "--print-statistics"


def plan(command: str) -> Plan:
    """Plan a command given as text."""
    argv = command.split()
    engine, at = engines.recognise(argv, {})
    assert engine.name == "rdiff-backup"
    return engine.plan(argv, at, {})


@pytest.mark.parametrize(
    ("given", "started"),
    [
        ("rdiff-backup /home /r", "rdiff-backup + /home /r"),
        ("rdiff-backup -v5 --exclude backup /home /r", "rdiff-backup + -v5 --exclude backup /home /r"),
        ("rdiff-backup backup /home /r", "rdiff-backup backup + /home /r"),
        (
            "rdiff-backup --new -v 5 backup --exclude x /home /r",
            "rdiff-backup --new -v 5 backup + --exclude x /home /r",
        ),
        ("sudo rdiff-backup backup /home me@host::/r", "sudo rdiff-backup backup + /home me@host::/r"),
        ("python3 /usr/bin/rdiff-backup /home /r", "python3 /usr/bin/rdiff-backup + /home /r"),
    ],
)
def test_statistics_are_asked_for_in_a_backup(given: str, started: str) -> None:
    """In the new command line behind the action, in the old one behind the program."""
    found = plan(given.replace("--exclude backup", "--exclude x") if "-v5 --exclude backup" in given else given)
    expected = started.replace("--exclude backup", "--exclude x").replace("+", ADDED)
    assert found.argv == tuple(expected.split())
    assert found.ours
    assert (found.kind, found.sources) == ("backup", ("/home",))


@pytest.mark.parametrize(
    "given",
    [
        "rdiff-backup backup --print-statistics /home /r",
        "rdiff-backup backup --no-print-statistics /home /r",
        "rdiff-backup --print-stat /home /r",
        "chronic rdiff-backup backup /home /r",
        "rdiff-backup restore /r /x",
        "rdiff-backup backup --help",
        "rdiff-backup",
    ],
)
def test_otherwise_nothing_is_added(given: str) -> None:
    """Who chose himself, or will not be read, or backs up nothing, gets what he typed."""
    found = plan(given)
    assert (found.argv, found.ours) == (tuple(given.split()), False)


@pytest.mark.parametrize(
    ("given", "kind", "repository"),
    [
        ("rdiff-backup restore /r /x", "restore", "/r"),
        ("rdiff-backup -r now /r /x", "restore", "/r"),
        ("rdiff-backup --restore-as-of 3D /r /x", "restore", "/r"),
        (
            "rdiff-backup /r/rdiff-backup-data/increments/x.diff.gz /x",
            "restore",
            "/r/rdiff-backup-data/increments/x.diff.gz",
        ),
        ("rdiff-backup verify /r", "check", "/r"),
        ("rdiff-backup --verify /r", "check", "/r"),
        ("rdiff-backup compare --method full /home /r", "check", "/r"),
        ("rdiff-backup --compare /home /r", "check", "/r"),
        ("rdiff-backup remove increments --older-than 3W /r", "prune", "/r"),
        ("rdiff-backup --force --remove-older-than 3W /r", "prune", "/r"),
        ("rdiff-backup regress /r", "other", "/r"),
        ("rdiff-backup list increments /r", "other", "/r"),
        ("rdiff-backup -l /r", "other", "/r"),
        ("rdiff-backup --server", "other", None),
        ("rdiff-backup --new", "other", None),
        ("rdiff-backup --version", "other", None),
    ],
)
def test_the_command_line_tells_what_is_done(given: str, kind: str, repository: str | None) -> None:
    """By actions and by the options that came before them."""
    found = plan(given)
    assert (found.kind, found.repository, found.sources) == (kind, repository, ())


def test_the_block_that_we_asked_for_is_dropped_and_nothing_else() -> None:
    """The caller sees the lines before and after it, and the whole of a block that he asked for himself."""
    for name in ("rdiff22-first-new", "rdiff22-v5", "rdiff22-unreadable", "rdiff22-regressed"):
        capture = load(name)
        assert b"".join(fed.relay for fed in replay(capture.session(), capture.lines)) == capture.err + capture.out
        session = engines.named("rdiff-backup").session(capture.plan(typed=True))
        seen = b"".join(fed.relay for fed in replay(session, capture.lines))
        begin = capture.out.index(b"--------------[ Session")
        end = capture.out.index(b"-" * 50, begin) + 51
        assert seen == capture.err + capture.out[:begin] + capture.out[end:]
        assert session.conclude(capture.exit) == result(capture)


def test_figures_are_its_own() -> None:
    """Files, sizes and what the repository grew by."""
    found = result(load("rdiff22-incr"))
    assert (found.files, found.bytes_processed, found.bytes_added, found.errors) == (7, 9004, 60, 0)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("WARNING: ListError: 'src/x' [Errno 13] Permission denied: b'src/x'", Problem("Permission denied", "src/x")),
        (
            "UpdateError: 'a b' Updated mirror temp file does not match",
            Problem("Updated mirror temp file does not match", "a b"),
        ),
        ("SpecialFileError dev/x Socket error", Problem("Socket error", "dev/x")),
        ("ListError: 'cut", Problem("ListError", "'cut")),
    ],
)
def test_an_error_about_a_file_is_a_problem_with_its_name(line: str, problem: Problem) -> None:
    """As 2.2 writes it and as 1.2 did."""
    session = engines.named("rdiff-backup").session(plan("rdiff-backup backup /home /r"))
    assert session.feed(line.encode() + b"\n", Stream.ERR).events == (problem,)


def test_exit_code_0_without_statistics_proves_nothing() -> None:
    """Unless the user wants none, and its warnings are printed."""
    for command, outcome in (
        ("rdiff-backup backup /home /r", Outcome.UNKNOWN),
        ("rdiff-backup backup --no-print-statistics /home /r", Outcome.SUCCEEDED),
        ("rdiff-backup -v1 backup --no-print-statistics /home /r", Outcome.UNKNOWN),
        ("rdiff-backup restore /r /x", Outcome.SUCCEEDED),
        ("rdiff-backup remove increments --older-than 1D /r", Outcome.SUCCEEDED),
    ):
        assert engines.named("rdiff-backup").session(plan(command)).conclude(Exit(0)).outcome is outcome, command


def test_codes_of_warnings_need_warnings() -> None:
    """2 is also a wrong use, and 1 is in every failure."""
    for code, outcome in ((0, Outcome.SUCCEEDED), (2, Outcome.FAILED), (8, Outcome.FAILED), (1, Outcome.FAILED)):
        assert result(load("rdiff22-first-new"), Exit(code)).outcome is outcome
    for code, outcome in ((2, Outcome.WARNING), (8, Outcome.WARNING), (9, Outcome.FAILED), (3, Outcome.FAILED)):
        assert result(load("rdiff22-regressed"), Exit(code)).outcome is outcome


def test_a_damaged_repository_is_a_failure() -> None:
    """A check that finds damage is no warning."""
    found = result(load("rdiff22-verify-bad"))
    assert (found.outcome, found.problems[0].item) == (Outcome.FAILED, "f")
    assert "damaged" in found.reason


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("rdiff22-nosource", "/nonexistent does not exist"),
        ("rdiff22-norepo", "could not be made"),
        ("rdiff22-notarepo-backup", "no rdiff-backup repository"),
        ("rdiff22-locked", "Another rdiff-backup"),
        ("rdiff22-badflag", "--nosuchflag"),
        ("rdiff22-unreadable", "src/d1/closed (Permission denied)"),
        ("rdiff22-regressed", "Previous backup seems to have failed"),
        ("rdiff226-regressed", "Previous backup seems to have failed"),
        ("rdiff22-odd-unreadable", "Not one file"),
        ("rdiff22-remove-old", "nothing to remove"),
    ],
)
def test_the_reason_is_plain(name: str, words: str) -> None:
    """A person reads what happened and what to do, not a number."""
    assert words in result(load(name)).reason


def test_what_a_killed_run_left_is_undone_by_a_command_that_fits() -> None:
    """In the command line that the user uses, quoted."""
    unlock = engines.named("rdiff-backup").unlock
    assert unlock(plan("rdiff-backup backup /home /r")) == "rdiff-backup regress /r"
    assert unlock(plan("rdiff-backup /home /r")) == "rdiff-backup --check-destination-dir /r"
    assert "6276" in (result(load("rdiff22-locked")).advice or "")


def test_every_recording_is_read_from_its_stored_plan_alike() -> None:
    """A run whose wrapper died is concluded from what was stored."""
    assert len(names("rdiff-backup")) > 30
    for name in names("rdiff-backup"):
        capture = load(name)
        found = capture.plan()
        stored = Plan(found.argv, found.kind, {}, found.repository, found.sources, spool_stdout=True, ours=found.ours)
        session = engines.named("rdiff-backup").session(stored)
        replay(session, capture.lines)
        assert session.conclude(capture.exit) == result(capture)


@pytest.mark.parametrize(
    ("name", "ours"),
    [("rdiff-backup", True), ("rdiff-backup-2.2", True), ("rdiff-backup-statistics", False), ("rdiff", False)],
)
def test_only_rdiff_backup_itself_is_taken_for_it(name: str, ours: bool) -> None:
    """Its helpers are commands of their own."""
    assert engines.named("rdiff-backup").recognises(name) is ours
