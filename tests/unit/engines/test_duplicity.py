"""duplicity: its command line, its output, and what it came to."""

import pytest

from tests.unit.engines.captures import load, names, replay, result
from tray import engines
from tray.core.model import Outcome, Phase
from tray.engines.base import Exit, Plan, Problem, Progress, Stream


def plan(command: str, **environ: str) -> Plan:
    """Plan a command given as text."""
    argv = command.split()
    engine, at = engines.recognise(argv, environ)
    assert engine.name == "duplicity"
    return engine.plan(argv, at, environ)


def feed(*lines: str, command: str = "duplicity full /home file:///r") -> list[object]:
    """Return the events of some lines on stdout."""
    session = engines.named("duplicity").session(plan(command))
    return [event for line in lines for event in session.feed(line.encode() + b"\n", Stream.OUT).events]


@pytest.mark.parametrize(
    ("given", "kind", "sources", "repository"),
    [
        ("duplicity /home file:///r", "backup", ("/home",), "file:///r"),
        ("duplicity full /home file:///r", "backup", ("/home",), "file:///r"),
        ("duplicity incr --exclude full /home sftp://me@host/r", "backup", ("/home",), "sftp://me@host/r"),
        ("duplicity backup -v4 --name x /home b2://id@bucket", "backup", ("/home",), "b2://id@bucket"),
        ("duplicity --arch /a -t 3D file:///r /back", "restore", (), "file:///r"),
        ("duplicity restore -r etc file:///r /back", "restore", (), "file:///r"),
        ("duplicity verify file:///r /home", "check", (), "file:///r"),
        ("duplicity verify /home file:///r", "check", (), "file:///r"),
        ("duplicity cleanup --force file:///r", "prune", (), "file:///r"),
        ("duplicity remove-older-than 6M --force file:///r", "prune", (), "file:///r"),
        ("duplicity remove-all-but-n-full 2 --force file:///r", "prune", (), "file:///r"),
        ("duplicity remove-older-than 6M file:///r", "other", (), "file:///r"),
        ("duplicity full --dry-run /home file:///r", "dry-run", ("/home",), "file:///r"),
        ("duplicity collection-status file:///r", "other", (), "file:///r"),
        ("duplicity list file:///r", "other", (), "file:///r"),
        ("duplicity re file:///r", "other", (), "file:///r"),
        ("duplicity --version", "other", (), None),
        ("duplicity", "other", (), None),
        ("duplicity --rename a b /home file:///r", "backup", ("/home",), "file:///r"),
        ("/usr/bin/python3 /usr/bin/duplicity full /home file:///r", "backup", ("/home",), "file:///r"),
    ],
)
def test_the_command_line_tells_what_is_done(
    given: str, kind: str, sources: tuple[str, ...], repository: str | None
) -> None:
    """Old forms without a command, new ones with, shortened options, and the order of folder and address."""
    found = plan(given)
    assert (found.kind, found.sources, found.repository) == (kind, sources, repository)


@pytest.mark.parametrize(
    "given", ["duplicity /home file:///r", "duplicity full --progress /home file:///r", "sudo duplicity /home s3://b"]
)
def test_nothing_is_added(given: str) -> None:
    """--progress makes duplicity read the source twice, and a descriptor for --log-fd does not get through sudo."""
    found = plan(given)
    assert (found.argv, found.env, found.ours) == (tuple(given.split()), {}, False)
    assert found.spool_stdout


def test_output_that_does_not_come_here_is_not_read() -> None:
    """Behind chronic there is nothing to see; a listing is not ours to read."""
    assert not plan("chronic duplicity /home file:///r").spool_stdout
    assert not plan("duplicity list-current-files file:///r").spool_stdout


def test_a_password_in_the_address_is_hidden() -> None:
    """Of a login the log records the user's name only."""
    assert plan("duplicity /home ftp://joe:hunter2@host/r").repository == "ftp://joe:***@host/r"


def test_statistics_become_figures() -> None:
    """Files, sizes and what was added are duplicity's own."""
    found = result(load("duplicity0822-first"))
    assert (found.files, found.bytes_processed, found.bytes_added, found.errors) == (10, 28393, 12398, 0)
    assert result(load("duplicity0822-dryrun")).bytes_added is None


def test_a_file_that_cannot_be_read_is_named_once() -> None:
    """The text, and the same in the machine-readable log, are one problem."""
    found = feed("Error accessing possibly locked file /home/x", ". Error accessing possibly locked file /home/x")
    assert found == [Problem("Error accessing possibly locked file", "/home/x")]
    assert [event for event in feed("Error [Errno 5] getting delta for /home/y") if isinstance(event, Problem)] == [
        Problem("Error [Errno 5] getting delta for", "/home/y")
    ]


def test_its_count_of_errors_counts_though_no_item_was_named() -> None:
    """In another language only the statistics can be read."""
    argv = ("duplicity", "full", "/home", "file:///r")
    session = engines.named("duplicity").session(plan(" ".join(argv)))
    lines = b"---------[ Statistik ]---------\nSourceFiles 9\nErrors 2\n-------------------------\n"
    replay(session, [(line + b"\n", Stream.OUT) for line in lines.split(b"\n")])
    found = session.conclude(Exit(0))
    assert (found.outcome, found.errors) == (Outcome.WARNING, 2)


