import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.repository.test_files import restic, tree, written
from tests.unit.runs.test_runs import created, info
from tests.waiting import wait_for
from tray import config
from tray.config import jobs, saving
from tray.config.jobs import Job
from tray.core import clock
from tray.core.dataclass import replace
from tray.core.errors import ConfigError, RepositoryAskError
from tray.core.model import EndedRun, JobHistory, Outcome, RepositoryState, Step
from tray.core.paths import Places
from tray.doctor import Level, records
from tray.engines.base import Result
from tray.repository import after, ask, cache, files, look, states
from tray.repository.ask import Access
from tray.repository.cache import Entry, Expected
from tray.repository.locks import Lock
from tray.repository.look import Target
from tray.runs import Process
from tray.status import StatusSource
from tray.tracker import helpers, server

NOW = clock.now_ms()
HOUR = 3_600_000
ID = "abababab"
SUCCEEDED = Result(Outcome.SUCCEEDED, "Snapshot abababab was saved.", snapshot=ID)


def run_ended(places: Places, folder: Path, result: Result = SUCCEEDED, **changes: object) -> Entry | None:
    """Do what a wrapper does at its end, for a run that began a second before the repository was last touched."""
    about = info(**({"repository": str(folder), "run": "run-1", "started_ms": NOW - 1000} | changes))
    after.look(places, about, result, "/")
    return cache.known(places, cache.name_of(about.engine, str(folder)))


def history(run: str = "run-1", job: str = "home", **more: object) -> JobHistory:
    """A job whose last run succeeded."""
    facts: dict[str, object] = {"engine": "restic", "outcome": Outcome.SUCCEEDED, "repository": "/mnt/b"}
    facts |= {"started_ms": NOW - HOUR, "finished_ms": NOW - HOUR + 1, "entry": 1} | more
    ended = EndedRun(run=run, job=job, **facts)  # type: ignore[arg-type]
    return JobHistory(job, ended, kind=ended.kind)


def touched(folder: Path, when: int) -> Path:
    """Leave the trace of a lock that was taken and given back."""
    os.utime(folder / "locks", ns=(when * 1_000_000, when * 1_000_000))
    return folder


def configured(places: Places, repository: Path, tmp_path: Path, **more: object) -> Job:
    """Make a job of restic with a password file."""
    (tmp_path / "password").write_text("secret\n")
    job = Job("home", sources=("/home",), repository=str(repository), password_file=str(tmp_path / "password"), **more)  # type: ignore[arg-type]
    saving.save_job(places, job)
    return job


def test_the_end_of_a_run_notes_the_room_on_its_disk(places: Places, tmp_path: Path) -> None:
    """One measurement a day is kept: from it the trend is known, without a process or a question of its own."""
    folder = touched(restic(tmp_path / "repository", (ID, NOW)), NOW)
    entry = run_ended(places, folder)
    assert entry is not None
    (room,) = entry.rooms
    disk = os.statvfs(folder)
    assert room.total == disk.f_blocks * disk.f_frsize
    assert 0 <= room.free <= room.total
    again = run_ended(places, folder)
    assert again is not None
    assert len(again.rooms) <= 2


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand-ins for restic and borg that print `answer` and note how they were called."""
    (tmp_path / "bin").mkdir()
    for name in ("restic", "borg"):
        program = tmp_path / "bin" / name
        program.write_text(f'#!/bin/sh\necho "$0 $@" >> {tmp_path}/calls\n. {tmp_path}/answer\n')
        program.chmod(0o755)
    (tmp_path / "answer").write_text("echo '[]'\n")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    return tmp_path / "calls"


def test_the_end_of_a_run_notes_what_the_repository_holds(places: Places, tmp_path: Path) -> None:
    """Count, newest and job stand in the cache right after the run, and the repository is as it was."""
    folder = restic(tmp_path / "r", (ID, NOW), ("bb", NOW - 5000))
    before = tree(folder)
    found = run_ended(places, folder)
    assert found is not None
    assert tree(folder) == before
    assert (found.state.snapshots, found.state.last_snapshot, found.state.last_snapshot_ms) == (
        2,
        ID.ljust(64, "0"),
        NOW,
    )
    assert (found.jobs, found.folder) == (("home",), str(folder))
    assert found.expected == (Expected("home", "run-1", ID, NOW - 1000),)


def test_a_snapshot_that_is_not_there_after_the_run_is_a_concern_about_that_run_only(
    places: Places, tmp_path: Path
) -> None:
    """The log says that it succeeded, the repository knows nothing of it: a warning, until the job's next run."""
    found = run_ended(places, touched(restic(tmp_path / "r", ("bb", NOW - 5000)), NOW))
    assert found is not None
    assert states.concerns([found], [history("run-1")]) == {"home": states.ABSENT}
    assert states.concerns([found], [history("run-2")]) == {}
    assert states.concerns([found], [history("run-1", job="other")]) == {}


