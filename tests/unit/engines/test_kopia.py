"""kopia, by its documented output: hand-made lines, since it was not run."""

import pytest

from tests.unit.engines.captures import load, names, replay, result
from tray import engines
from tray.core.model import Outcome, Phase
from tray.engines.base import Exit, Plan, Problem, Progress, Stream


def plan(command: str, **environ: str) -> Plan:
    """Plan a command given as text."""
    argv = command.split()
    engine, at = engines.recognise(argv, environ)
    assert engine.name == "kopia"
    return engine.plan(argv, at, environ)


@pytest.mark.parametrize(
    ("given", "kind", "sources"),
    [
        ("kopia snapshot create /home /etc", "backup", ("/home", "/etc")),
        ("kopia snap create --parallel 4 /home", "backup", ("/home",)),
        ("kopia --config-file /c snapshot create --tags a:b /home", "backup", ("/home",)),
        ("kopia snapshot create --all", "backup", ("everything backed up before",)),
        ("kopia restore k1 /x", "restore", ()),
        ("kopia snapshot restore k1 /x", "restore", ()),
        ("kopia snapshot verify --verify-files-percent 1", "check", ()),
        ("kopia maintenance run --full", "prune", ()),
        ("kopia maintenance info", "other", ()),
        ("kopia snapshot list", "other", ()),
        ("kopia server start", "other", ()),
        ("kopia snapshot create --help", "other", ()),
        ("kopia", "other", ()),
    ],
)
def test_the_command_line_tells_what_is_done(given: str, kind: str, sources: tuple[str, ...]) -> None:
    """Flags may stand anywhere; nothing is added."""
    found = plan(given)
    assert (found.kind, found.sources, found.argv, found.ours) == (kind, sources, tuple(given.split()), False)
    assert found.spool_stdout is (kind != "other")


def test_the_configuration_stands_for_the_repository() -> None:
    """kopia's commands do not name the repository; nothing is read to find out."""
    assert plan("kopia --config-file=/c snapshot create /x").repository == "connected in /c"
    assert plan("kopia snapshot create /x", KOPIA_CONFIG_PATH="/d").repository == "connected in /d"
    assert plan("kopia snapshot create /x").repository is None


def test_an_update_becomes_progress() -> None:
    """Hashed and cached is done, estimated is the whole, and there is no whole before it estimates."""
    fed = replay(load("kopia-handmade-first").session(), load("kopia-handmade-first").lines)
    found = [event for one in fed for event in one.events if isinstance(event, Progress)]
    assert found[0] == Progress(Phase.SCANNING, files_done=0, bytes_done=65_500, errors=0)
    assert found[2] == Progress(
        Phase.COPYING,
        files_done=9132,
        bytes_done=1_103_400_000,
        bytes_total=1_600_000_000,
        eta_seconds=8,
    )
    assert len(found) == 4


def test_base_2_sizes_and_long_times_are_read_too() -> None:
    """KOPIA_BYTES_STRING_BASE_2 changes the units, a long run the time left."""
    session = engines.named("kopia").session(plan("kopia snapshot create /x"))
    line = b" | 1 hashing, 2 hashed (1.5 KiB), 0 cached (0 B), uploaded 1 KiB (2 errors ignored)"
    line += b", estimated 2 MiB (0.1%) 1h2m3s left\r"
    (event,) = session.feed(line, Stream.ERR).events
    assert event == Progress(Phase.COPYING, 2, None, 1536, 2_097_152, 3723, None, 2)


def test_every_line_is_the_callers() -> None:
    """Of no run a byte is kept back."""
    for name in names("kopia"):
        capture = load(name)
        assert [fed.relay for fed in replay(capture.session(), capture.lines)] == [line for line, _ in capture.lines]


