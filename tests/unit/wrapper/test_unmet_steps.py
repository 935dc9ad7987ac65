"""Steps that were over before a look could meet them, and programs that say of themselves that they failed."""

import os
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.waiting import wait_for
from tray import engines
from tray.core.model import Outcome
from tray.engines.base import Exit, Result, Stream
from tray.engines.command import with_failures
from tray.observe.events import Event, Events, Exits, names
from tray.observe.execs import Execs
from tray.wrapper.script_steps import Steps
from tray.wrapper.unmet_steps import Unseen, seen_text

FINE = Result(Outcome.SUCCEEDED, "sh ended with exit code 0.")
GONE = 2**22 + 1
"""A number that no process has."""


class Named(Exits):
    """The kernel's answers about the names of processes that have ended."""

    def __init__(self, known: dict[int, str]) -> None:
        super().__init__()
        self.close()
        self._names = known


def ended(
    *codes: int, opened: tuple[str, ...] = (), met: tuple[str, ...] = (), names: tuple[str, ...] = ()
) -> tuple[str, str | None] | None:
    """Return what is known of a script whose processes ended before their names were read.

    *codes* are their exit codes; a negative one is the signal that ended the process.
    """
    unseen = Unseen(Named(dict(enumerate(names, GONE))))
    unseen.opened(list(opened))
    for engine in met:
        unseen.met(1, engine)
    for pid, code in enumerate(codes, GONE):
        unseen.glimpsed(pid, "")
        unseen.ended(pid, code << 8 if code >= 0 else -code, ours=True)
    return unseen.failure()


def test_an_engine_that_was_over_at_once_is_known_by_its_program_and_its_end() -> None:
    """Its name is gone, but its program was opened, and a process of the script ended at the same time."""
    assert ended(2, opened=("tar",)) == (
        "tar",
        None,
    )  # it may be the end of an `ls` beside a tar whose own end was missed
    assert ended(11, opened=("rsync", "rsync"), met=("rsync",)) == ("rsync", None)
    assert ended(2, 3, opened=("tar",)) == ("tar", None)
    # Few programs beside it are killed.
    assert ended(-9, opened=("tar",)) == ("tar", "was killed by signal 9 (SIGKILL)")
    assert ended(0, 2, 0, opened=("tar",)) == ("tar", None)
    assert ended(2, opened=("restic",)) == ("restic", None)


@pytest.mark.parametrize(
    ("codes", "opened", "met"),
    [
        ((0,), ("tar",), ()),
        ((2,), (), ()),
        ((2,), ("tar",), ("tar",)),
        ((1,), ("tar",), ()),
        ((32, 0), ("tar",), ()),
        ((2,), ("borg",), ()),
        ((), ("tar",), ()),
    ],
)
def test_what_others_opened_or_another_program_ended_with_is_no_failure(
    codes: tuple[int, ...], opened: tuple[str, ...], met: tuple[str, ...]
) -> None:
    """A `grep` that finds nothing, a program that anybody else starts, a step that was met: no false alarm."""
    assert ended(*codes, opened=opened, met=met) is None


@pytest.mark.parametrize(
    ("codes", "names", "found"),
    [
        ((0, 2), ("tar", "ls"), None),
        ((2, 0), ("ls", "tar"), None),
        ((2, 0), ("tar", "ls"), ("tar", "ended with exit code 2")),
        ((2, 0, 2), ("grep", "tar", "diff"), None),
        ((0, 2), ("tar", ""), None),
        ((0, 2), ("", ""), ("tar", None)),
        ((0, 3), ("restic", "mysql"), None),
        ((1, 0), ("restic", "restic"), ("restic", "ended with exit code 1")),
    ],
)
def test_the_name_with_the_end_says_whose_exit_code_it_was(
    codes: tuple[int, ...], names: tuple[str, ...], found: tuple[str, str | None] | None
) -> None:
    """`ls /nope` beside a good tar is no false alarm, a bad tar beside a good ls no false green."""
    assert ended(*codes, opened=("tar",), names=names) == found