@pytest.mark.parametrize(
    ("result", "changes"),
    [
        (replace(SUCCEEDED, snapshot=None), {}),
        (replace(SUCCEEDED, outcome=Outcome.FAILED), {}),
        (replace(SUCCEEDED, outcome=Outcome.UNKNOWN), {}),
        (replace(SUCCEEDED, snapshot="home-{now}"), {}),
        (SUCCEEDED, {"kind": "restore"}),
        (SUCCEEDED, {"kind": "dry-run"}),
        (SUCCEEDED, {"started_ms": NOW + 60_000}),
    ],
)
def test_no_alarm_where_the_run_promised_no_snapshot_or_went_elsewhere(
    result: Result, changes: dict[str, object], places: Places, tmp_path: Path
) -> None:
    """A run without a snapshot, and a folder that this run surely did not touch (a container's has the same name), say nothing."""
    folder = touched(restic(tmp_path / "r", ("bb", NOW - 5000)), NOW)
    found = run_ended(places, folder, result, **changes)
    assert found is None or states.concerns([found], [history("run-1")]) == {}


def test_no_alarm_while_somebody_else_holds_a_lock(places: Places, tmp_path: Path) -> None:
    """The holder of the lock may have moved the snapshot; the wrapper concludes nothing."""
    folder = restic(tmp_path / "r")
    written(folder / "locks" / ("d" * 64), NOW)
    found = run_ended(places, folder)
    assert found is not None
    assert found.expected == ()
    assert found.state.locked_by == "a restic process"


def test_a_repository_that_this_process_cannot_see_is_not_spoken_of(places: Places, tmp_path: Path) -> None:
    """`sudo restic -r /root/repo` leaves no error about a folder that was never ours to read."""
    assert run_ended(places, tmp_path / "none") is None
    assert run_ended(places, Path("/proc/1/cwd/repo")) is None


def test_a_repository_that_was_seen_and_is_gone_keeps_what_was_known(places: Places, tmp_path: Path) -> None:
    """The error stands beside old data with their date."""
    folder = restic(tmp_path / "r", (ID, NOW))
    first = run_ended(places, folder)
    os.rename(folder, tmp_path / "elsewhere")
    found = run_ended(places, folder, replace(SUCCEEDED, outcome=Outcome.FAILED))
    assert first is not None
    assert found is not None
    assert found.state.error is not None
    assert (found.state.snapshots, found.state.as_of_ms) == (1, first.state.as_of_ms)


def test_a_cache_that_cannot_be_written_does_not_disturb_the_wrapper(places: Places, tmp_path: Path) -> None:
    """The run's record stands without the second opinion."""
    places.state.mkdir(parents=True, mode=0o700)
    (places.state / "repositories").write_text("in the way")
    run_ended(places, restic(tmp_path / "r", (ID, NOW)))


def test_a_size_from_before_a_run_is_not_shown_after_it(places: Places, tmp_path: Path) -> None:
    """To measure takes time that a wrapper's end does not have; until the next look the size is not known."""
    folder = restic(tmp_path / "r", ("bb", NOW - 5000))
    run_ended(places, folder, replace(SUCCEEDED, snapshot=None))
    assert _later(places).state.size == 156
    assert _later(places).state.size == 156
    written(folder / "snapshots" / ID.ljust(64, "0"), NOW)
    found = run_ended(places, folder)
    assert found is not None
    assert found.state.size is None
    assert _later(places).state.size == 157


