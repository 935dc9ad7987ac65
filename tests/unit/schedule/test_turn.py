"""One run of a job at a time, and a scheduled one only under its conditions; a start that is skipped is on record."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tray import runs
from tray.audit.store import AuditLog
from tray.config.jobs import Job
from tray.core import clock, locks
from tray.core.dataclass import replace
from tray.core.errors import AlreadyRunningError
from tray.core.paths import Places, private
from tray.recording import skips
from tray.runs import Process, RunInfo
from tray.schedule import conditions, turn
from tray.schedule.turn import Turn, Unmet

JOB = Job("home", None, command=("true",), matches=("restic → /srv",), conditions=("power",))
MET = Job("home", None, command=("true",), matches=("restic → /srv",))


def on_record(places: Places) -> list[tuple[str, str]]:
    """Action and result of every entry about the job."""
    if not places.audit_db.exists():
        return []
    with AuditLog.read(places.audit_db) as log:
        entries = [entry.data for entry in log.entries()]
    return [(entry["action"], entry["result"]) for entry in entries if entry["job"] == "home"]


def running(places: Places, job: str, kind: str = "backup") -> runs.RunFolder:
    """A live run of this process."""
    me = Process(os.getpid(), locks.process_start(os.getpid()))
    info = RunInfo(clock.new_id(), job, "command", kind, clock.now_ms(), locks.boot_id(), me)
    folder, _ = runs.create(places, info)
    assert folder is not None
    return folder


def test_a_job_that_may_run_gets_its_turn(places: Places) -> None:
    """Nothing is on record yet: the run itself will be."""
    assert isinstance(turn.take(places, MET, scheduled=True), Turn)
    assert on_record(places) == []


@pytest.mark.parametrize("job", ["home", "restic → /srv"])
def test_a_second_start_beside_a_run_is_skipped(places: Places, job: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Also if the run was started by another way and belongs to the job by its automatic name."""
    folder = running(places, job)
    assert turn.take(places, MET, scheduled=True) is None
    assert "still goes on" in capsys.readouterr().err
    with pytest.raises(AlreadyRunningError):
        turn.take(places, MET, scheduled=False)
    assert on_record(places) == [("run.skipped", "already running")] * 2
    folder.close()
    assert turn.take(places, MET, scheduled=True) is not None


def test_a_check_of_the_same_job_does_not_keep_its_backup_from_running(places: Places) -> None:
    """Engines lock their repository where they must."""
    folder = running(places, "home", "check")
    assert turn.take(places, MET, scheduled=True) is not None
    folder.close()


def test_of_two_starts_at_the_same_moment_one_goes_on(places: Places) -> None:
    """Neither has a run folder yet; the lock decides."""
    first = turn.take(places, MET, scheduled=True)
    assert first is not None
    assert first.lock is not None
    assert turn.take(places, MET, scheduled=True) is None
    first.lock.release()
    assert turn.take(places, MET, scheduled=True) is not None


def test_conditions_hold_back_scheduled_starts_only(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user who starts the backup by hand wants it now."""
    monkeypatch.setattr(conditions, "on_mains", lambda: False)
    assert turn.take(places, JOB, scheduled=True, patience=0) is None
    assert on_record(places) == [("run.skipped", "on battery")]
    assert turn.take(places, JOB, scheduled=False) is not None


def test_a_condition_that_is_met_in_time_is_waited_for(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """After sleep the network and a drive need a moment."""
    answers = [Unmet(skips.TARGET_AWAY, "away"), Unmet(skips.TARGET_AWAY, "away"), None]
    monkeypatch.setattr(conditions, "unmet", lambda _: answers.pop(0))
    monkeypatch.setattr(turn, "_PAUSE_SECONDS", 0.0)
    assert turn.take(places, JOB, scheduled=True) is not None
    assert answers == on_record(places) == []


def test_a_disabled_job_is_skipped_by_its_schedule(places: Places) -> None:
    """The timer may still be there."""
    disabled = Job("home", None, command=("true",), enabled=False)
    assert turn.take(places, disabled, scheduled=True) is None
    assert on_record(places) == [("run.skipped", "disabled")]
    assert {turn._RUNNING.reason, turn._DISABLED.reason} <= set(skips.REASONS)
    assert turn.take(places, disabled, scheduled=False) is not None


def test_a_job_that_is_off_until_a_date_is_skipped_up_to_it(places: Places, capsys: pytest.CaptureFixture[str]) -> None:
    """The timer stays as it is, and the job is on again by itself."""
    now = clock.now_ms()
    off = Job("home", None, command=("true",), off_until_ms=now + clock.DAY_MS)
    assert turn.take(places, off, scheduled=True) is None
    assert f"The job is off until {clock.local(now + clock.DAY_MS):%Y-%m-%d}." in capsys.readouterr().err
    assert turn.take(places, replace(off, off_until_ms=now), scheduled=True) is not None


def test_a_mistake_of_ours_keeps_no_backup_from_running(
    places: Places, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The backup starts, and the mistake is said."""

    def broken(_: Job) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(conditions, "unmet", broken)
    assert turn.take(places, JOB, scheduled=True) is not None
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_without_a_place_for_locks_the_backup_starts(places: Places) -> None:
    """A state folder that cannot be used keeps no backup from running."""
    private(places.state)
    Path(places.state / "turns").write_text("no folder")
    assert turn.take(places, MET, scheduled=True) is not None


@pytest.mark.process
def test_most_backups_wait_for_no_condition() -> None:
    """The checks and their record are loaded only for jobs that have conditions, or when a start is skipped."""
    loaded = "import sys, tray.schedule.turn; print(*sorted(sys.modules))"
    words = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True).stdout.split()
    assert not {"psutil", "sqlite3", "tray.schedule.conditions", "tray.audit.spool", "hashlib"} & set(words)


def test_a_check_is_skipped_for_reasons_of_its_own(places: Places, capsys: pytest.CaptureFixture[str]) -> None:
    """Beside another check, not beside a backup; the skip counts for the checks alone."""
    backup = running(places, "home")
    assert turn.take(places, MET, scheduled=True, kind="check") is not None
    backup.close()
    check = running(places, "home (check)", "check")
    assert turn.take(places, MET, scheduled=True, kind="check") is None
    assert "home (check) was skipped" in capsys.readouterr().err
    with pytest.raises(AlreadyRunningError, match=r"home \(check\)"):
        turn.take(places, MET, scheduled=False, kind="check")
    check.close()
    assert on_record(places) == []
    with AuditLog.read(places.audit_db) as log:
        kinds = [(entry.data["action"], entry.data["job"], entry.data["kind"]) for entry in log.entries()]
    assert kinds[-2:] == [("run.skipped", "home (check)", "check")] * 2