@pytest.mark.parametrize(
    ("command", "codes", "failures", "found"),
    [
        ("tar cf x y; ls /nope", (0, 2), (), None),
        ("/bin/tar cf x.tar y; ls /nope/y.tar", (0, 2), (), None),
        ("tar cf x y; ls /nope", (0, 2), ("tar",), ("tar", None)),
        ("tar cf x y 2>/dev/null; ls /nope", (0, 2), (), ("tar", None)),
        ("tar cf x y 2>&1 | cat; ls /nope", (0, 2), (), ("tar", None)),
        ("tar cf x y |& cat", (2, 0), (), ("tar", None)),
        ("exec >log; tar cf x y; ls /nope", (0, 2), (), ("tar", None)),
        ("./backup.sh; ls /nope", (0, 2), (), ("tar", None)),
        ("tar cf x y; ./more.sh; tar cf z y", (0, 2), (), ("tar", None)),
        ("tar cf x y; date", (2,), (), ("tar", None)),
    ],
)
def test_a_tar_whose_errors_would_have_been_seen_and_that_said_nothing_has_not_failed(
    command: str, codes: tuple[int, ...], failures: tuple[str, ...], found: tuple[str, str | None] | None
) -> None:
    """Where no name is known; but a script's errors may go elsewhere, and another script may call tar too."""
    unseen = Unseen(Named({}))
    unseen.opened(["tar"])
    for pid, code in enumerate(codes, GONE):
        unseen.glimpsed(pid, "")
        unseen.ended(pid, code << 8, ours=True)
    assert unseen.failure(seen_text(("sh", "-c", command), failures)) == found


def test_a_program_that_ran_before_the_engine_was_opened_was_not_the_engine() -> None:
    """A process that opens a program becomes it afterwards; so also where no name is known."""
    for looks, found in ((1, ("tar", None)), (2, None)):
        unseen = Unseen(Named({}))
        unseen.glimpsed(GONE, "")
        unseen.ended(GONE, 2 << 8, ours=True)
        for _ in range(looks - 1):
            unseen.opened([])
        unseen.opened(["tar"])
        unseen.glimpsed(GONE + 1, "")
        unseen.ended(GONE + 1, 0, ours=True)
        assert unseen.failure() == found


def test_a_second_try_of_the_same_words_makes_good_what_no_look_has_met() -> None:
    """`restic … || restic …`, the first of which was over at once; other words, or a repository that they do not name, do not."""
    words = ("restic", "-r", "/repo", "backup", "/x")
    for again, repository, good in (
        (words, "/repo", True),
        ((*words[:-1], "/y"), "/repo", False),
        (words, "/elsewhere", False),
        (words, None, False),
    ):
        unseen = Unseen(Named({}))
        unseen.glimpsed(GONE, "restic", words)
        unseen.ended(GONE, 1 << 8, ours=True)
        unseen.succeeded(again, repository)
        assert (unseen.failure() is None) is good


@pytest.mark.process
def test_the_kernel_tells_root_the_names_of_what_ended() -> None:
    """Its message is read as it is laid out; of an ordinary user's machine nothing is known, and nothing is wrong."""
    exits = Exits()
    try:
        done = subprocess.Popen(["true"])
        done.wait()
        name = exits.name(done.pid)
        assert name == ("true" if exits._socket is not None else "")
        exits.forget()
        assert exits.name(done.pid) == name
        exits.forget()
        assert exits.name(done.pid) == ""
    finally:
        exits.close()


@given(data=st.binary(max_size=700))
def test_a_message_that_is_damaged_tells_nothing(data: bytes) -> None:
    """Whatever comes is read within its bounds."""
    assert all(name is not None for _, name in names(data))


def test_a_name_that_was_glimpsed_is_certain() -> None:
    """It became tar, and was gone when its command line was to be read."""
    for name, ours, code, found in (
        ("tar", True, 2, True),
        ("pg_dump", True, 1, True),
        ("pg_dump", True, 0, False),
        ("gzip", True, 1, False),
        ("tar", False, 2, False),
        ("tar", True, 0, False),
        ("python3", True, 2, False),
    ):
        unseen = Unseen(Named({}))
        unseen.glimpsed(GONE, name)
        assert unseen.waits_for(GONE)
        unseen.ended(GONE, code << 8, ours=ours)
        assert (unseen.failure() is not None) is found