def test_a_script_renews_what_is_known_of_the_repositories_that_it_used(places: Places, tmp_path: Path) -> None:
    """The wrapper looks at repositories still mounted; of one that the script has unmounted it keeps the last facts."""
    there, gone = restic(tmp_path / "r", (ID, NOW)), restic(tmp_path / "gone", (ID, NOW))
    run_ended(places, gone)
    os.rename(gone, tmp_path / "elsewhere")
    steps = [Step("restic", "backup", NOW, repository=str(folder)) for folder in (there, there, gone)]
    after.look(places, info(engine="command", job="nightly"), Result(Outcome.SUCCEEDED, ""), "/", steps)
    found = {Path(entry.folder or "").name: entry for entry in cache.Cache(places).contents().entries.values()}
    assert (found["r"].state.snapshots, found["r"].jobs, found["r"].expected) == (1, ("nightly",), ())
    assert (found["gone"].state.error, found["gone"].jobs) == (None, ("home",))


def test_borg_is_known_to_have_committed_what_it_made(places: Places, tmp_path: Path) -> None:
    """Its files tell when, the run tells the name; a later change of unknown kind makes both unknown again."""
    from tests.unit.repository.test_files import borg

    folder = borg(tmp_path / "b", changed=NOW)
    found = run_ended(places, folder, replace(SUCCEEDED, snapshot="monday"), engine="borg")
    assert found is not None
    assert (found.state.last_snapshot, found.state.last_snapshot_ms, found.state.snapshots) == ("monday", NOW, None)
    same, _ = look.look(places, look.known_targets(places)[0], {})
    assert same.state.last_snapshot == "monday"
    written(folder / "index.7", NOW + 5)
    other, _ = look.look(places, look.known_targets(places)[0], {})
    assert (other.state.last_snapshot, other.state.last_snapshot_ms) == (None, None)


def _later(places: Places) -> Entry:
    (target,) = look.known_targets(places)
    return look.look(places, target, {})[0]


def test_a_repository_that_went_back_in_time_is_a_concern(places: Places, tmp_path: Path) -> None:
    """The run's snapshot is gone and only older ones are left: an old copy, or a user took the newer ones away."""
    folder = restic(tmp_path / "r", (ID, NOW), ("bb", NOW - 5000))
    run_ended(places, folder)
    (folder / "snapshots" / ID.ljust(64, "0")).unlink()
    found = _later(places)
    assert states.concerns([found], [history("run-1")]) == {"home": states.VANISHED}
    written(folder / "snapshots" / ID.ljust(64, "0"), NOW)
    assert states.concerns([_later(places)], [history("run-1")]) == {}


def test_forget_that_keeps_a_newer_snapshot_is_no_concern(places: Places, tmp_path: Path) -> None:
    """Old snapshots are removed every night; that says nothing about the run that made them."""
    folder = restic(tmp_path / "r", (ID, NOW), ("bb", NOW - 500))
    run_ended(places, folder)
    (folder / "snapshots" / ID.ljust(64, "0")).unlink()
    assert states.concerns([_later(places)], [history("run-1")]) == {}


def test_a_removal_on_record_explains_a_snapshot_that_is_gone(places: Places, tmp_path: Path) -> None:
    """Who ran `forget` under watch needs no alarm about it; one of another repository explains nothing."""
    expected = (Expected("home", "run-1", ID, NOW - HOUR, "vanished"),)
    gone = Entry(RepositoryState("/mnt/b", "restic", NOW), folder="/mnt/b", expected=expected)
    for named in ("/mnt/b", "/mnt/b/", "local:/mnt/b", "b", None):
        forget = history("run-2", job="forget", kind="prune", finished_ms=NOW, repository=named, entry=2)
        assert states.concerns([gone], [history("run-1"), forget]) == {}
    elsewhere = history("run-2", job="forget", kind="prune", finished_ms=NOW, repository="/mnt/c", entry=2)
    assert states.concerns([gone], [history("run-1"), elsewhere]) == {"home": states.VANISHED}


