import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.unit.runs.test_runs import info
from tests.waiting import wait_for
from tray import ipc, runs, wording
from tray.audit import spool
from tray.audit.entry import Action, Draft
from tray.audit.store import AuditLog
from tray.cli import status as cli_status
from tray.core import clock
from tray.core.dataclass import replace
from tray.core.model import LiveRun, Outcome, Phase, State, Status
from tray.core.paths import Places
from tray.status import StatusSource


@pytest.fixture
def source(places: Places) -> Iterator[StatusSource]:
    """Return the source that `backup-tray status` asks."""
    made = StatusSource(places, role="cli", start_tracker=False)
    yield made
    made.close()


@pytest.fixture
def tray_source(places: Places) -> Iterator[StatusSource]:
    """Return the source that the tray asks: it starts a tracker."""
    made = StatusSource(places, role="tray", start_tracker=True)
    yield made
    made.close()
    end_tracker(places)


def end_tracker(places: Places) -> None:
    """Ask the tracker to end and wait until it has."""
    try:
        client = ipc.Client(places, "cli")
    except Exception:
        return
    pid = client.tracker["pid"]
    client.send({"type": "handover"})
    client.close()
    wait_for(lambda: not os.path.exists(f"/proc/{pid}") or _zombie(pid), what="the tracker's end")


