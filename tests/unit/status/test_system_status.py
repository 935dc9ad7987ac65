"""The system's status beside the user's own: what is shown when both are known, and when the system's is not."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.statuses import ended, judged, live
from tray import ipc, wording
from tray.core import clock, paths
from tray.core.dataclass import replace
from tray.core.errors import NotInGroupError, RunNotFoundError, SystemViewError
from tray.core.model import AuditStanding, Control, EndedRun, Instance, Outcome, RepositoryState, Source, State, Status
from tray.core.model.judge import judge
from tray.ipc import endpoint, system_client
from tray.status import system_history, system_status
from tray.status.system_status import SystemStatus, labelled, merged

OWN = judged(ended("home"))


class Service:
    """Answers as the system-wide instance does, by a script: for each conversation the lines after its `hello`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o750)
        self.listener = endpoint.listen_to_group(folder / paths.VIEW_SOCKET, os.getegid())
        self.listener.setblocking(True)
        self.heard: list[bytes] = []
        self.script: list[list[ipc.Message | bytes]] = []
        self.talks: list[socket.socket] = []
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        try:
            while True:
                talk, _ = self.listener.accept()
                self.talks.append(talk)
                self.heard.append(talk.recv(65536))
                for line in self.script.pop(0):
                    talk.sendall(line if isinstance(line, bytes) else ipc.encode(line))
        except (OSError, IndexError):
            pass

    def says(self, message: ipc.Message) -> None:
        """Say something more in the newest conversation."""
        self.talks[-1].sendall(ipc.encode(message))

    def ends(self) -> None:
        """End like a process that was killed: the name of the socket stays."""
        with suppress(OSError):  # it has ended already
            self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join(30)
        self.listener.close()
        for talk in self.talks:
            talk.close()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the system's instance would show itself; nothing is there."""
    monkeypatch.setenv(paths.SYSTEM_VARIABLE, str(tmp_path / "view"))
    return tmp_path / "view"


@pytest.fixture
def service(folder: Path) -> Iterator[Service]:
    """One that answers by a script."""
    made = Service(folder)
    yield made
    made.ends()


@pytest.fixture
def seen() -> Iterator[SystemStatus]:
    """Return the status that a surface gets."""
    made = SystemStatus("cli")
    yield made
    made.close()


def status(told: Status, age: float = 0.0) -> ipc.Message:
    """Return the service's message about its status."""
    return {"type": "status", "status": told.to_json(), "age": age}


def whole(told: Status, age: float = 0.0) -> list[ipc.Message | bytes]:
    """Return what it says at first."""
    return [ipc.hello("system"), status(told, age)]


@pytest.mark.parametrize(
    ("own", "roots", "together"),
    [
        (State.OK, State.OK, State.OK),
        (State.OK, State.FAILED, State.FAILED),
        (State.OK, State.NONE, State.OK),
        (State.NONE, State.WARNING, State.WARNING),
        (State.TAMPERED, State.RUNNING, State.TAMPERED),
        (State.OVERDUE, State.UNAVAILABLE, State.UNAVAILABLE),
    ],
)
def test_the_worst_of_both_decides(own: State, roots: State, together: State) -> None:
    """Neither side's fine backups hide the other's bad ones."""
    for one, other in ((own, roots), (roots, own)):
        assert merged(Status(one, 1), Status(other, 1)).state is together


def test_a_breach_of_the_systems_log_is_told_as_the_systems() -> None:
    """The status names the log that the user must look at, and whose it is; if both are fine, it is the user's own."""
    fine = AuditStanding("intact", 1, 9, "All entries agree.", baselines=1)
    broken = replace(fine, result="tampered", kind="altered", first_bad=3, breach=True)
    own, roots = judge(1, (), (), audit=fine), labelled(judge(1, (), (), audit=broken))
    both = merged(own, roots)
    assert both.state is State.TAMPERED
    assert wording.audit_line(both.audit, 1) == "Audit log (system): TAMPERED at entry 3 (altered)"
    assert merged(judge(1, (), (), audit=broken), labelled(own)).audit == broken
    assert merged(own, labelled(own)).audit == fine
    assert merged(Status(State.NONE, 1), labelled(own)).audit == replace(fine, instance=Instance.SYSTEM)
    assert Status.from_json(both.to_json()).audit == both.audit