def test_a_manifest_tells_what_is_missing() -> None:
    """With --json kopia ends with exit code 0 though files could not be read."""
    found = result(load("kopia-handmade-json-unreadable"))
    assert (found.outcome, found.errors, found.files, found.bytes_processed) == (
        Outcome.WARNING,
        2,
        20231,
        1_600_000_000,
    )
    assert found.problems == (Problem("permission denied", "d/shut"),)
    assert found.snapshot == "28970403c4d50bfa7f42d0143ce6e65c"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("first", "Snapshot 28970403 was saved."),
        ("unreadable", "d/shut (permission denied)"),
        ("nosource", "source does not exist"),
        ("wrongpw", "password of the repository is wrong"),
        ("notconnected", "`kopia repository connect`"),
        ("diskfull", "no space left"),
        ("unchanged", "Nothing had changed"),
    ],
)
def test_the_reason_is_plain(name: str, words: str) -> None:
    """A person reads what happened and what to do, not a number."""
    assert words in result(load(f"kopia-handmade-{name}")).reason


def test_neither_words_nor_code_alone_are_a_success() -> None:
    """A snapshot that was named before an unknown end, or none before a good one."""
    for name, how, outcome in (
        ("first", Exit(1), Outcome.FAILED),
        ("first", Exit(3), Outcome.FAILED),
        ("first", Exit(None), Outcome.SUCCEEDED),
        ("sigKILL", Exit(0), Outcome.UNKNOWN),
        ("sigKILL", Exit(None), Outcome.LOST),
        ("failfast", Exit(0), Outcome.WARNING),
        ("failfast", Exit(None), Outcome.LOST),
        ("failfast", Exit(0, asked=True), Outcome.CANCELLED),
        ("json-incomplete", Exit(0), Outcome.WARNING),
    ):
        assert result(load(f"kopia-handmade-{name}"), how).outcome is outcome, (name, how)


def test_an_endless_document_is_given_up() -> None:
    """JSON that never ends takes no more than a megabyte."""
    session = engines.named("kopia").session(plan("kopia snapshot create --json /x"))
    session.feed(b"{\n", Stream.OUT)
    for _ in range(40):
        session.feed(b' "a": ' + b"1" * 50_000 + b",\n", Stream.OUT)
    assert session.conclude(Exit(0)).outcome is Outcome.UNKNOWN


def test_only_kopia_itself_is_taken_for_it() -> None:
    """Its desktop program is a command of its own."""
    assert [engines.named("kopia").recognises(name) for name in ("kopia", "kopia-0.17.0", "kopia-ui")] == [
        True,
        True,
        False,
    ]


def test_one_of_two_snapshots_is_no_success_without_a_seen_end() -> None:
    """The error about the second source may be what was not seen; how many `--all` has is not known."""
    created = b"Created snapshot with root k1 and ID 28970403c4d50bfa7f42d0143ce6e65c in 31s\n"
    for command, lines, outcome in (
        ("kopia snapshot create /a /b", 1, Outcome.LOST),
        ("kopia snapshot create /a /b", 2, Outcome.SUCCEEDED),
        ("kopia snapshot create --all", 2, Outcome.LOST),
    ):
        session = engines.named("kopia").session(plan(command))
        for _ in range(lines):
            session.feed(created, Stream.ERR)
        assert session.conclude(Exit(None)).outcome is outcome, command


def test_a_count_that_is_told_takes_back_no_problem() -> None:
    """kopia counts the errors of files; an incomplete snapshot and an error after it are problems beside them."""
    session = engines.named("kopia").session(plan("kopia snapshot create --json /x"))
    manifest = b'{"id": "28970403", "rootEntry": {"summ": {"size": 1, "files": 1, "numFailed": 0}}, "incomplete": "canceled"}\n'
    session.feed(manifest, Stream.OUT)
    session.feed(b"kopia: error: the maintenance failed\n", Stream.ERR)
    session.feed(b"ERROR Found 1 fatal error(s) while snapshotting joe@desk:/x.\n", Stream.ERR)
    ended = session.conclude(Exit(None))
    assert (len(ended.problems), ended.errors) == (2, 2)
