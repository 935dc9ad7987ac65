import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.unit.observe.help import FakeProc
from tests.waiting import wait_for
from tray import runs
from tray.audit.store import AuditLog
from tray.core import clock, locks
from tray.core.model import EndedRun, Outcome, Source
from tray.core.paths import Places
from tray.engines.base import Exit, Plan
from tray.observe import ends
from tray.observe.ends import BY_LIST, BY_PIDFD, NOT_KNOWN, End, Ending
from tray.observe.proc import Proc
from tray.recording import close_lost, observed_end
from tray.runs import Process, RunFolder, RunInfo


def stranger(script: str) -> tuple["subprocess.Popen[bytes]", int]:
    """Start a process that is not our child: it waits for a line, then does *script*; its parent takes note of its end."""
    line = f"bash -c 'read line; {script}' <&0 & echo $!; wait $!; wait"
    parent = subprocess.Popen(["bash", "-c", line], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    return parent, int(parent.stdout.readline())


def end_of(parent: "subprocess.Popen[bytes]", ending: Ending) -> End:
    """Let it end, and return how that was seen."""
    assert ending.check() is None
    parent.communicate(b"go\n", timeout=60)
    end = wait_for(ending.check, what="the end")
    ending.close()
    return end


def watch(pid: int) -> Ending:
    """Watch a process that is there."""
    stat = Proc().stat(pid)
    assert stat is not None
    return Ending(Proc(), pid, stat.start)


@pytest.mark.process
@pytest.mark.parametrize(
    ("script", "code", "number"), [("exit 0", 0, None), ("exit 3", 3, None), ("kill -9 $$", None, signal.SIGKILL)]
)
def test_the_exact_exit_status_of_a_process_that_is_not_our_child(
    script: str, code: int | None, number: int | None
) -> None:
    """The kernel tells it, also when the parent has asked for it long since."""
    parent, pid = stranger(script)
    assert end_of(parent, watch(pid)) == End(code, number, BY_PIDFD)


@pytest.mark.process
def test_an_older_kernel_tells_only_that_it_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then nothing is claimed about how."""
    monkeypatch.setattr(ends, "exit_status", lambda _: (None, False))
    parent, pid = stranger("exit 0")
    assert end_of(parent, watch(pid)) == End(None, None, NOT_KNOWN)


@pytest.mark.process
def test_the_process_list_tells_while_the_parent_has_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also on an older kernel an end is exact if it is seen in time."""
    monkeypatch.setattr(ends, "exit_status", lambda _: (None, False))
    child = subprocess.Popen(["sh", "-c", "exit 7"])
    ending = watch(child.pid)
    assert wait_for(ending.check) == End(7, None, BY_LIST)
    ending.close()
    child.wait()


def test_a_zero_that_only_means_no_entry_is_no_success(tmp_path: Path) -> None:
    """The list shows 0 for the status of a process that we may not look into; that must never be a green one."""
    proc = FakeProc(tmp_path)
    proc.add(2**22 + 5, "restic", state="Z", environ=None, status=0)
    assert Ending(proc, 2**22 + 5, "1000").check() == End(None, None, NOT_KNOWN)


@pytest.mark.process
def test_a_number_that_was_used_again_is_not_the_process(tmp_path: Path) -> None:
    """A pid alone does not identify a process."""
    parent, pid = stranger("exit 0")
    ending = Ending(Proc(), pid, "1")
    assert ending.fd is None
    assert ending.check() == End(None, None, NOT_KNOWN)
    parent.communicate(b"go\n", timeout=60)


GOOD = {"snapshot": "c0ffee" * 10, "missing": [], "sure": True, "alone": True}


@pytest.mark.parametrize(
    ("engine", "exit", "known", "outcome"),
    [
        ("restic", Exit(0), GOOD, Outcome.SUCCEEDED),
        ("restic", Exit(0), {}, Outcome.UNKNOWN),
        ("restic", Exit(0), {**GOOD, "snapshot": None}, Outcome.UNKNOWN),
        ("restic", Exit(0), {**GOOD, "missing": ["/gone"]}, Outcome.WARNING),
        ("restic", Exit(0), {**GOOD, "sure": False}, Outcome.UNKNOWN),
        ("restic", Exit(0), {**GOOD, "alone": False}, Outcome.UNKNOWN),
        ("restic", Exit(3), GOOD, Outcome.WARNING),
        ("restic", Exit(1), GOOD, Outcome.FAILED),
        ("restic", Exit(99), GOOD, Outcome.FAILED),
        ("restic", Exit(None, 9), GOOD, Outcome.FAILED),
        ("restic", Exit(130), GOOD, Outcome.CANCELLED),
        ("restic", Exit(None), GOOD, Outcome.UNKNOWN),  # it may have been 3: some files could not be read
        ("restic", Exit(None), {**GOOD, "missing": ["/gone"]}, Outcome.WARNING),
        ("restic", Exit(None), {}, Outcome.UNKNOWN),
        ("borg", Exit(0), {}, Outcome.SUCCEEDED),
        ("borg", Exit(2), {}, Outcome.FAILED),
        ("borg", Exit(None), GOOD, Outcome.UNKNOWN),
        ("rsync", Exit(0), {}, Outcome.SUCCEEDED),
        ("rsync", Exit(24), {}, Outcome.WARNING),
        ("rsync", Exit(None), GOOD, Outcome.UNKNOWN),
        ("duplicity", Exit(0), GOOD, Outcome.UNKNOWN),
        ("tar", Exit(2), {}, Outcome.FAILED),
    ],
)
def test_what_an_observed_run_came_to(engine: str, exit: Exit, known: dict[str, object], outcome: Outcome) -> None:
    """Never green without evidence, and never worse than the engine itself says."""
    argv = {
        "borg": ("borg", "create", "/r::a", "/s"),
        "rsync": ("rsync", "-a", "/s/", "/r/"),
        "duplicity": ("duplicity", "/s", "file:///r"),
        "tar": ("tar", "-cf", "/r.tar", "/s"),
    }.get(engine, ("restic", "-r", "/r", "backup", "/s"))
    result = observed_end.judge(engine, Plan(argv, "backup", {}, "/r", ("/s",)), exit, known)
    assert result.outcome is outcome
    assert result.reason.endswith(".")


def observed(places: Places, **changes: object) -> tuple[RunFolder, RunInfo]:
    """Leave the folder of an observed run whose process has ended, as a tracker that was killed leaves it."""
    info = RunInfo(
        run=clock.new_id(),
        job="restic /s to /r",
        engine="restic",
        kind="backup",
        started_ms=clock.now_ms() - 5000,
        boot=locks.boot_id(),
        wrapper=Process(1, "1"),
        child=Process(4711, "no such"),
        repository=str(places.state / "repo"),
        sources=("/s",),
        command=("restic", "-r", "/r", "backup", "/s"),
        source=Source.OBSERVED.value,
        seen={"uid": 5, "noticed_ms": clock.now_ms() - 4000, "here": True, "missing": [], "sure": True},
    )
    info = RunInfo(**{**{name: getattr(info, name) for name in RunInfo.__slots__}, **changes})
    folder, _ = runs.create(places, info)
    assert folder is not None
    folder.lock.release()
    return folder, info


def closed(places: Places) -> list[dict[str, object]]:
    """Close what is over and return the entries of runs, each with its body."""
    assert close_lost.close(places) == 1
    with AuditLog.read(places.audit_db) as log:
        return [{**entry.data, "body": entry.body} for entry in log.entries() if entry.data["run"]]


def test_beginning_and_end_are_on_record_with_the_evidence(places: Places) -> None:
    """Who reads the log later sees by what we know it."""
    end = {"finished_ms": clock.now_ms(), "code": 3, "signal": None, "how": BY_PIDFD}
    observed(places, seen={"uid": 5, "noticed_ms": clock.now_ms(), "here": True, **end}, user="games")
    start, last = closed(places)
    assert (start["action"], start["source"], last["action"]) == ("run.started", "observed", "run.closed")
    assert (last["result"], last["body"]["exit_code"], last["body"]["user"]) == ("warning", 3, "games")  # type: ignore[index]
    found = last["body"]["evidence"]  # type: ignore[index]
    assert (found["end"], found["uid"], found["pid"]) == (BY_PIDFD, 5, 4711)
    assert start["body"]["evidence"]["start"] == "seen in the process list"  # type: ignore[index]


def test_an_end_that_nobody_saw_is_unknown_without_a_snapshot(places: Places) -> None:
    """Without tracker, exit code and snapshot the outcome stays unknown."""
    observed(places)
    assert closed(places)[-1]["result"] == "unknown"


def test_of_an_end_that_nobody_saw_the_one_new_snapshot_is_told_and_is_no_success(places: Places) -> None:
    """The tracker was killed, the backup went on: restic makes a snapshot also where it could not read some files."""
    snapshots = places.state / "repo" / "snapshots"
    snapshots.mkdir(parents=True)
    (snapshots / ("ab" * 32)).touch()
    folder, info = observed(places)
    last: EndedRun = close_lost.conclude(folder, info)[0]
    assert (last.outcome, last.inferred, last.source) == (Outcome.UNKNOWN, True, Source.OBSERVED)
    assert "snapshot abababab is new" in last.reason
    (snapshots / ("cd" * 32)).touch()  # two: whose is whose?
    assert "snapshot" not in (close_lost.conclude(folder, info)[0].reason or "")


def test_a_run_that_is_watched_is_left_alone(places: Places) -> None:
    """The tracker holds the lock as a wrapper does."""
    folder = RunFolder(observed(places)[0].path)
    assert folder.lock.acquire()
    assert close_lost.close(places) == 0
    assert close_lost.ended(places) == []
    folder.lock.release()


def test_a_process_that_lives_is_left_alone(places: Places) -> None:
    """A tracker that is gone does not end the backup."""
    observed(places, child=Process(os.getpid(), locks.process_start(os.getpid())))
    assert close_lost.close(places) == 0