def test_everything_of_the_system_is_labelled_and_nothing_can_be_done_with_it() -> None:
    """Each run, job, outcome and repository says whose it is; two jobs of one name are two."""
    repository = RepositoryState("/srv/repo", "restic", clock.now_ms())
    roots = judged(ended("home", hours=1), running=(live("nightly", can=tuple(Control)),))
    both = merged(
        judged(ended("home")), labelled(replace(roots, repositories=(repository,), notes=("1 record waits",)))
    )
    assert [(run.job, run.instance, run.can) for run in both.runs] == [("nightly", Instance.SYSTEM, ())]
    assert sorted((job.job, job.instance.value) for job in both.jobs) == [
        ("home", "system"),
        ("home", "user"),
        ("nightly", "system"),
    ]
    assert all(job.last is None or job.last.instance is job.instance for job in both.jobs)
    assert both.last is not None
    assert both.last.instance is Instance.SYSTEM  # it ended later
    assert [known.instance for known in both.repositories] == [Instance.SYSTEM]
    assert both.notes == ("system: 1 record waits",)


def test_a_process_that_both_observe_is_shown_once() -> None:
    """It is the system's; the job that the user's tracker made up for it goes as well, unless it has a history."""
    mine = live("restic-etc", run="1", process="7@9", source=Source.OBSERVED)
    roots = live("nightly", run="2", process="7@9", source=Source.OBSERVED)
    both = merged(judged(ended("home"), running=(mine,)), labelled(judged(running=(roots,))))
    assert ([run.run for run in both.runs], {job.job for job in both.jobs}) == (["2"], {"home", "nightly"})
    known = merged(judged(ended("restic-etc"), running=(mine,)), labelled(judged(running=(roots,))))
    assert {job.job for job in known.jobs} == {"restic-etc", "nightly"}
    other = merged(judged(running=(replace(mine, process="8@9"),)), labelled(judged(running=(roots,))))
    assert [run.run for run in other.runs] == ["1", "2"]
    unknown = [replace(run, process=None) for run in (mine, roots)]
    assert len(merged(judged(running=(unknown[0],)), labelled(judged(running=(unknown[1],)))).runs) == 2


def test_a_run_under_ones_own_watch_wins_over_what_root_observes_of_it() -> None:
    """The wrapper knows the most about it."""
    mine = live("home", run="1", process="7@9")
    roots = live("restic-etc", run="2", process="7@9", source=Source.OBSERVED)
    both = merged(judged(running=(mine,)), labelled(judged(running=(roots,))))
    assert ([run.run for run in both.runs], [job.job for job in both.jobs]) == (["1"], ["home"])


def test_an_error_of_the_system_is_named_as_roots() -> None:
    """Root's log cannot be read: no surface says that all is fine, and the error says whose log it is."""
    error = {
        "code": "ERROR_STATUS_FETCH",
        "what": "The backup status cannot be read.",
        "why": "It is locked.",
        "next": "x",
    }
    old = replace(OWN, state=State.UNAVAILABLE, error=error, as_of_ms=5)
    both = merged(OWN, labelled(old))
    assert (both.state, both.as_of_ms) == (State.UNAVAILABLE, 5)
    assert both.error is not None
    assert "root's" in both.error["what"]
    mine = merged(old, labelled(OWN))
    assert mine.error == error