def test_names_cannot_forge_the_statistics() -> None:
    """A folder called like the block before the real one changes nothing."""
    session = engines.named("duplicity").session(plan("duplicity full /home file:///r"))
    forged = "Error accessing possibly locked file /a\n------[ B ]------\nErrors 0\n----------------------\n"
    for line in (forged + load("duplicity0822-unreadable").out.decode()).splitlines(keepends=True):
        session.feed(line.encode(), Stream.OUT)
    found = session.conclude(Exit(0))
    assert (found.outcome, found.errors) == (Outcome.WARNING, 3)


def test_exit_code_0_without_statistics_proves_nothing() -> None:
    """Unless the user wants none, and its warnings are printed."""
    for command, outcome in (
        ("duplicity full /home file:///r", Outcome.UNKNOWN),
        ("duplicity full --no-print-statistics /home file:///r", Outcome.SUCCEEDED),
        ("duplicity full --no-print-statistics -v0 /home file:///r", Outcome.UNKNOWN),
        ("duplicity full --no-print-statistics -v error /home file:///r", Outcome.UNKNOWN),
        ("chronic duplicity full --no-print-statistics /home file:///r", Outcome.UNKNOWN),
        ("duplicity restore file:///r /back", Outcome.SUCCEEDED),
    ):
        assert engines.named("duplicity").session(plan(command)).conclude(Exit(0)).outcome is outcome, command


@pytest.mark.parametrize(
    ("line", "left"),
    [
        ("\x1b[F\x1b[2K200.0MB 00:00:10 [42.0MB/s] [=====>                                   ] 13% ETA < 45sec", 45),
        ("1.2GB 00:10:10 [42.0MB/s] [=====>                                   ] 13% ETA 1h 5min", 3900),
        ("200.0MB 00:00:15 [0.0B/s] [=====>                                   ] 13% ETA Stalled!", None),
        ("0.0KB 00:00:01 [0.0KB/s] [>                                        ] 0% ETA 1sec", None),
        ("NOTICE 16 400 10 26 45 100 0", 45),
        ("NOTICE 16 400 10 26 45 100 1", None),
    ],
)
def test_the_time_left_is_duplicitys_own_where_the_user_asked_for_it(line: str, left: int | None) -> None:
    """No percentage is made of it: it compares compressed bytes with others."""
    assert feed(line) == [Progress(Phase.COPYING, eta_seconds=left)]


def test_every_line_is_the_callers() -> None:
    """Of no recorded run a byte is kept back."""
    for name in names("duplicity"):
        capture = load(name)
        assert [fed.relay for fed in replay(capture.session(), capture.lines)] == [line for line, _ in capture.lines]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("duplicity0822-nosource", "/nonexistent does not exist"),
        ("duplicity0822-diskfull", "no space left"),
        ("duplicity0822-locked", "Another duplicity"),
        ("duplicity0822-nopass", "passphrase is missing"),
        ("duplicity0822-badkey", "No public key"),
        ("duplicity0822-norepo", "`duplicity full`"),
        ("duplicity0822-badflag", "--nosuchflag"),
        ("duplicity0822-odd-unreadable", "Not one file"),
    ],
)
def test_the_reason_is_plain(name: str, words: str) -> None:
    """A person reads what happened and what to do, not a number."""
    assert words in result(load(name)).reason


def test_no_command_that_removes_a_lock_is_offered_in_doubt() -> None:
    """A second run without the lock destroys what the first one writes. Before 0.7.18 the lock is a file."""
    session = engines.named("duplicity").session(plan("duplicity full /home file:///r"))
    text = "Another instance is already running with this archive directory\nyou may delete /c/a b/lockfile.lock\n"
    for line in text.splitlines(keepends=True):
        session.feed(line.encode(), Stream.ERR)
    assert (
        session.conclude(Exit(23)).advice
        == "Wait until the other duplicity ends. If none is running for certain, the log of this run names its lock file."
    )
    assert result(load("duplicity0822-locked")).advice == "Wait until the other duplicity ends; its lock goes with it."
    assert engines.named("duplicity").unlock(plan("duplicity full /home file:///r")) is None


def test_the_interrupt_that_it_does_not_speak_of_is_a_cancel() -> None:
    """It exits 4 without a word; with words that code is an error."""
    session = engines.named("duplicity").session(plan("duplicity full /home file:///r"))
    assert session.conclude(Exit(4)).outcome is Outcome.CANCELLED
    session = engines.named("duplicity").session(plan("duplicity restore file:///r /x"))
    session.feed(b"No backup chains\n", Stream.ERR)
    assert session.conclude(Exit(4)).outcome is Outcome.FAILED


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("duplicity", True),
        ("duplicity3", True),
        ("duplicity-0.8", True),
        ("duplicity-backup.sh", False),
        ("duply", False),
    ],
)
def test_only_duplicity_itself_is_taken_for_it(name: str, ours: bool) -> None:
    """A script around it is a command of its own."""
    assert engines.named("duplicity").recognises(name) is ours