def test_an_unmounted_disk_takes_nothing_back(places: Places, tmp_path: Path) -> None:
    """The snapshot of a repository that cannot be seen is neither there nor gone."""
    folder = restic(tmp_path / "r", (ID, NOW))
    run_ended(places, folder)
    os.rename(folder, tmp_path / "elsewhere")
    folder.mkdir()
    found = _later(places)
    assert found.state.error is not None
    assert states.concerns([found], [history("run-1")]) == {}
    folder.rmdir()
    os.rename(tmp_path / "elsewhere", folder)
    assert _later(places).state.error is None


@pytest.mark.parametrize(
    ("lock", "engine", "command", "note"),
    [
        (Lock("d" * 64, NOW - 60_000), "restic", False, False),
        (Lock("d" * 64, NOW - 31 * 60_000), "restic", True, False),
        (Lock("d" * 64, NOW - 50 * HOUR), "restic", True, True),
        (Lock("exclusive", NOW - 50 * HOUR, "process 4711 on nas"), "borg", False, False),
    ],
)
def test_the_command_that_removes_a_lock_is_given_only_when_nobody_needs_the_lock(
    lock: Lock, engine: str, command: bool, note: bool
) -> None:
    """A lock in use is a fact; one that restic itself calls stale gets its command, and after a day a note."""
    state = states.locked(RepositoryState("/mnt/b", engine, NOW), [lock], NOW)
    assert state.locked_by == (lock.holder or "a restic process")
    assert (state.lock_command is not None) is command
    said = states.lock_note(state, NOW)
    assert (said is not None) is note
    assert not note or (said is not None and "2 days" in said and f"`{state.lock_command}`" in said)
    assert states.locked(state, [], NOW).locked_by is None


def test_nobody_looks_beside_a_run_nor_minutes_after_a_look(places: Places, tmp_path: Path) -> None:
    """The disk belongs to the backup while it runs, and to the user's `umount` right after it."""
    folder = restic(tmp_path / "r", (ID, NOW))
    run_ended(places, folder)
    (target,) = look.known_targets(places)
    assert not look.due(places, target)
    known = cache.known(places, target.name)
    assert known is not None
    cache.write(places, replace(known, looked_ms=NOW - 2 * look.LOOK_EVERY_MS))
    assert look.due(places, target)
    running = created(places, info(repository=str(folder)))
    assert look.in_use(places, target)
    assert not look.due(places, target)
    running.close()
    assert look.due(places, target)
    cache.write(places, replace(known, looked_ms=0, stuck=Process(os.getpid(), look.locks.process_start(os.getpid()))))
    assert not look.due(places, target)


