"""Steps that were over before a look could meet them, and programs that say of themselves that they failed."""

import os
import subprocess

import pytest

from tests.waiting import wait_for
from tray import engines
from tray.engines import sayings
from tray.engines.base import Exit, Result, Stream
from tray.model import Outcome
from tray.observe.events import Event, Events
from tray.observe.execs import Execs
from tray.runner.steps import Steps
from tray.runner.unseen import Unseen

FINE = Result(Outcome.SUCCEEDED, "sh ended with exit code 0.")
GONE = 2**22 + 1
"""A number that no process has."""


def ended(*codes: int, opened: tuple[str, ...] = (), met: tuple[str, ...] = ()) -> tuple[str, str | None] | None:
    """Return what is known of a script whose processes ended with *codes*, before their names were read."""
    unseen = Unseen()
    unseen.opened(list(opened))
    for engine in met:
        unseen.met(1, engine)
    for pid, code in enumerate(codes, GONE):
        unseen.glimpsed(pid, "")
        unseen.ended(pid, code << 8, ours=True)
    return unseen.failure()


def test_an_engine_that_was_over_at_once_is_known_by_its_program_and_its_end() -> None:
    """Its name is gone, but its program was opened, and a process of the script ended at the same time."""
    assert ended(2, opened=("tar",)) == ("tar", "ended with exit code 2")
    assert ended(11, opened=("rsync", "rsync"), met=("rsync",)) == ("rsync", "ended with exit code 11")
    assert ended(2, 3, opened=("tar",)) == ("tar", None)
    assert ended(0, 2, 0, opened=("tar",)) == ("tar", None)
    assert ended(2, opened=("restic",)) == ("restic", "ended with exit code 2")


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
        unseen = Unseen()
        unseen.glimpsed(GONE, name)
        assert unseen.waits_for(GONE)
        unseen.ended(GONE, code << 8, ours=ours)
        assert (unseen.failure() is not None) is found


def test_a_script_whose_step_nobody_met_is_no_success() -> None:
    """The steps take the kernel's notices of a process that is gone, and of one that is none of the script's."""
    for parent, outcome in ((os.getpid(), Outcome.WARNING), (1, Outcome.SUCCEEDED)):
        steps = Steps(os.getpid())
        try:
            assert not steps._is_engine(GONE)
            steps.unseen.opened(["tar"])
            steps._told(Event(GONE, 2 << 8, parent))
            result = steps.judge(FINE)
        finally:
            steps.execs.close()
            steps.events.close()
        assert result.outcome is outcome, result.reason
        assert ("tar ended with exit code 2, but the script went on." in result.reason) is (outcome is Outcome.WARNING)


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
    judged = sayings.judge(result, session.failures, ())
    assert judged.outcome is Outcome.WARNING
    assert line.decode().strip().rstrip(".") in judged.reason
    assert sayings.judge(result, session.failures, set(session.failures)) is result


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