def test_where_there_never_was_one_nothing_is_said_and_one_stat_is_all(
    folder: Path, seen: SystemStatus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Most machines have none: a poll may not cost anything there."""
    asked = []
    real = os.stat
    monkeypatch.setattr(os, "stat", lambda *given, **more: asked.append(given) or real(*given, **more))
    monkeypatch.setattr(socket, "socket", lambda *_: asked.append("socket") or pytest.fail("connected"))
    seen.poll()
    assert seen.beside(OWN) is OWN
    assert len(asked) == 1


def test_root_and_trials_have_none_beside_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Root's own status is the system's, which is not shown twice; a trial shows nothing but itself."""
    assert paths.system_view({}) == (None if os.geteuid() == 0 else paths.VIEW_FOLDER)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert paths.system_view({}) is None
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert paths.system_view({}) == Path("/run/backup-tray-view")
    assert paths.system_view({paths.HOME_VARIABLE: "/t"}) is None
    assert paths.system_view({paths.HOME_VARIABLE: "/t", paths.SYSTEM_VARIABLE: "/v"}) == Path("/v")
    assert paths.view_folder({paths.HOME_VARIABLE: "/t"}) == Path("/t/view")
    assert not paths.system_readable()


def test_changes_are_taken_in_as_they_come(service: Service, seen: SystemStatus) -> None:
    """Runs and jobs are those of the newest message."""
    service.script = [whole(judged(ended("etc", Outcome.FAILED)))]
    seen.poll()
    assert seen.beside(OWN).state is State.FAILED
    service.says({"type": "runs", "runs": [live("nightly").to_json()]})
    service.says({"type": "alive"})
    service.says({"type": "something new", "of": "a later version"})
    seen.poll()
    assert [run.job for run in seen.beside(OWN).runs] == ["nightly"]
    service.says(status(judged(ended("etc"))))
    seen.poll()
    assert (seen.beside(OWN).state, seen.beside(OWN).notes) == (State.OK, ())


def test_one_that_ends_is_said_so_and_what_it_told_is_old(service: Service, seen: SystemStatus) -> None:
    """No unknown job of root's stays fine, no failure is forgotten, and nothing is shown as running."""
    service.script = [whole(judged(ended("good"), ended("bad", Outcome.FAILED), running=(live("nightly"),)))]
    seen.poll()
    service.ends()
    seen.poll()
    told = seen.beside(OWN)
    assert (told.state, told.runs) == (State.FAILED, ())
    assert {job.job: job.state for job in told.jobs} == {
        "bad": State.FAILED,
        "good": State.WARNING,
        "nightly": State.WARNING,
        "home": State.OK,
    }
    assert all("Not known now" in (job.concern or "") for job in told.jobs if job.instance is Instance.SYSTEM)
    assert "not known now. Its service" in told.notes[0]
    seen.poll()
    assert "is not running" in seen.beside(OWN).notes[0]


def test_one_that_does_not_run_is_said_so_from_the_first_look(folder: Path, seen: SystemStatus) -> None:
    """The folder says that there should be one: `backup-tray status` is not fine without it."""
    folder.mkdir()
    seen.poll()
    assert (seen.beside(OWN).state, len(seen.beside(OWN).notes)) == (State.WARNING, 1)


def test_one_that_was_taken_away_while_we_looked_is_said_so(service: Service, seen: SystemStatus, folder: Path) -> None:
    """Uninstalling it is no way to make a failure disappear unseen."""
    service.script = [whole(judged(ended("bad", Outcome.FAILED)))]
    seen.poll()
    service.ends()
    (folder / paths.VIEW_SOCKET).unlink()
    folder.rmdir()
    seen.poll()
    seen.poll()
    assert seen.beside(OWN).state is State.FAILED
    assert "was removed" in seen.beside(OWN).notes[0]


def test_silence_is_no_good_news(service: Service, seen: SystemStatus, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that hangs, or whose picture is old, is not shown as if it were of now."""
    service.script = [whole(OWN), whole(OWN, age=1000.0)]
    seen.poll()
    assert seen.beside(OWN).state is State.OK
    now = clock.monotonic()
    monkeypatch.setattr(clock, "monotonic", lambda: now + system_status.SILENT_SECONDS + 2)
    seen.poll()
    assert "has said nothing for 32 s" in seen.beside(OWN).notes[0]
    seen.poll()
    assert "has said nothing for 1000 s" in seen.beside(OWN).notes[0]


def test_a_first_answer_that_is_late_is_waited_for_in_later_polls(
    service: Service, seen: SystemStatus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service that only just starts delays no surface; until it has spoken nothing of root's is called fine."""
    monkeypatch.setattr(system_status, "PATIENCE_SECONDS", 0.05)
    service.script = [[ipc.hello("system")]]
    seen.poll()
    assert "has not answered yet" in seen.beside(OWN).notes[0]
    service.says(status(OWN))
    seen.poll()
    assert (seen.beside(OWN).state, seen.beside(OWN).notes) == (State.OK, ())


@pytest.mark.parametrize(
    "said",
    [
        [b"garbage\n"],
        [{"type": "hello", "protocol": [2, 0]}, status(OWN)],
        [ipc.hello("system"), {"type": "status", "status": {"state": "brilliant"}, "age": 0}],
        [ipc.hello("system"), {"type": "status", "status": OWN.to_json()}],
        [ipc.hello("system"), {"type": "status", "age": 0, "status": 7}],
    ],
)
def test_what_makes_no_sense_is_not_shown(service: Service, seen: SystemStatus, said: list[Any]) -> None:
    """A later version may say what this one does not know: it is told that it cannot know, and shows no half of it."""
    service.script = [said]
    seen.poll()
    told = seen.beside(OWN)
    assert (told.state, system_client.NEWER in told.notes[0]) == (State.WARNING, True)


def test_an_endless_answer_is_cut_off(service: Service, seen: SystemStatus, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even root's service may fill our memory."""
    monkeypatch.setattr(ipc, "MAX_REPLY", 1000)
    service.script = [[b"x" * 5000]]
    seen.poll()
    assert "too long an answer" in seen.beside(OWN).notes[0]


@pytest.mark.parametrize("added", [False, True])
def test_who_may_not_look_is_told_how_to_and_keeps_his_state(
    folder: Path, seen: SystemStatus, monkeypatch: pytest.MonkeyPatch, added: bool
) -> None:
    """The names in the command are real; a user who was added already has to log in again."""
    import grp
    import pwd

    def denied(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    folder.mkdir()
    monkeypatch.setattr(endpoint, "dial_owner", denied)
    monkeypatch.setattr(pwd, "getpwuid", lambda _: pwd.struct_passwd(("ann", "", 7, 7, "", "", "")))
    monkeypatch.setattr(grp, "getgrgid", lambda _: grp.struct_group(("viewers", "", 8, ["ann"] if added else [])))
    seen.poll()
    told = seen.beside(OWN)
    assert (told.state, told.jobs) == (OWN.state, OWN.jobs)
    (note,) = told.notes
    assert ("usermod -aG viewers ann" in note, "in this session. Log in again" in note) == (not added, added)
    assert system_history.history() == ([], None)


def test_a_socket_of_another_user_is_not_believed(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the kernel's word on who listens, not by what is said."""
    with pytest.raises(OSError, match="belongs to user"):
        endpoint.dial_owner(paths.view_folder() / paths.VIEW_SOCKET, os.geteuid() + 1, 1.0)


def test_questions_about_the_past_are_answered_or_raise(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that is not known, and a service that fails, are two different answers."""
    hello = ipc.hello("system")
    row = ended("etc").to_json()
    unknown = {"type": "failed", "error": RunNotFoundError("ab").facts()}
    failed = {
        "type": "failed",
        "error": {"code": "ERROR_AUDIT_UNAVAILABLE", "what": "It cannot be used.", "why": "Locked."},
    }
    service.script = [
        [hello, {"type": "history", "runs": [row], "next": 3}],
        [hello, unknown],
        [hello, failed],
        [hello, {"type": "log", "run": "ab", "text": "x\n", "next": 2, "live": False}],
        [hello, {"type": "history", "runs": [{}], "next": None}],
        [hello, {"type": "refused", "why": "no"}],
        [hello],
    ]
    (run,), more = system_history.history(limit=1)
    assert (run, more) == (replace(EndedRun.from_json(row), instance=Instance.SYSTEM), 3)
    with pytest.raises(RunNotFoundError, match="ab"):
        system_history.report("ab")
    with pytest.raises(SystemViewError) as caught:
        system_history.report("ab")
    assert caught.value.why == "It cannot be used. Locked."
    assert system_history.log("ab") == ("ab", "x\n", 2, False)
    for _ in range(2):
        with pytest.raises(SystemViewError, match="not known now"):
            system_history.history()
    monkeypatch.setattr(system_history, "ANSWER_SECONDS", 0.05)
    with pytest.raises(SystemViewError) as caught:
        system_history.history()
    assert "has not answered" in caught.value.why


def test_without_one_the_past_is_ones_own(folder: Path) -> None:
    """No system's instance: no rows, and no run that only it could know."""
    assert system_history.history() == ([], None)
    with pytest.raises(RunNotFoundError):
        system_history.log("ab")


def test_names_in_the_advice_can_be_typed_as_they_stand() -> None:
    """The line is copied into a terminal."""
    assert "sudo usermod -aG backup-tray ann" in NotInGroupError("backup-tray", "ann").next
