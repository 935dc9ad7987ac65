"""dar: its command line, its words in several languages, and the results of its runs."""

import pytest

from tests.unit.engines.captures import load, names, replay, result
from tray import engines
from tray.core.model import Outcome, Phase
from tray.engines.base import Exit, Plan, Problem, Progress, Stream


def plan(command: str) -> Plan:
    """Plan a command given as text."""
    argv = command.split()
    engine, at = engines.recognise(argv, {})
    assert engine.name == "dar"
    return engine.plan(argv, at, {})


@pytest.mark.parametrize(
    ("command", "sources", "repository"),
    [
        ("dar -c /b/x -R /home", ("/home",), "/b/x"),
        ("dar -c /b/x", (".",), "/b/x"),
        ("dar -R / -g home -g srv/www -c /b/x", ("/home", "/srv/www"), "/b/x"),
        ("dar -c /b/x -R /home -[ /etc/list -B /etc/more.dcf", ("/home", "listed in /etc/list", "listed in /etc/more.dcf"), "/b/x"),
        ("dar -z9 -wa -p -c /b/x -R /home", ("/home",), "/b/x"),
        ("dar -c- -R /home", ("/home",), None),
        ("dar -x /b/x -R /home", (), "/b/x"),
    ],
)  # fmt: skip
def test_the_command_line_names_sources_and_archive(
    command: str, sources: tuple[str, ...], repository: str | None
) -> None:
    """Letters may take a value glued to them; nothing is added."""
    planned = plan(command)
    assert (planned.sources, planned.repository, planned.argv) == (sources, repository, tuple(command.split()))


def test_an_archive_on_stdout_is_left_alone() -> None:
    """`dar -c - | ssh …`: the caller's pipe is never read, and the statistics then come on stderr."""
    assert not plan("dar -c - -R /home").spool_stdout
    assert plan("dar -c /b/x -R /home").spool_stdout
    assert (plan("dar -c - -R /home").writes, plan("dar -t /b/x").writes) == (True, False)


def test_every_line_is_the_callers() -> None:
    """The wrapper keeps no byte of any run back."""
    for name in names("dar"):
        capture = load(name)
        assert [fed.relay for fed in replay(capture.session(), capture.lines)] == [line for line, _ in capture.lines]


@pytest.mark.parametrize(
    ("name", "files", "problems"),
    [
        ("first", 8, ()),
        ("unchanged", 8, ()),
        ("changed", 1, (Problem("it changed while dar was reading it", "/home/joe/slow/f"),)),
    ],
)
def test_the_statistics_are_read(name: str, files: int, problems: tuple[Problem, ...]) -> None:
    """Saved and unchanged files are in the backup."""
    ended = result(load(f"dar27-{name}"))
    assert (ended.files, ended.problems) == (files, problems)


def test_a_folder_that_cannot_be_listed_is_a_warning_though_dar_ends_with_0() -> None:
    """Only one line tells of it."""
    ended = result(load("dar27-closed"))
    assert (load("dar27-closed").code, ended.outcome, ended.problems[0].item) == (
        0,
        Outcome.WARNING,
        "/home/joe/source/closed",
    )


@pytest.mark.parametrize(
    ("command", "outcome"), [("dar -c x", Outcome.WARNING), ("dar -v -c x", Outcome.UNKNOWN), ("dar -q -c x", Outcome.WARNING)]
)  # fmt: skip
def test_a_language_that_is_not_known_hides_no_problem(command: str, outcome: Outcome) -> None:
    """A line in French or Swedish before the statistics may be an error."""
    session = engines.named("dar").session(plan(command))
    session.feed(b"Kan inte l\xc3\xa4sa katalog: /x : \xc3\x85tkomst nekas\n", Stream.OUT)
    if "-q" not in command:
        for line in load("dar27-french").out.splitlines(keepends=True):
            session.feed(line, Stream.OUT)
    assert session.conclude(Exit(0)).outcome is outcome


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nosource", "The source missing does not exist"),
        ("nodest", "The folder nowhere for the archive does not exist"),
        ("exists", "exists already and was kept"),
        ("diskfull", "no space left"),
        ("wrongpw", "the password is wrong"),
        ("hook-failed", "A command that dar was to run"),
        ("root-closed", "Permission denied"),
        ("test-damaged", "The archive is damaged."),
    ],
)
def test_the_reason_is_plain(name: str, words: str) -> None:
    """The user reads what happened and what to do, not a number."""
    assert words in result(load(f"dar27-{name}")).reason


def test_code_5_without_the_statistics_is_a_failure() -> None:
    """The archive may lack its end; what the exit code 5 means then is not known."""
    capture = load("dar27-unreadable")
    for lines in (capture.lines[:3], []):
        session = capture.session()
        replay(session, lines)
        assert session.conclude(Exit(5)).outcome is Outcome.FAILED
    assert result(capture, Exit(None)).outcome is Outcome.LOST


def test_with_more_words_the_files_are_named() -> None:
    """`-v` makes dar say which file it adds."""
    capture = load("dar27-verbose")
    events = [event for fed in replay(capture.session(), capture.lines) for event in fed.events]
    assert events[1] == Progress(Phase.COPYING, current="/home/joe/source/docs/new.txt")


@pytest.mark.parametrize("name", ["dar27-french", "dar27-first"])
def test_errors_on_standard_output_are_read_as_such(name: str) -> None:
    """With `2>&1`, as cron lines have it, dar's word that there is no terminal is no problem, in French neither."""
    session = load(name).session()
    for line, _ in load(name).lines:
        session.feed(line, Stream.OUT)
    assert session.conclude(Exit(0)).outcome is Outcome.SUCCEEDED