def test_a_script_whose_step_nobody_met_is_no_success() -> None:
    """The steps take the kernel's notices of a process that is gone, and of one that is none of the script's."""
    for parent, outcome in ((os.getpid(), Outcome.UNKNOWN), (1, Outcome.SUCCEEDED)):
        steps = Steps(os.getpid())
        try:
            assert not steps._is_engine(GONE)
            steps.unseen.opened(["tar"])
            steps._told(Event(GONE, 2 << 8, parent))
            result = steps.judge(FINE)
        finally:
            steps.close()
        assert result.outcome is outcome, result.reason
        assert ("tar was over before it could be looked at" in result.reason) is (outcome is Outcome.UNKNOWN)


@pytest.mark.process
def test_the_kernel_tells_the_parent_of_what_ended() -> None:
    """Where there is a process connector; and inotify tells which engine's program was opened."""
    events, execs = Events(), Execs(["tar"])
    try:
        found: list[Event] = []
        done = subprocess.Popen(["tar", "--version"], stdout=subprocess.DEVNULL)
        done.wait()
        assert "tar" in execs.drain()
        if events.fd is not None and _heard(events, found, done.pid):
            assert (
                next(event.parent for event in found if event.pid == done.pid and event.status is not None)
                == os.getpid()
            )
    finally:
        events.close()
        execs.close()


def _heard(events: Events, found: list[Event], pid: int) -> bool:
    """Whether the connector tells of this process; it stays silent outside of the first namespaces."""
    try:
        wait_for(
            lambda: (found.extend(events.drain()), any(one.pid == pid and one.status is not None for one in found))[1],
            seconds=2,
        )
    except AssertionError:
        return False
    return True


@pytest.mark.parametrize(
    "line",
    [
        b"tar: Exiting with failure status due to previous errors\n",
        b"/bin/tar: Beende mit Fehlerstatus aufgrund vorheriger Fehler\n",
        b"tar: Error is not recoverable: exiting now\n",
        b"rsync error: error in file IO (code 11) at main.c(808) [Receiver=3.5.0]\n",
        b'pg_dump: error: connection to server at "db" failed\n',
        b"mysqldump: Got error: 1045: \"Access denied for user 'x'\"\n",
    ],
)
def test_a_pipe_that_ends_well_hides_no_failure_that_was_said(line: bytes) -> None:
    """`pg_dump db | gzip > f` ends as gzip ends."""
    session = engines.COMMAND.session(engines.COMMAND.plan(["sh", "-c", "x | gzip > f"], 0, {}))
    assert session.feed(line, Stream.ERR).relay == line
    result = session.conclude(Exit(0))
    judged = with_failures(result, session.failures, ())
    assert judged.outcome is Outcome.WARNING
    assert line.decode().strip().rstrip(".") in judged.reason
    assert with_failures(result, session.failures, set(session.failures)) is result


@pytest.mark.parametrize(
    "line",
    [
        b"tar: Removing leading `/' from member names\n",
        b"tar: /etc/x: file changed as we read it\n",
        b"rsync warning: some files vanished before they could be transferred (code 24) at main.c(1338)\n",
        b"rsync error: some files vanished before they could be transferred (code 24) at main.c(1338)\n",
        b"pg_dump: warning: there are circular foreign-key constraints\n",
        b"pg_dump: last built-in OID is 16383\n",
        b"mysqldump: [Warning] Using a password on the command line interface can be insecure.\n",
        b"backup of tar: Exiting with failure status due to previous errors\n",
    ],
)
def test_a_warning_is_no_failure(line: bytes) -> None:
    """Nothing but what says that the whole program failed."""
    session = engines.COMMAND.session(engines.COMMAND.plan(["x"], 0, {}))
    session.feed(line, Stream.ERR)
    assert not session.failures
