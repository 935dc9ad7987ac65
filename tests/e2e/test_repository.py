import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.machine import ROOT
from tests.e2e.program import PASSWORD, TRAY, make_repository, make_tree, snapshots, start, status, tray
from tests.mounts import mounted
from tests.unit.repository.test_files import tree
from tests.waiting import wait_for
from tray.config import saving
from tray.config.jobs import Job
from tray.core import clock
from tray.core.paths import Places
from tray.repository import locks, new_snapshots


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty restic repository whose password is in the environment."""
    monkeypatch.setenv("RESTIC_PASSWORD", PASSWORD)
    monkeypatch.setenv("RESTIC_CACHE_DIR", str(tmp_path / "cache"))
    return make_repository(tmp_path / "repo")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A small tree to back up."""
    return make_tree(tmp_path / "source", files=5)


@pytest.fixture
def borg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A borg repository with a passphrase in the environment."""
    monkeypatch.setenv("BORG_PASSPHRASE", PASSWORD)
    monkeypatch.setenv("BORG_BASE_DIR", str(tmp_path / "borg-base"))
    subprocess.run(["borg", "init", "-e", "repokey", tmp_path / "borg"], check=True, capture_output=True)
    return tmp_path / "borg"


@pytest.fixture
def processes() -> Iterator[list["subprocess.Popen[bytes]"]]:
    """Processes that are ended with the test."""
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        process.kill()
        if process.stdin is not None:
            process.stdin.close()
        process.wait()


def the_repository() -> dict[str, Any]:
    """Return the one repository of `status --json`."""
    (repository,) = status()["repositories"]
    return dict(repository)


def refreshed(*arguments: str | Path, **options: Any) -> dict[str, Any]:
    """Return the facts of one repository from `repository --refresh --json`."""
    return dict(json.loads(tray("repository", "--refresh", "--json", *arguments, **options).stdout))


def backed_up(repository: Path, source: Path) -> None:
    """Make a wrapped backup."""
    tray("run", "--job", "home", "--", "restic", "-r", repository, "backup", source, check=True)


def home_job() -> dict[str, Any]:
    """Return the job `home` of the status."""
    return dict(next(job for job in status()["jobs"] if job["job"] == "home"))


def test_the_status_shows_the_repository_and_looking_changes_nothing(
    repository: Path, source: Path, places: Places
) -> None:
    """After a wrapped run restic itself agrees; polls, `status` and `repository` change neither repository nor cache."""
    backed_up(repository, source)
    cache = places.state / "repositories"
    before = tree(repository), tree(cache)
    shown = the_repository()
    page = tray("repository")
    assert (tree(repository), tree(cache)) == before
    (known,) = snapshots(repository)
    assert (shown["snapshots"], shown["last_snapshot"], shown["locked_by"]) == (1, known["id"], None)
    assert shown["error"] is None
    assert page.returncode == 0
    assert "snapshots: 1" in page.stdout
    refreshed(repository)
    assert tree(repository) == before[0]
    listed = tray("repository", "--snapshots", repository)
    assert known["short_id"] in listed.stdout
    assert "not by the audit log" in listed.stdout


def _faithless(tmp_path: Path, after: str) -> Path:
    """Return a restic that does its work, then *after* (shell)."""
    program = tmp_path / "faithless" / "restic"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\n{shutil.which("restic")} "$@" || exit\n{after}\n')
    program.chmod(0o755)
    return program


def test_a_success_without_its_snapshot_is_a_warning_until_the_next_good_run(
    repository: Path, source: Path, tmp_path: Path
) -> None:
    """The engine reported a snapshot that the repository does not have: the status is a warning, not fine."""
    bad = _faithless(tmp_path, f"rm -f {repository}/snapshots/*")
    done = tray("run", "--job", "home", "--", bad, "-r", repository, "backup", source)
    assert done.returncode == 0
    job = home_job()
    assert (job["state"], job["last"]["outcome"]) == ("warning", "succeeded")
    assert job["concern"] == "The log says that it succeeded, but the repository has no snapshot of that run."
    backed_up(repository, source)
    assert (home_job()["state"], home_job()["concern"]) == ("ok", None)


def test_a_folder_of_the_same_name_somewhere_else_raises_no_alarm(
    repository: Path, source: Path, tmp_path: Path
) -> None:
    """In a container the name can mean another repository: the run left no trace in ours, so the status raises no alarm."""
    other = make_repository(tmp_path / "other")
    program = tmp_path / "elsewhere" / "restic"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nshift 2\nexec {shutil.which("restic")} -r {other} "$@"\n')
    program.chmod(0o755)
    tray("run", "--job", "home", "--", program, "-r", repository, "backup", source, check=True)
    assert len(snapshots(other)) == 1
    assert (home_job()["state"], home_job()["concern"]) == ("ok", None)


def test_forget_after_the_backup_is_no_concern_but_all_gone_is(repository: Path, source: Path) -> None:
    """The usual `forget` raises no concern; a repository without any snapshot of the last run does."""
    backed_up(repository, source)
    backed_up(repository, source)
    subprocess.run(["restic", "-r", repository, "forget", "--keep-last", "1", "-q"], check=True)
    assert refreshed(repository)["snapshots"] == 1
    assert home_job()["concern"] is None
    (left,) = (repository / "snapshots").iterdir()
    left.unlink()
    assert refreshed(repository)["snapshots"] == 0
    job = home_job()
    assert job["state"] == "warning"
    assert "no snapshot of that run any more" in job["concern"]


def _holding(processes: "list[subprocess.Popen[bytes]]", *argv: str | Path) -> "subprocess.Popen[bytes]":
    """Start an engine that backs up its stdin, and keep that open."""
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    processes.append(process)
    return process


def test_a_lock_of_a_living_and_of_a_dead_borg_are_told_apart(
    borg: Path, source: Path, processes: "list[subprocess.Popen[bytes]]"
) -> None:
    """The status names the lock's holder and its time, says when that process is gone, and finds a killed run's lock."""
    holder = _holding(processes, "borg", "create", f"{borg}::a", "-")
    wait_for(lambda: locks.held("borg", borg), what="borg's lock")
    host = os.uname().nodename.partition(".")[0]
    answer = refreshed(borg)
    assert (answer["locked_by"], answer["error"]) == (f"process {holder.pid} on {host}", None)
    assert answer["locked_since"] is not None
    assert answer["snapshots"] is None  # borg is not asked beside a backup
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert refreshed(borg)["locked_by"] == f"process {holder.pid} on {host}, which runs no more"
    left = locks.left_behind("borg", str(borg), 0)
    assert left is not None
    assert f"process {holder.pid}" in left


def test_a_killed_restic_leaves_a_lock_that_is_found_at_once(
    repository: Path, source: Path, processes: "list[subprocess.Popen[bytes]]"
) -> None:
    """While restic works the status shows its lock without a command; after two days it shows the command that removes it."""
    holder = _holding(processes, "restic", "-r", repository, "backup", "--stdin", "-q")
    wait_for(lambda: locks.held("restic", repository), what="restic's lock")
    answer = refreshed(repository)
    assert (answer["locked_by"], answer["lock_command"]) == ("a restic process", None)
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert locks.left_behind("restic", str(repository), 0) is not None
    assert new_snapshots.snapshots("restic", str(repository), 0, clock.now_ms()) == []
    (lock,) = (repository / "locks").iterdir()
    long_ago = lock.stat().st_mtime - 2.5 * 86_400
    os.utime(lock, (long_ago, long_ago))
    answer = refreshed(repository)
    assert answer["locked_by"].startswith(f"process {holder.pid} on ")
    assert answer["locked_by"].endswith("which runs no more")
    (note,) = status()["notes"]
    assert "2 days" in note
    assert answer["lock_command"] in note
    subprocess.run(["sh", "-c", answer["lock_command"]], check=True, capture_output=True)
    assert refreshed(repository)["locked_by"] is None


def test_borg_is_asked_for_facts_that_its_files_do_not_hold(borg: Path, source: Path) -> None:
    """borg is asked where the environment has the passphrase, and changes nothing; without one the status shows no error."""
    tray("run", "--job", "home", "--", "borg", "create", f"{borg}::monday", source, check=True)
    before = tree(borg)
    answer = refreshed(borg)
    assert (answer["snapshots"], answer["last_snapshot"], answer["error"]) == (1, "monday", None)
    environ = {name: value for name, value in os.environ.items() if name != "BORG_PASSPHRASE"}
    assert refreshed(borg, env=environ)["error"] is None
    assert tree(borg) == before


def test_an_unmounted_repository_is_an_error_beside_its_last_facts(
    repository: Path, source: Path, tmp_path: Path
) -> None:
    """With the disk in a drawer the status shows the age of its facts and keeps the job's state; mounted again, it is fine."""
    backed_up(repository, source)
    known = the_repository()
    os.rename(repository, tmp_path / "drawer")
    answer = refreshed(repository)
    assert answer["error"]["code"] == "ERROR_REPOSITORY_UNREACHABLE"
    assert (answer["snapshots"], answer["as_of"]) == (1, known["as_of"])
    page = tray("repository")
    assert page.returncode == 3
    assert "may not be mounted" in page.stdout
    assert home_job()["state"] == "ok"
    os.rename(tmp_path / "drawer", repository)
    assert refreshed(repository)["error"] is None