def _zombie(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def record(places: Places, job: str, outcome: Outcome, run: str | None = None) -> str:
    """Put a whole run on record."""
    run = run or clock.new_id()
    how = {"job": job, "run": run, "engine": "restic", "kind": "backup", "source": "wrapped"}
    spool.record(places, [Draft(Action.RUN_STARTED, result="started", **how)])
    spool.record(places, [Draft(Action.RUN_FINISHED, result=outcome.value, body={"reason": "so"}, **how)])
    return run


def test_a_new_installation_has_no_backups_and_makes_no_files(places: Places, source: StatusSource) -> None:
    """AF-1; looking leaves no trace."""
    found = source.poll()
    assert (found.state, found.error, found.last) == (State.NONE, None, None)
    assert not places.state.exists()


def test_a_change_of_the_log_shows_in_the_next_poll(places: Places, source: StatusSource) -> None:
    """No poll reads the log again unless it changed, and none misses a change."""
    assert source.poll().state is State.NONE
    record(places, "home", Outcome.SUCCEEDED)
    assert source.poll().state is State.OK
    record(places, "home", Outcome.FAILED)
    found = source.poll()
    assert (found.state, found.last and found.last.outcome) == (State.FAILED, Outcome.FAILED)


def test_an_idle_poll_does_not_query_the_log(
    places: Places, source: StatusSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A poll a second must cost next to nothing."""
    record(places, "home", Outcome.SUCCEEDED)
    first = source.poll()
    monkeypatch.setattr(AuditLog, "jobs", lambda _self: pytest.fail("asked again"))
    assert source.poll().jobs == first.jobs


def test_a_log_at_rest_is_not_even_opened(
    places: Places, source: StatusSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite is asked only if one of the log's files has just been written; the next record shows at once all the same."""
    record(places, "home", Outcome.SUCCEEDED)
    wal = places.state / "audit.db-wal"
    source.poll()  # an open reader keeps the write-ahead log in place
    record(places, "home", Outcome.SUCCEEDED)
    assert source.poll().state is State.OK
    asked: list[object] = []
    version = AuditLog.version
    monkeypatch.setattr(AuditLog, "version", lambda log: asked.append(log) or version(log))
    source.poll()
    assert len(asked) == 1
    for file in (places.audit_db, wal):
        os.utime(file, ns=(0, file.stat().st_mtime_ns - 10**10))
    source.poll()
    source.poll()
    assert len(asked) == 2
    record(places, "home", Outcome.FAILED)
    assert source.poll().state is State.FAILED
    assert len(asked) == 3


def test_a_status_that_stays_true_is_not_judged_again(
    places: Places, source: StatusSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second poll gives the same status, until ten seconds have made its ages old or the clock was set back."""
    record(places, "home", Outcome.SUCCEEDED)
    first, now = source.poll(), clock.now_ms()
    assert source.poll() is first
    for later in (20_000, 35_000, 30_000, 30_000 + 8 * clock.DAY_MS):
        monkeypatch.setattr(clock, "now_ms", lambda later=later: now + later)
        assert (source.poll().as_of_ms, source.poll().as_of_ms) == (now + later, now + later)
    assert source.poll().state is State.WARNING


CHANGES: dict[str, Callable[[Places], object]] = {
    "config": lambda places: places.config_file.write_text("x = ["),
    "standing": lambda places: places.audit_standing.write_text("damaged"),
    "repository": lambda places: (places.state / "repositories" / "x.json").write_text("damaged"),
    "spool": lambda places: spool.keep(places, [Draft(Action.JOB_SEEN, job="home", result="seen")]),
    "run": lambda places: runs.create(places, info(job="other")),
    "log": lambda places: record(places, "home", Outcome.FAILED),
    "gone": lambda places: places.audit_db.rename(places.state / "away"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_status_is_judged_again_once_anything_changed(places: Places, source: StatusSource, name: str) -> None:
    """The next poll shows a change of each thing that the status is made of."""
    record(places, "home", Outcome.SUCCEEDED)
    for folder in (places.config, places.state / "repositories"):
        folder.mkdir(mode=0o700, exist_ok=True)
    before = source.poll()
    assert source.poll() is before
    CHANGES[name](places)
    assert replace(source.poll(), as_of_ms=before.as_of_ms) != before


@pytest.mark.parametrize(
    ("name", "undo"),
    [
        ("config", lambda places: places.config_file.unlink()),
        ("standing", lambda places: places.audit_standing.unlink()),
        ("repository", lambda places: (places.state / "repositories" / "x.json").unlink()),
        ("gone", lambda places: (places.state / "away").rename(places.audit_db)),
    ],
)
def test_a_status_is_judged_again_once_the_change_is_undone(
    places: Places, source: StatusSource, name: str, undo: Callable[[Places], object]
) -> None:
    """Everything may be as it was at the last good poll, and yet an error was shown in between."""
    record(places, "home", Outcome.SUCCEEDED)
    for folder in (places.config, places.state / "repositories"):
        folder.mkdir(mode=0o700, exist_ok=True)
    before = source.poll()
    CHANGES[name](places)
    changed = source.poll()
    undo(places)
    after = source.poll()
    assert after is not changed
    assert replace(after, notes=(), as_of_ms=before.as_of_ms) == before


@pytest.mark.process
def test_a_poll_in_which_nothing_changed_reads_no_runs(
    tray_source: StatusSource, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tracker answers with one small message, and shows the next change at once."""
    tray_source.poll()
    wrapper = ipc.Client(places, "wrapper")
    run = LiveRun(run="r1", job="home", engine="restic", started_ms=clock.now_ms())
    wrapper.send({"type": "run.started", "run": run.to_json()})
    wait_for(lambda: tray_source.poll().runs, what="the run")
    with monkeypatch.context() as patch:
        patch.setattr(LiveRun, "from_json", lambda _data: pytest.fail("read again"))
        assert [shown.run for shown in tray_source.poll().runs] == ["r1"]
    wrapper.send({"type": "run.progress", "run": "r1", "files_done": 7})
    wait_for(lambda: tray_source.poll().runs[0].files_done == 7, what="the change")
    wrapper.close()


def test_a_started_run_without_an_end_and_without_a_folder_is_lost(places: Places, source: StatusSource) -> None:
    """After a reboot nothing else is left of it."""
    how = {"job": "home", "run": clock.new_id(), "engine": "restic", "kind": "backup", "source": "wrapped"}
    spool.record(places, [Draft(Action.RUN_STARTED, result="started", **how)])
    found = source.poll()
    assert (found.state, found.last and found.last.outcome) == (State.FAILED, Outcome.LOST)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('version = 1\n[runs]\nkeep = "10 parsecs"\n', "line 3: In [runs]"),
        ("version = 1\n[privacy]\nshow = 5\n", "[privacy]"),
    ],
)
def test_a_broken_configuration_is_said_and_changes_nothing_else(
    places: Places, source: StatusSource, text: str, said: str
) -> None:
    """The status follows none of its settings; the backups are as good as they are. Once mended, the error is gone."""
    record(places, "home", Outcome.SUCCEEDED)
    before = source.poll()
    places.config.mkdir(mode=0o700, parents=True, exist_ok=True)
    places.config_file.write_text(text)
    status = source.poll()
    (note,) = [note for note in status.notes if note.startswith(wording.UNFOLLOWED)]
    assert said in note
    assert replace(status, notes=(), as_of_ms=before.as_of_ms) == replace(before, notes=())
    assert wording.headline(status, status.as_of_ms) == wording.headline(before, status.as_of_ms)
    assert cli_status.text(status).count(f"Note: {wording.UNFOLLOWED}") == 1
    assert cli_status._line(status).endswith(f"Note: {note}.")
    assert wording.UNFOLLOWED not in cli_status._line(before)
    places.config_file.write_text("version = 1\n")
    assert source.poll().notes == before.notes


@pytest.mark.parametrize("text", ["x = [", "version = 1\njobs = 3\n", "version = 99\n", "\0"])
def test_a_configuration_without_readable_jobs_is_never_green(places: Places, source: StatusSource, text: str) -> None:
    """A job that never ran is known by the file alone; a typing mistake there must not make it disappear from a green icon."""
    record(places, "home", Outcome.SUCCEEDED)
    assert source.poll().state is State.OK
    places.config.mkdir(mode=0o700, parents=True, exist_ok=True)
    places.config_file.write_text(text)
    status = source.poll()
    assert status.state is State.WARNING
    assert [note for note in status.notes if note.startswith(wording.UNFOLLOWED)]
    assert wording.headline(status, 0) == "Not everything is known: the jobs in config.toml cannot be read."
    places.config_file.write_text("version = 1\n")
    assert source.poll().state is State.OK


@pytest.mark.parametrize("target", ["nowhere.toml", "config.toml"])
def test_a_link_in_the_place_of_the_configuration_that_cannot_be_followed_is_no_empty_one(
    places: Places, source: StatusSource, target: str
) -> None:
    """The jobs of a configuration on a disk that is not connected are not known, so nothing is called fine."""
    record(places, "home", Outcome.SUCCEEDED)
    places.config.mkdir(mode=0o700, parents=True, exist_ok=True)
    places.config_file.symlink_to(target)
    assert source.poll().state is State.WARNING
    places.config_file.unlink()
    assert source.poll().state is State.OK


def test_the_jobs_are_judged_also_if_a_general_setting_is_broken(places: Places, source: StatusSource) -> None:
    """The job that never ran stays in sight."""
    places.config.mkdir(mode=0o700, parents=True, exist_ok=True)
    places.config_file.write_text('version = 1\n[privacy]\nshow = 5\n[jobs.home]\ncommand = ["true"]\nevery = "1d"\n')
    assert [job.job for job in source.poll().jobs] == ["home"]


def test_a_broken_job_is_never_green_and_spoils_no_other(places: Places, source: StatusSource) -> None:
    """A fault in its settings is said at the job and in a note; the other job is as good as it is."""
    record(places, "home", Outcome.SUCCEEDED)
    record(places, "other", Outcome.SUCCEEDED)
    places.config.mkdir(mode=0o700, parents=True, exist_ok=True)
    places.config_file.write_text(
        '[jobs.home]\ncommand = ["x"]\nevery = "daily"\nevry = "1d"\n[jobs.other]\ncommand = ["y"]\n'
    )
    status = source.poll()
    assert status.state is State.WARNING
    assert {job.job: job.state for job in status.jobs} == {"home": State.WARNING, "other": State.OK}
    assert "line 3: In [jobs.home]: `every`" in str(status.jobs[0].concern)
    broken, unknown = status.notes
    assert broken.startswith(f"{wording.UNFOLLOWED} for a job: line 3")
    assert "did you mean 'every'" in unknown
    places.config_file.write_text("[jobs.gone]\ncommand = 3\n")
    assert source.poll().state is State.WARNING
    places.config_file.write_text('[jobs.home]\ncommand = ["x"]\n')
    assert (source.poll().state, source.poll().notes) == (State.OK, ())


def test_many_faults_are_counted(places: Places, source: StatusSource) -> None:
    """A status stays readable; the doctor names the rest."""
    places.config.mkdir(mode=0o700, parents=True, exist_ok=True)
    places.config_file.write_text("".join(f"[jobs.j{number}]\ncommand = 3\n" for number in range(25)))
    notes = source.poll().notes
    assert (len(notes), notes[-1]) == (21, "5 more faults in config.toml: `backup-tray doctor` names them all")


def test_a_configuration_that_is_no_file_is_said(places: Places, source: StatusSource) -> None:
    """A named pipe in its place does not hold the status up."""
    places.config.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.mkfifo(places.config_file)
    assert source.poll().notes[0].startswith(wording.UNFOLLOWED)


def test_a_run_with_a_wrapper_is_live_though_no_tracker_knows_it(places: Places, source: StatusSource) -> None:
    """The lock on its folder says so."""
    about = info(job="home")
    folder, _ = runs.create(places, about)
    assert folder is not None
    found = source.poll()
    assert (found.state, [run.tracked for run in found.runs]) == (State.RUNNING, [False])
    folder.save(runs.with_child(about, os.getpid()))
    folder.lock.release()
    assert source.poll().state is State.RUNNING  # the engine, which is this process, still works
    folder.save(runs.with_child(about, 2**22 + 1))
    assert (source.poll().state, source.poll().runs) == (State.FAILED, ())


@pytest.mark.process
def test_the_tray_starts_a_tracker_and_replaces_a_dead_one(places: Places, tray_source: StatusSource) -> None:
    """A tracker that was killed is only a gap in the picture."""
    assert tray_source.poll().error is None
    client = ipc.Client(places, "cli")
    first = client.tracker["pid"]
    client.close()
    os.kill(first, 9)
    wait_for(lambda: _zombie(first) or not os.path.exists(f"/proc/{first}"))
    found = tray_source.poll()
    assert (found.state, found.error) == (State.NONE, None)
    client = ipc.Client(places, "cli")
    assert client.tracker["pid"] != first
    client.close()


@pytest.mark.process
def test_a_tracker_that_cannot_be_started_makes_the_status_unavailable(places: Places, tmp_path: object) -> None:
    """The tray had none, gets none, and says so; the command line needs none."""
    record(places, "home", Outcome.SUCCEEDED)
    places.runtime.mkdir(mode=0o700, exist_ok=True)
    places.runtime.chmod(0o755)
    tray = StatusSource(places, role="tray", start_tracker=True)
    found = tray.poll()
    assert (found.state, found.error and found.error["code"]) == (State.UNAVAILABLE, "ERROR_STATUS_FETCH")
    tray.close()
    cli = StatusSource(places, role="cli", start_tracker=False)
    assert cli.poll().state is State.OK
    cli.close()


def test_after_an_error_the_last_good_data_is_kept_with_its_age(places: Places, source: StatusSource) -> None:
    """Old data is marked old: as_of stays where it was good."""
    record(places, "home", Outcome.SUCCEEDED)
    good = source.poll()
    places.audit_db.rename(places.state / "away")
    bad = source.poll()
    assert (bad.state, bad.as_of_ms, bad.jobs) == (State.UNAVAILABLE, good.as_of_ms, good.jobs)
    assert bad.error is not None
    (places.state / "away").rename(places.audit_db)
    assert source.poll().state is State.OK


@pytest.mark.process
def test_following_yields_each_change_of_a_live_run(places: Places, tray_source: StatusSource) -> None:
    """The subscribed window sees progress without polling."""
    stop = threading.Event()
    seen: list[Status] = []

    def follow() -> None:
        for status in tray_source.follow(stop):
            seen.append(status)  # noqa: PERF402 - one by one, as they come

    thread = threading.Thread(target=follow)
    thread.start()
    wait_for(lambda: seen, what="the first status")
    wrapper = ipc.Client(places, "wrapper")
    live = LiveRun("r1", "home", "restic", clock.now_ms(), phase=Phase.COPYING, bytes_total=100)
    wrapper.send({"type": "run.started", "run": live.to_json()})
    for done in (10, 20, 30):
        wrapper.send({"type": "run.progress", "run": "r1", "bytes_done": done})
        wait_for(lambda done=done: [run.bytes_done for run in seen[-1].runs] == [done], what=f"{done} bytes")
    wrapper.send({"type": "run.finished", "run": "r1", "last": None})
    wait_for(lambda: not seen[-1].runs, what="the end")
    wrapper.close()
    stop.set()
    thread.join(10)
    assert not thread.is_alive()


def test_a_record_that_waits_is_part_of_the_status(places: Places, source: StatusSource) -> None:
    """A spooled failure is not hidden by an older success, and a spooled acknowledgement counts."""
    record(places, "home", Outcome.SUCCEEDED)
    how = {"job": "home", "run": clock.new_id(), "engine": "restic", "kind": "backup", "source": "wrapped"}
    spool.keep(places, [Draft(Action.RUN_FINISHED, result="failed", **how)])
    found = source.poll()
    assert (found.state, len(found.notes)) == (State.FAILED, 1)
    spool.keep(places, [Draft(Action.JOB_SEEN, job="home", result="seen")])
    assert source.poll().state is State.OK


@pytest.mark.process
def test_the_tracker_has_waiting_records_appended(places: Places, source: StatusSource) -> None:
    """The user needs no further backup for the record of the last one to reach the log."""
    how = {"job": "home", "run": clock.new_id(), "engine": "restic", "kind": "backup", "source": "wrapped"}
    spool.keep(places, [Draft(Action.RUN_FINISHED, result="failed", **how)])
    tracker = subprocess.Popen([sys.executable, "-m", "tray", "tracker"])
    wait_for(lambda: (last := source.poll().last) and last.entry is not None, what="the entry")
    tracker.terminate()
    assert tracker.wait(60) == 0


def test_a_state_folder_of_somebody_else_is_no_reason_to_fall_silent(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the log may not even be looked for the status is unavailable, with the folder's name, and never "none" or a crash."""

    def denied(path: Path, **_: object) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as within:
        within.setattr(Path, "exists", denied)
        found = StatusSource(places, role="cli", start_tracker=False).poll()
    assert found.state is State.UNAVAILABLE
    assert found.error is not None
    assert str(places.audit_db) in found.error["why"]
