"""The service of the whole system: it can be asked, and that is all."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.statuses import ended, judged, live
from tests.unit.runs.test_runs import info
from tests.unit.status.test_source import end_tracker, record
from tests.waiting import wait_for
from tray import ipc, runs
from tray.cli.main import main
from tray.core import clock, paths
from tray.core.dataclass import replace
from tray.core.errors import SystemServiceError
from tray.core.model import Instance, Outcome, Status, Step
from tray.core.paths import Places, private
from tray.ipc import endpoint
from tray.report import of_run
from tray.status import system_history
from tray.system import answers, follow, server
from tray.system.answers import Answers
from tray.system.follow import StatusLines
from tray.system.server import Conversation, Service

HELLO = ipc.encode(ipc.hello("cli"))


class Wire(asyncio.Transport):
    """A connection in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.out = b""
        self.reading, self.closing, self.aborted = True, False, False

    def get_extra_info(self, *_: Any) -> Any:
        """There is no socket behind it."""
        return

    def write(self, data: Any) -> None:
        """Keep what is sent."""
        self.out += data

    def pause_reading(self) -> None:
        """Note it."""
        self.reading = False

    def resume_reading(self) -> None:
        """Note it."""
        self.reading = True

    def is_closing(self) -> bool:
        """Whether it is over."""
        return self.closing

    def close(self) -> None:
        """Note it."""
        self.closing = True

    def abort(self) -> None:
        """Note it."""
        self.closing = self.aborted = True

    def said(self) -> list[dict[str, Any]]:
        """Return what was said since the last call."""
        lines, self.out = self.out.splitlines(), b""
        return [json.loads(line) for line in lines]


class Room:
    """A service without sockets, and conversations with it."""

    def __init__(self, places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
        self.service = Service(places)
        self.service._loop = asyncio.get_running_loop()
        self.uid = 1000
        monkeypatch.setattr(endpoint, "peer_uid", lambda _: self.uid)

    def joins(self, *, greets: bool = True) -> tuple[Conversation, Wire]:
        """Connect a client."""
        wire, talk = Wire(), Conversation(self.service)
        talk.connection_made(wire)
        if greets:
            talk.data_received(HELLO)
            assert [message["type"] for message in wire.said()] == ["hello"]
        return talk, wire

    def tells(self, status: Status) -> None:
        """Root's status changes."""
        self.service._take(status)


@pytest.fixture
def room(places: Places, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Room], Any]], None]:
    """Runs a test in a loop, with a service."""

    def run(test: Callable[[Room], Any]) -> None:
        async def in_loop() -> None:
            made = Room(places, monkeypatch)
            try:
                answer = test(made)
                if answer is not None:
                    await answer
            finally:
                made.service._worker.shutdown()

        asyncio.run(in_loop())

    return run


async def until(ask: Callable[[], object]) -> None:
    """Let the loop go on until *ask* says that it has happened."""
    for _ in range(6000):
        if ask():
            return
        await asyncio.sleep(0.005)
    pytest.fail("it never happened")


def types(wire: Wire) -> list[str]:
    """Return the types of what was said."""
    return [message["type"] for message in wire.said()]