def test_a_look_that_a_run_overtook_is_thrown_away(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wrapper's own look is newer; an older one must not take its snapshot for missing."""
    folder = restic(tmp_path / "r", ("bb", NOW - 5000))
    run_ended(places, folder, replace(SUCCEEDED, snapshot="bb".ljust(8, "0")))
    (target,) = look.known_targets(places)
    really = files.look

    def slow(*args: object, **more: object) -> files.Found:
        found = really(*args, **more)  # type: ignore[arg-type]
        monkeypatch.setattr(files, "look", really)
        written(folder / "snapshots" / ID.ljust(64, "0"), NOW)
        run_ended(places, folder, run="run-2")
        return found

    monkeypatch.setattr(files, "look", slow)
    look.look(places, target, {})
    kept = cache.known(places, target.name)
    assert kept is not None
    assert (kept.state.snapshots, [made.run for made in kept.expected]) == (2, ["run-2"])


def test_the_helper_asks_no_engine_about_what_the_files_tell(places: Places, tmp_path: Path, engine: Path) -> None:
    """A local restic repository needs no password; the size is measured, since it takes no engine either."""
    folder = restic(tmp_path / "r", (ID, NOW))
    configured(places, folder, tmp_path)
    look.look(places, look.known_targets(places)[0], os.environ)
    assert not engine.exists()
    kept = cache.known(places, look.known_targets(places)[0].name)
    assert kept is not None
    assert (kept.state.snapshots, kept.state.size, kept.jobs) == (1, 156, ("home",))


@pytest.mark.process
def test_a_repository_elsewhere_is_asked_about_at_most_every_few_hours(
    places: Places, tmp_path: Path, engine: Path
) -> None:
    """Its password comes from the configured file and never stands in the command line; one answer is enough for hours."""
    configured(places, Path("x"), tmp_path)
    saving.save_job(places, replace(jobs.load(places).jobs["home"], repository="rest:http://nas/b"))
    time = "2026-11-23T02:15:00.5+01:00"
    (tmp_path / "answer").write_text(f"""echo '[{{"id": "aa", "time": "{time}"}}]'\n""")
    (target,) = look.known_targets(places)
    first, _ = look.look(places, target, os.environ)
    assert (first.state.snapshots, first.state.last_snapshot) == (1, "aa")
    assert first.state.last_snapshot_ms == clock.from_text(time)
    look.look(places, target, os.environ)
    (call,) = engine.read_text().splitlines()
    assert "--no-lock" in call
    assert f"--password-file {tmp_path}/password" in call
    cache.write(places, replace(first, asked_ms=clock.now_ms() - 7 * HOUR))
    (tmp_path / "answer").write_text("echo 'Fatal: no such host' >&2; exit 1\n")
    failed, _ = look.look(places, target, os.environ)
    assert failed.state.error is not None
    assert (failed.state.snapshots, failed.state.as_of_ms) == (1, first.state.as_of_ms)
    assert look.look(places, target, os.environ)[0].state.error == failed.state.error
    assert len(engine.read_text().splitlines()) == 2
    (tmp_path / "answer").write_text("echo null\n")
    mended, _ = look.look(places, target, os.environ, asked=True)
    assert (mended.state.snapshots, mended.state.last_snapshot, mended.state.error) == (0, None, None)


@pytest.mark.process
def test_who_asks_about_a_repository_elsewhere_without_a_password_is_told_how(places: Places, engine: Path) -> None:
    """A repository that the helper cannot ask about is not on the list; the user who asks for it reads how to give the password."""
    (engine.parent / "answer").write_text("echo 'passphrase needed' >&2; exit 2\n")
    for address, said in (
        ("rest:http://nas/b", "RESTIC_PASSWORD_FILE=FILE"),
        ("ssh://nas/b", "`borg list ssh://nas/b`"),
    ):
        target = look.target_of(places, address, "/")
        assert target is not None
        look.look(places, target, os.environ)
        assert cache.known(places, target.name) is None
        found, _ = look.look(places, target, os.environ, asked=True)
        assert found.state.error is not None
        assert said in found.state.error["next"]
    assert "restic" not in engine.read_text()  # borg may need none


@pytest.mark.process
def test_asking_can_be_switched_off(places: Places, tmp_path: Path, engine: Path) -> None:
    """`ask_every = "off"`; who asks by hand still gets an answer."""
    configured(places, Path("x"), tmp_path)
    saving.save_job(places, replace(jobs.load(places).jobs["home"], repository="rest:http://nas/b"))
    with places.config_file.open("a") as file:
        file.write('\n[repository]\nask_every = "off"\n')
    (target,) = look.known_targets(places)
    look.look(places, target, os.environ)
    assert not engine.exists()
    look.look(places, target, os.environ, asked=True)
    assert engine.exists()


@pytest.mark.parametrize("value", ["6", "0h", "h", "", "-1h", "9999999h"])
def test_an_interval_that_makes_no_sense_names_its_line(value: str, places: Places) -> None:
    """A typing error is found, with its line."""
    places.config.mkdir(parents=True, mode=0o700)
    places.config_file.write_text(f'version = 1\n[repository]\nask_every = "{value}"\n')
    with pytest.raises(ConfigError) as caught:
        config.load(places)
    assert caught.value.line == 3


@pytest.mark.process
def test_an_engine_that_fails_is_an_error_beside_what_the_files_tell(
    places: Places, tmp_path: Path, engine: Path
) -> None:
    """A wrong password does not hide what needs none; the words are the engine's, without secrets."""
    folder = restic(tmp_path / "r", (ID, NOW))
    configured(places, folder, tmp_path)
    (tmp_path / "answer").write_text("echo 'noise' >&2; echo 'Fatal: wrong password or no key found' >&2; exit 12\n")
    found, listed = look.look(places, look.known_targets(places)[0], os.environ, asked=True)
    assert listed is None
    assert found.state.snapshots == 1
    assert found.state.error is not None
    assert (found.state.error["code"], found.state.error["why"]) == (
        "ERROR_REPOSITORY_ASK",
        "wrong password or no key found",
    )
    assert f"--password-file {tmp_path}/password snapshots" in found.state.error["next"]


def test_nobody_is_asked_while_a_lock_is_held(places: Places, tmp_path: Path, engine: Path) -> None:
    """The look starts no engine beside another machine's backup, even when the user asks for it."""
    folder = restic(tmp_path / "r", (ID, NOW))
    written(folder / "locks" / ("d" * 64), clock.now_ms())
    configured(places, folder, tmp_path)
    look.look(places, look.known_targets(places)[0], os.environ, asked=True)
    assert not engine.exists()


@pytest.mark.process
def test_restic_names_the_holder_of_a_stale_lock(places: Places, tmp_path: Path, engine: Path) -> None:
    """Only restic can read it; a process of this machine that is gone is said to be gone."""
    from tests.unit.repository.test_files import gone_pid

    folder = restic(tmp_path / "r", (ID, NOW))
    written(folder / "locks" / ("d" * 64), NOW - 40 * 60_000)
    configured(places, folder, tmp_path)
    lock = json.dumps({"hostname": os.uname().nodename, "pid": gone_pid(), "time": "x"})
    (tmp_path / "answer").write_text(f"case \"$*\" in *cat*) echo '{lock}';; *) echo '[]';; esac\n")
    found, _ = look.look(places, look.known_targets(places)[0], os.environ)
    assert found.state.locked_by is not None
    assert found.state.locked_by.startswith("process ")
    assert found.state.locked_by.endswith("which runs no more")
    assert found.state.lock_command == f"restic -r {folder} unlock"


@pytest.mark.process
@pytest.mark.parametrize("answer", ["echo 1", "echo '[3]'", "echo '[{}]'", "echo '{'", "true", "exit 3", "kill -9 $$"])
def test_an_answer_that_makes_no_sense_is_an_error(answer: str, tmp_path: Path, engine: Path) -> None:
    """Whatever the engine prints, it is snapshots or an error with a next step."""
    (tmp_path / "answer").write_text(f"{answer}\n")
    for name in ("restic", "borg"):
        with pytest.raises(RepositoryAskError) as caught:
            ask.snapshots(Access(name, "/mnt/b"), os.environ)
        assert caught.value.why
        assert name in caught.value.next


@pytest.mark.process
def test_an_engine_that_is_not_installed_is_an_error(tmp_path: Path) -> None:
    """No traceback."""
    with pytest.raises(RepositoryAskError, match="could not say"):
        ask.snapshots(Access("restic", "/mnt/b"), {"PATH": str(tmp_path)})


@pytest.mark.process
def test_an_engine_that_does_not_answer_is_ended(tmp_path: Path, engine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that hangs does not leave processes behind."""
    monkeypatch.setattr(ask, "ASK_SECONDS", 0.2)
    (tmp_path / "answer").write_text(f"echo $$ > {tmp_path}/pid; exec sleep 60\n")
    with pytest.raises(RepositoryAskError) as caught:
        ask.snapshots(Access("restic", "/mnt/b"), os.environ)
    assert "did not answer" in caught.value.why
    assert not os.path.exists(f"/proc/{(tmp_path / 'pid').read_text().strip()}")


def _gone(pid: Path) -> bool:
    """Whether a process has ended, and was perhaps not waited for."""
    try:
        return Path(f"/proc/{pid.read_text().strip()}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.process
def test_what_an_engine_that_does_not_answer_has_started_is_ended_too(
    tmp_path: Path, engine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """restic starts ssh or rclone; a child that keeps the pipe open does not hold us up either."""
    monkeypatch.setattr(ask, "ASK_SECONDS", 0.2)
    for end in ("wait", "exit 0"):
        (tmp_path / "answer").write_text(f"sleep 60 & echo $! > {tmp_path}/pid; {end}\n")
        with pytest.raises(RepositoryAskError, match="could not say") as caught:
            ask.snapshots(Access("restic", "/mnt/b"), os.environ)
        assert caught.value.slow
        wait_for(lambda: _gone(tmp_path / "pid"), what="the child's end")


@pytest.mark.process
def test_an_answer_that_does_not_end_is_not_read_to_its_end(
    tmp_path: Path, engine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does what it complains about take our memory."""
    monkeypatch.setattr(ask, "MOST_ANSWER", 1 << 20)
    (tmp_path / "answer").write_text(f"echo $$ > {tmp_path}/pid; exec cat /dev/zero\n")
    with pytest.raises(RepositoryAskError) as caught:
        ask.snapshots(Access("restic", "/mnt/b"), os.environ)
    assert "does not end" in caught.value.why
    assert _gone(tmp_path / "pid")
    (tmp_path / "answer").write_text("head -c 9000000 /dev/zero >&2; echo null\n")
    assert ask.snapshots(Access("restic", "/mnt/b"), os.environ) == []


@pytest.mark.process
def test_an_engine_does_not_outlive_the_one_who_asks(tmp_path: Path, engine: Path) -> None:
    """A killed helper of the tracker leaves no engine at work in the repository."""
    (tmp_path / "answer").write_text(f"echo $$ > {tmp_path}/pid; exec sleep 60\n")
    code = "import os; from tray.repository import ask; ask.snapshots(ask.Access('restic', '/mnt/b'), os.environ)"
    asker = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    wait_for(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text(), what="the question")
    asker.kill()
    asker.wait()
    wait_for(lambda: _gone(tmp_path / "pid"), what="the engine's end")


@pytest.mark.process
def test_what_was_not_refreshed_is_said(
    places: Places, tmp_path: Path, engine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In status and doctor, with the reason; also where it was only a try without a password. Once it answers, no more."""
    monkeypatch.setattr(ask, "ASK_SECONDS", 0.2)
    folder = tmp_path / "r"
    folder.mkdir()
    target = Target(Access("restic", "rest:http://nas/b", password_file=str(folder)), None, "rest:http://nas/b")
    (tmp_path / "answer").write_text("exec sleep 60\n")
    look.look(places, target, os.environ, asked=True)
    told = "The repository rest:http://nas/b was not refreshed: it did not answer within 0 s"
    source = StatusSource(places, role="cli", start_tracker=False)
    try:
        assert told in source.poll().notes
        (check,) = records.repositories(places)
        assert (check.level, check.what) == (Level.WARN, f"{told}.")
        assert "restic" in check.remedy
        (tmp_path / "answer").write_text("echo null\n")
        look.look(places, target, os.environ, asked=True)
        assert told not in source.poll().notes
        assert [check.level for check in records.repositories(places)] == [Level.OK]
    finally:
        source.close()


@pytest.mark.process
def test_past_runs_come_from_snapshots_with_a_summary(tmp_path: Path, engine: Path) -> None:
    """restic 0.18 keeps what the run came to; older snapshots have no figures, and none are invented."""
    summary = {
        "backup_start": "2026-11-23T02:15:00.25Z",
        "backup_end": "2026-11-23T02:16:10.75Z",
        "total_files_processed": 20220,
        "total_bytes_processed": 1_556_000_000,
    }
    new = {"id": "b" * 64, "time": "2026-11-23T02:15:00Z", "hostname": "nas", "paths": ["/home"], "summary": summary}
    old = {"id": "a" * 64, "time": "2026-11-22T02:15:00.123456789Z", "tags": ["daily"]}
    (tmp_path / "answer").write_text(f"echo '{json.dumps([new, old])}'\n")
    first, second = ask.snapshots(Access("restic", "/mnt/b"), os.environ)
    assert (first.id, first.tags, first.files, first.bytes, first.seconds) == ("a" * 64, ("daily",), None, None, None)
    assert (second.host, second.paths, second.files, second.seconds) == ("nas", ("/home",), 20220, 70.5)
    assert second.to_json()["source"] == "repository"


@pytest.mark.process
def test_borg_archives_come_with_their_local_time(
    tmp_path: Path, engine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """borg 1.x prints the time of the machine's zone."""
    archive = {"name": "monday", "start": "2026-11-23T02:15:00.000000"}
    (tmp_path / "answer").write_text(f"echo '{json.dumps({'archives': [archive]})}'\n")
    (found,) = ask.snapshots(Access("borg", "/mnt/b"), os.environ)
    assert (found.id, clock.local(found.time_ms).strftime("%Y-%m-%d %H:%M")) == ("monday", "2026-11-23 02:15")
    assert "--bypass-lock" in engine.read_text()


@pytest.mark.process
def test_the_environment_of_the_asker_cannot_clash_with_the_configured_password(tmp_path: Path, engine: Path) -> None:
    """restic refuses to start with two passwords; the configured one is meant."""
    (tmp_path / "answer").write_text('echo "[]"; test "$(env | grep "^RESTIC_")" = RESTIC_REPOSITORY=/mnt/b\n')
    environ = {**os.environ, "RESTIC_PASSWORD_COMMAND": "false", "RESTIC_REPOSITORY_FILE": "/x"}
    assert ask.snapshots(Access("restic", "/mnt/b", "/password"), environ) == []


def test_a_person_may_name_a_repository_in_more_ways_than_one(places: Places, tmp_path: Path) -> None:
    """A folder, relative or not, an address, and nothing for what is no repository."""
    folder = restic(tmp_path / "r", (ID, NOW))
    for address in (str(folder), "r", "./r/"):
        found = look.target_of(places, address, str(tmp_path))
        assert found is not None
        assert (found.access.engine, found.folder) == ("restic", folder)
    remote = look.target_of(places, "rest:http://me:secret@nas/b", "/")
    assert remote is not None
    assert "secret" not in remote.shown
    assert look.target_of(places, "nothing", str(tmp_path)) is None


def test_what_nobody_will_look_at_again_is_dropped(places: Places, tmp_path: Path) -> None:
    """Garbage of an unknown repository goes at once, a repository that is gone after a month; one that a job names stays."""
    run_ended(places, restic(tmp_path / "r", (ID, NOW)))
    (target,) = look.known_targets(places)
    known = cache.known(places, target.name)
    assert known is not None
    (cache.home(places) / ("e" * 32 + ".json")).write_text("garbage")
    look.tidy(places)
    assert [found.name for found in look.known_targets(places)] == [target.name]
    assert len(list(cache.home(places).glob("*.json"))) == 1
    old = NOW - 31 * 24 * HOUR
    failed = replace(known.state, as_of_ms=old, error={"code": "x", "what": "x", "why": "x", "next": "x"})
    cache.write(places, replace(known, state=failed, used_ms=old))
    configured(places, tmp_path / "r", tmp_path)
    look.tidy(places)
    assert look.known_targets(places)
    places.config_file.unlink()
    look.tidy(places)
    assert look.known_targets(places) == []


@pytest.mark.process
def test_the_helper_looks_at_what_is_due_and_ends(places: Places, tmp_path: Path) -> None:
    """The tracker starts it every few minutes: one look for each repository, none of them fatal for the next."""
    run_ended(places, restic(tmp_path / "r", (ID, NOW)))
    run_ended(places, restic(tmp_path / "gone", (ID, NOW)))
    for target in look.known_targets(places):
        known = cache.known(places, target.name)
        assert known is not None
        cache.write(places, replace(known, looked_ms=0))
    os.rename(tmp_path / "gone", tmp_path / "elsewhere")
    done = subprocess.run(
        [sys.executable, "-m", "tray", "tracker", "--look-at-repositories"], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    found = {Path(entry.folder or "").name: entry for entry in cache.Cache(places).contents().entries.values()}
    assert found["gone"].state.error is not None
    assert found["r"].state.error is None
    assert found["r"].state.size == 156


def test_the_tracker_has_repositories_looked_at_only_where_there_are_any(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tracker without repositories starts no process; one with some starts one at a time, again and again."""
    started: list[list[str]] = []

    class Helper:
        def __init__(self, argv: list[str], **_: object) -> None:
            started.append(argv[-2:])

        def poll(self) -> int | None:
            return None if len(started) < 2 else 0

    tracker = server.Tracker(places)
    monkeypatch.setattr(helpers.subprocess, "Popen", Helper)
    tracker.helpers.check_repositories()
    assert started == []
    cache.home(places).mkdir(parents=True)
    for _ in range(3):
        tracker.helpers.check_repositories()
    assert started == [["tracker", "--look-at-repositories"]]
    assert tracker._timers["repositories"].at - clock.monotonic() > 200
    tracker.loop.close()
    tracker._observer._loop.close()