def test_a_repository_that_cannot_be_written_can_be_looked_at(repository: Path, source: Path, borg: Path) -> None:
    """Looking and asking write nothing: both repositories answer from a read-only mount."""
    for engine_repository in (repository, borg):
        mount = f"mount --bind {engine_repository} {engine_repository}\nmount -o remount,ro,bind {engine_repository}"
        argv = [*TRAY, "repository", "--refresh", "--json", str(engine_repository)]
        done = subprocess.run(mounted(mount, *argv), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        answer = json.loads(done.stdout)
        assert (answer["snapshots"], answer["error"]) == (0, None)


def test_a_wrong_password_in_the_configured_file_is_shown_until_it_is_right(
    repository: Path, source: Path, tmp_path: Path, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The status shows the wrong password until the next look with the right one."""
    monkeypatch.delenv("RESTIC_PASSWORD")
    secret = tmp_path / "password"
    secret.write_text("wrong\n")
    saving.save_job(places, Job("home", sources=(str(source),), repository=str(repository), password_file=str(secret)))
    answer = refreshed()
    assert (answer["snapshots"], answer["error"]["code"]) == (0, "ERROR_REPOSITORY_ASK")
    assert "wrong password" in answer["error"]["why"]
    secret.write_text(PASSWORD + "\n")
    assert refreshed()["error"] is None


def test_the_engine_is_not_asked_while_a_backup_of_the_repository_runs(
    repository: Path, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong password would fail at once, but the engine is not started beside a live run."""
    program = tmp_path / "slow" / "restic"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\nread line < {tmp_path}/go\n")
    program.chmod(0o755)
    os.mkfifo(tmp_path / "go")
    running = start("run", "--job", "home", "--", program, "-r", repository, "backup", source)
    try:
        wait_for((tmp_path / "started").exists, what="the backup")
        monkeypatch.setenv("RESTIC_PASSWORD", "wrong")
        assert refreshed(repository)["error"] is None
    finally:
        (tmp_path / "go").write_text("on\n")
        running.wait()
    assert refreshed(repository)["error"]["code"] == "ERROR_REPOSITORY_ASK"


def test_the_disk_can_be_unmounted_as_soon_as_the_wrapped_run_ends(
    repository: Path, source: Path, tmp_path: Path
) -> None:
    """`run -- restic backup && umount`, three times, with a tracker that looks at repositories beside it: never busy."""
    disk = tmp_path / "disk"
    disk.mkdir()
    tray_command = f"{sys.executable} -m tray"
    as_root = " ".join(ROOT)
    script = f"""
        {tray_command} tracker & tracker=$!
        trap 'kill $tracker; wait $tracker' EXIT
        for night in 1 2 3; do
            {tray_command} run --job home -- restic -r {disk}/repo backup -q {source} || exit 1
            {as_root} umount {disk} || exit 2
            {tray_command} tracker --look-at-repositories || exit 3
            {as_root} mount -t tmpfs none {disk} && {as_root} cp -a {repository} {disk}/repo || exit 4
        done
    """
    mount = f"mount -t tmpfs none {disk}\ncp -a {repository} {disk}/repo"
    done = subprocess.run(mounted(mount, "sh", "-c", script), capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert the_repository()["snapshots"] == 1


def test_an_engine_that_would_eat_the_memory_is_no_answer(
    repository: Path, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An endless file, which another writer can put into the repository, must not take the machine's memory."""
    backed_up(repository, source)
    program = tmp_path / "hungry" / "restic"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\nbytearray(12 << 30)\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("RESTIC_PASSWORD", PASSWORD)
    answer = refreshed(repository)
    assert (answer["snapshots"], answer["error"]["code"]) == (1, "ERROR_REPOSITORY_ASK")
    assert "MemoryError" in answer["error"]["why"]