@pytest.mark.parametrize(
    "kind",
    ["run.started", "run.progress", "run.finished", "cancel", "pause", "resume", "handover", "seen", "x\x1b[2J"],
)
def test_what_is_no_question_is_refused(
    room: Callable[[Callable[[Room], Any]], None], capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    """The answer is no, the picture stays, and the log names the user, once, without what could steer a terminal."""

    def test(made: Room) -> None:
        talk, wire = made.joins()
        made.tells(judged(running=(live(),)))
        for _ in range(3):
            talk.data_received(ipc.encode({"type": kind, "run": live().run}))
            talk._rested()
        assert types(wire) == ["refused"] * 3
        talk.data_received(b'{"type":"status"}\n')
        assert [run["run"] for run in wire.said()[0]["status"]["runs"]] == [live().run]

    room(test)
    log = capsys.readouterr().err
    assert log.count("refused from user 1000") == 1
    assert "\x1b" not in log


@pytest.mark.parametrize(
    "line",
    [
        b"garbage\n",
        b"[]\n",
        b'{"type":7}\n',
        b"\xff\xfe\n",
        b"x" * (ipc.MAX_REQUEST + 1),
        b"x" * ipc.MAX_REQUEST + b"y\n",
    ],
)
def test_a_bad_line_ends_the_conversation(room: Callable[[Callable[[Room], Any]], None], line: bytes) -> None:
    """The service does not listen to a client that speaks another language, and keeps nothing of it."""

    def test(made: Room) -> None:
        talk, wire = made.joins()
        talk.data_received(line)
        assert (types(wire), wire.closing, talk._buffer) == (["error"], True, b"")

    room(test)


def test_who_does_not_greet_gets_nothing(room: Callable[[Callable[[Room], Any]], None]) -> None:
    """Hello comes first."""

    def test(made: Room) -> None:
        made.tells(judged())
        talk, wire = made.joins(greets=False)
        talk.data_received(b'{"type":"subscribe"}\n')
        assert (types(wire), wire.closing) == (["error"], True)

    room(test)


def test_a_subscriber_hears_each_change_once(room: Callable[[Callable[[Room], Any]], None]) -> None:
    """The whole at first, also if it comes late; then runs alone where only they changed, and signs of life."""

    def test(made: Room) -> None:
        talk, wire = made.joins()
        asker, once = made.joins()
        for each in (talk, asker):
            each.data_received(b'{"type":"subscribe"}\n' if each is talk else b'{"type":"status"}\n')
        assert wire.said() == []
        told = judged(ended("etc"))
        made.tells(told)
        assert types(wire) == types(once) == ["status"]
        made.tells(replace(told, as_of_ms=told.as_of_ms + 1))
        made.tells(replace(told, runs=(live(),)))
        made.tells(judged(ended("etc", Outcome.FAILED)))
        assert types(wire) == ["alive", "runs", "status"]
        assert once.said() == []

    room(test)


def test_who_does_not_read_gets_the_picture_of_now_later_or_is_dropped(
    room: Callable[[Callable[[Room], Any]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand changes for a client that is stuck cost no memory."""
    monkeypatch.setattr(server, "SLOW_SECONDS", 0.05)

    async def test(made: Room) -> None:
        talk, wire = made.joins()
        made.tells(judged())
        talk.data_received(b'{"type":"subscribe"}\n')
        talk.pause_writing()
        wire.said()
        for done in range(1000):
            made.tells(judged(running=(live(bytes_done=done),)))
        talk._rested()
        talk.data_received(b'{"type":"status"}\n')
        assert (wire.out, wire.reading) == (b"", False)
        talk.resume_writing()
        first, *_ = wire.said()
        assert (first["type"], first["status"]["runs"][0]["bytes_done"]) == ("status", 999)
        assert talk._timer is None
        talk.pause_writing()
        await until(lambda: wire.aborted)

    room(test)


def test_nobody_can_hold_all_the_places(
    room: Callable[[Callable[[Room], Any]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One user has his share, and what he gives back is free again."""
    monkeypatch.setattr(server, "MOST", 50)

    def test(made: Room) -> None:
        held = [made.joins() for _ in range(server.MOST_OF_ONE)]
        _, wire = made.joins(greets=False)
        assert wire.aborted
        made.uid = 1001
        others = [made.joins() for _ in range(50 - server.MOST_OF_ONE)]
        assert made.joins(greets=False)[1].aborted
        for talk, _ in held + others:
            talk.connection_lost(None)
        made.uid = 1000
        made.joins()
        assert +made.service._of == {1000: 1}

    room(test)


def test_one_question_is_answered_before_the_next_is_read(room: Callable[[Callable[[Room], Any]], None]) -> None:
    """A flood of questions stays with the one who asks."""

    async def test(made: Room) -> None:
        talk, wire = made.joins()
        talk.data_received(b'{"type":"history"}\n' * 3)
        assert not wire.reading
        await until(lambda: wire.out.count(b"\n") == 3)
        assert types(wire) == ["history"] * 3
        assert wire.reading
        talk.data_received(b'{"type":"report","run":7}\n')
        await until(lambda: wire.closing)
        assert types(wire) == ["error"]

    room(test)


def test_a_picture_always_fits_into_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """With too many jobs the answer holds the worst, and says that there are more."""
    monkeypatch.setattr(ipc, "MAX_REPLY", 40_000)
    bad = [ended(f"bad{number}", Outcome.FAILED) for number in range(3)]
    running = live(steps=tuple(Step("restic", "backup", 1) for _ in range(50)))
    told = judged(*bad, *(ended(f"good{number}") for number in range(200)), running=(running,))
    picture = StatusLines()
    line = picture.take(told)
    assert len(line) <= 40_000
    message = json.loads(line)
    assert [job["job"] for job in message["status"]["jobs"][:3]] == ["bad0", "bad1", "bad2"]
    assert "too many" in message["status"]["notes"][0]
    assert message["status"]["state"] == "failed"


def test_the_past_is_answered_page_by_page(places: Places) -> None:
    """The rows are marked as the system's; what makes no sense is an error, not a crash."""
    made = [record(places, "etc", Outcome.SUCCEEDED) for _ in range(5)]
    ask = Answers(places)

    def asked(**question: Any) -> dict[str, Any]:
        return dict(json.loads(ask.answer(question)))

    first = asked(type="history", limit=3)
    rest = asked(type="history", limit=3, before=first["next"])
    assert [row["run"] for row in first["runs"] + rest["runs"]] == made[::-1]
    assert {row["instance"] for row in first["runs"]} == {"system"}
    assert (rest["next"], asked(type="history", job="other")["runs"]) == (None, [])
    assert asked(type="report", run="last")["report"]["run"]["run"] == made[-1]
    for unknown in ("", "*", "../..", "ffff"):
        for kind in ("report", "log"):
            assert asked(type=kind, run=unknown)["error"]["code"] == "ERROR_RUN_NOT_FOUND"
    for nonsense in ({"limit": "x"}, {"before": -1}, {"before": True}, {"job": 7}, {"limit": 2**70}):
        with pytest.raises(ValueError):
            ask.answer({"type": "history", **nonsense})
    for nonsense in ({"run": None}, {"run": "a" * 65}, {"run": made[0], "offset": -1}):
        with pytest.raises(ValueError):
            ask.answer({"type": "log", **nonsense})


def test_a_log_that_cannot_be_read_is_an_answer_too(places: Places) -> None:
    """The person who asks learns why."""
    private(places.state)
    places.audit_db.mkdir()
    assert json.loads(Answers(places).answer({"type": "history"}))["type"] == "failed"


def test_the_log_is_verified_once_for_many_reports(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """A verification reads all of the log: clients cannot have root's machine do that again and again, unless the log changes."""
    run = record(places, "etc", Outcome.SUCCEEDED)
    done = []
    real = of_run.verified
    monkeypatch.setattr(of_run, "verified", lambda here: done.append(here) or real(here))
    ask = Answers(places)
    for _ in range(3):
        told = json.loads(ask.answer({"type": "report", "run": run}))["report"]
    assert (len(done), told["verdict"]["result"]) == (1, "intact")
    record(places, "etc", Outcome.SUCCEEDED)
    ask.answer({"type": "report", "run": run})
    assert len(done) == 2
    monkeypatch.setattr(answers, "VERIFIED_SECONDS", 0.0)
    ask.answer({"type": "report", "run": run})
    assert len(done) == 3


def test_it_rests_as_long_as_it_worked(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """However fast a client asks, it gets half a core at most."""
    slept: list[float] = []
    now = iter([0.0, 0.0, 3.0, 3.0, 5.0, 5.0])
    monkeypatch.setattr(clock, "monotonic", lambda: next(now))
    monkeypatch.setattr(answers.time, "sleep", slept.append)
    ask = Answers(places)
    monkeypatch.setattr(ask, "_known", {"x": lambda _: {"type": "x"}})
    ask.answer({"type": "x"})
    ask.answer({"type": "x"})
    assert slept == [0.0, answers.LONGEST_REST]


def test_a_report_that_was_told_is_the_report(places: Places) -> None:
    """The report of a member differs from root's in one line: whose record it is."""
    run = record(places, "etc", Outcome.FAILED)
    here = of_run.gather(places, run)
    there = of_run.Report.from_json(json.loads(json.dumps(here.to_json())))
    assert there.run is not None
    assert there.run.instance is Instance.SYSTEM
    extra = set(of_run.rows(there)) - set(of_run.rows(here))
    assert extra == {("Record", "the system's (root's)")}
    assert there.entry is not None
    assert here.entry is not None
    assert there.entry.leaf == here.entry.leaf
    for broken in ({}, {"run": 7, "entry": None, "body": None, "verdict": None}):
        with pytest.raises(ValueError):
            of_run.Report.from_json(broken)


def test_the_place_is_the_groups_to_enter_and_ours_to_write(tmp_path: Path) -> None:
    """Whatever stood there before is made right, or refused."""
    folder = tmp_path / "view"
    folder.mkdir(mode=0o777)
    server.prepare(folder, os.getegid())
    assert folder.stat().st_mode & 0o777 == 0o750
    before = os.umask(0)
    try:
        server.listen(folder, os.getegid()).close()
    finally:
        os.umask(before)
    assert (folder / paths.VIEW_SOCKET).stat().st_mode & 0o777 == 0o660
    link = tmp_path / "link"
    link.symlink_to(folder)
    file = tmp_path / "file"
    file.touch()
    for wrong in (link, file, file / "below"):
        with pytest.raises(SystemServiceError):
            server.prepare(wrong, os.getegid())
    with pytest.raises(SystemServiceError):
        server.listen(tmp_path / "missing", os.getegid())


def test_a_group_that_is_missing_is_named_with_the_command_that_makes_it() -> None:
    """The installer makes it; by hand it is one command."""
    assert server.group_id("0") == server.group_id("root") == 0
    with pytest.raises(SystemServiceError) as caught:
        server.group_id("no-such-group")
    assert "sudo groupadd --system no-such-group" in caught.value.next


def test_only_root_may_be_the_systems_instance(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An ordinary user learns how to start it; a trial may be any user's."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(SystemServiceError) as caught:
        server.check_user(paths.VIEW_FOLDER)
    assert "sudo" in caught.value.next
    server.check_user(tmp_path)


@pytest.fixture
def service(places: Places, monkeypatch: pytest.MonkeyPatch) -> Iterator["subprocess.Popen[bytes]"]:
    """The service of these places, as a process; who asks for the system's instance in this test finds it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tray", "system", "--group", str(os.getegid())], stderr=subprocess.PIPE
    )
    monkeypatch.setenv(paths.SYSTEM_VARIABLE, str(paths.view_folder()))
    assert process.stderr is not None
    assert b"shown to the group" in process.stderr.readline()
    yield process
    process.kill()
    process.communicate(timeout=60)
    end_tracker(places)


@pytest.mark.process
def test_it_shows_what_happens_and_ends_by_a_signal(
    service: "subprocess.Popen[bytes]", places: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    """The program itself, asked by the program itself; when it ends the socket goes, and the folder says that it was there."""
    folder = paths.view_folder()
    run = record(places, "etc", Outcome.FAILED)
    wait_for(lambda: system_history.history()[0], what="the run")
    (found,), _ = system_history.history()
    assert (found.run, found.instance) == (run, Instance.SYSTEM)
    second = main(["system", "--group", str(os.getegid())])
    assert (second, "already" in capsys.readouterr().err) == (2, True)
    service.send_signal(signal.SIGTERM)
    assert service.wait(60) == 0
    assert folder.is_dir()
    assert not (folder / paths.VIEW_SOCKET).exists()


def test_it_ends_with_an_error_when_it_cannot_follow_the_status_any_more(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service that only seems to live would show old pictures: systemd starts it again."""

    class Broken:
        def __init__(self, *_: object, **__: object) -> None: ...

        def follow(self, _: object) -> Iterator[Status]:
            yield judged()

        def close(self) -> None: ...

    monkeypatch.setattr(follow, "StatusSource", Broken)
    folder = paths.view_folder()
    assert server.run(places, group=str(os.getegid())) == 70
    assert not (folder / paths.VIEW_SOCKET).exists()


def test_a_live_runs_log_is_marked_as_growing(places: Places) -> None:
    """Who reads it knows that there will be more."""
    folder, _ = runs.create(places, info())
    assert folder is not None
    folder.log.write_text("one\n")
    told = json.loads(Answers(places).answer({"type": "log", "run": folder.run}))
    assert (told["text"], told["next"], told["live"]) == ("one\n", 4, True)
    folder.close()
    assert json.loads(Answers(places).answer({"type": "log", "run": folder.run}))["live"] is False


def test_a_peer_is_known_by_the_kernels_word() -> None:
    """Both ends of a pair are this process."""
    one, other = socket.socketpair()
    with one, other:
        assert endpoint.peer_uid(one) == os.geteuid()
