import os
import random
import re
import signal
import subprocess
from pathlib import Path

import pytest

from tests.e2e.program import PASSWORD, last, make_repository, make_tree, snapshots, start, status, tray
from tests.waiting import wait_for
from tray import runs
from tray.core import paths
from tray.core.paths import Places

SLOW = ("--limit-upload", "700")  # KiB/s: a backup that lasts long enough to meet its fate


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty restic repository whose password is in the environment."""
    monkeypatch.setenv("RESTIC_PASSWORD", PASSWORD)
    monkeypatch.setenv("RESTIC_CACHE_DIR", str(tmp_path / "cache"))
    return make_repository(tmp_path / "repo")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A small tree to back up."""
    return make_tree(tmp_path / "source")


@pytest.fixture
def big(tmp_path: Path) -> Path:
    """A source that takes about six seconds at the slow rate."""
    return make_tree(tmp_path / "big", files=8, size=500_000)


def test_a_real_backup_is_on_record_with_its_facts(repository: Path, source: Path) -> None:
    """Engine, wrapper, audit log and status agree, and restic has the snapshot."""
    done = tray("run", "--job", "home", "--", "restic", "-r", repository, "backup", source)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"^snapshot [0-9a-f]{8} saved$", done.stdout, re.MULTILINE)
    assert len(snapshots(repository)) == 1
    shown = status()
    assert (shown["state"], shown["runs"], shown["jobs"][0]["job"]) == ("ok", [], "home")
    ended = shown["last"]
    assert (ended["outcome"], ended["inferred"], ended["files"], ended["errors"]) == ("succeeded", False, 30, 0)
    assert ended["bytes_processed"] == 30 * 3000
    assert ended["entry"] is not None
    assert tray("audit", "verify").returncode == 0  # the copy beside the configuration agrees


def test_an_emptied_folder_is_a_warning_although_restic_succeeds(repository: Path, source: Path) -> None:
    """After three nights with thirty files most of them are gone: the status is a warning and gives both sizes."""
    backup = ("run", "--job", "home", "--", "restic", "-r", repository, "backup", source)
    for _ in range(3):
        assert tray(*backup).returncode == 0
    for file in sorted(path for path in source.rglob("*") if path.is_file())[1:]:
        file.unlink()
    assert tray(*backup).returncode == 0
    answer = status()
    assert (answer["state"], answer["last"]["outcome"]) == ("warning", "warning")
    assert "much smaller than usual: 3.0 kB in place of 90.0 kB" in answer["last"]["reason"]


def test_cron_mails_the_output_of_bare_restic(repository: Path, source: Path) -> None:
    """cron mails exactly the lines that bare restic prints."""
    command = ["restic", "-r", str(repository), "backup", "."]
    bare = subprocess.run(command, cwd=source, capture_output=True, text=True)
    wrapped = tray("run", "--", *command, cwd=source)
    again = subprocess.run(command, cwd=source, capture_output=True, text=True)
    assert [_figures(line) for line in wrapped.stdout.splitlines()[1:]] == [
        _figures(line) for line in again.stdout.splitlines()[1:]
    ]
    assert wrapped.stderr == bare.stderr == ""


def _figures(line: str) -> str:
    return re.sub(r"[0-9a-f]{8}|\d:\d\d", "#", line)


def test_json_that_the_user_asked_for_is_passed_on_verbatim(repository: Path, source: Path) -> None:
    """A script that parses restic's JSON goes on working."""
    done = tray("run", "--", "restic", "-r", repository, "backup", "--json", source)
    assert '"message_type":"summary"' in done.stdout
    assert last()["outcome"] == "succeeded"


@pytest.mark.parametrize(
    ("arguments", "outcome", "reason"),
    [
        (["backup", "/does/not/exist"], "failed", "exist"),
        (["-r", "/does/not/exist", "backup", "SOURCE"], "failed", "repository"),
        (["--password-command", "echo wrong", "backup", "SOURCE"], "failed", "password"),
        (["backup", "SOURCE", "/does/not/exist"], "warning", "does not exist"),
        (["backup", "--no-such-flag", "SOURCE"], "failed", "flag"),
    ],
)
def test_a_backup_that_went_wrong_is_never_green(
    repository: Path, source: Path, arguments: list[str], outcome: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The status tells missing source, missing repository and wrong password apart, with restic's own exit code."""
    command = ["restic", *(["-r", str(repository)] if "-r" not in arguments else [])]
    command += [str(source) if word == "SOURCE" else word for word in arguments]
    if "--password-command" in arguments:
        monkeypatch.delenv("RESTIC_PASSWORD")
    bare = subprocess.run(command, capture_output=True, text=True)
    done = tray("run", "--", *command)
    assert done.returncode == bare.returncode
    assert done.stderr == bare.stderr
    ended = last()
    assert ended["outcome"] == outcome
    assert reason in (ended["reason"] or "").lower() + done.stderr.lower()
    assert status()["state"] == {"failed": "failed", "warning": "warning"}[outcome]


def test_a_locked_repository_fails_with_the_next_step(repository: Path, source: Path, big: Path) -> None:
    """The lock of a restic at work is waited for: no command that removes a lock is offered."""
    subprocess.run(["restic", "-r", repository, "backup", "-q", big], check=True)
    holder = subprocess.Popen(
        ["restic", "-r", str(repository), "--limit-download", "1", "check", "--read-data"], stdout=subprocess.DEVNULL
    )
    try:
        wait_for(lambda: any((repository / "locks").iterdir()), what="the lock")
        done = tray("run", "--", "restic", "-r", repository, "backup", source)
    finally:
        holder.kill()
        holder.wait()
    assert done.returncode != 0
    assert last()["outcome"] == "failed"
    assert f"locked exclusively by PID {holder.pid}".replace(" exclusively", "") in last()["reason"]
    assert last()["advice"].startswith(f"Wait until process {holder.pid} on ")
    assert "unlock" not in last()["reason"] + last()["advice"]


def test_a_missing_restic_is_a_failed_run_and_names_the_package(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The night on which restic was uninstalled must show in the morning."""
    monkeypatch.setenv("PATH", str(source))
    done = tray("run", "--job", "home", "--", "restic", "backup", source)
    assert done.returncode == 127
    assert "apt install restic" in done.stderr
    assert (last()["job"], last()["outcome"]) == ("home", "failed")


def test_two_runs_at_once_are_both_shown_and_both_recorded(
    repository: Path, big: Path, tmp_path: Path, places: Places
) -> None:
    """Several backups side by side (FR-BK-005)."""
    other = make_repository(tmp_path / "other")
    tracker = start("tracker")
    pair = [
        start("run", "--job", name, "--", "restic", "-r", to, *SLOW, "backup", big, stdout=subprocess.DEVNULL)
        for name, to in (("one", repository), ("two", other))
    ]
    shown = wait_for(lambda: (now := status()) and len(now["runs"]) == 2 and now, what="two runs")
    assert {run["job"] for run in shown["runs"]} == {"one", "two"}
    assert shown["state"] == "running"
    wait_for(lambda: any(run["bytes_done"] for run in status()["runs"]), what="progress")
    assert [process.wait(timeout=60) for process in pair] == [0, 0]
    wait_for(lambda: not status()["runs"])
    assert {job["job"]: job["state"] for job in status()["jobs"]} == {"one": "ok", "two": "ok"}
    tracker.terminate()
    tracker.wait()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_wrapper_reaches_the_engine_and_is_a_cancel(repository: Path, big: Path, number: int) -> None:
    """systemctl stop and kill end the backup as without us."""
    run = start("run", "--", "restic", "-r", repository, *SLOW, "backup", big, stdout=subprocess.DEVNULL)
    wait_for(_engine_works, what="the backup")
    run.send_signal(number)
    code = run.wait(timeout=60)
    assert code in (130, 1, -number)
    assert last()["outcome"] == "cancelled"
    assert status()["state"] == "none"  # neutral, and there is no backup yet


def _engine_works() -> bool:
    """Whether it has started; a signal that comes before starts nothing, and leaves no run."""
    return any(folder.info().child for folder in runs.live(paths.places()))


def _child(places: Places) -> int:
    folder = next(runs.live(places))
    return wait_for(lambda: (child := folder.info().child) and child.pid, what="the engine")


def test_a_killed_engine_is_failed_and_the_wrapper_dies_alike(repository: Path, big: Path, places: Places) -> None:
    """An OOM kill is no cancel."""
    run = start("run", "--", "restic", "-r", repository, *SLOW, "backup", big, stdout=subprocess.DEVNULL)
    wait_for(_engine_works, what="the backup")
    os.kill(_child(places), signal.SIGKILL)
    assert run.wait(timeout=60) == -signal.SIGKILL
    assert last()["outcome"] == "failed"


def _begun(repository: Path) -> "tuple[subprocess.Popen[bytes], int]":
    """Begin a backup of a pipe; return the wrapper and our side of the pipe, whose end ends the backup."""
    theirs, ours = os.pipe()
    run = start("run", "--job", "home", "--", "restic", "-r", repository, "backup", "--stdin", stdin=theirs)
    os.close(theirs)
    data = random.Random(1).randbytes(10_000_000)
    while data:
        data = data[os.write(ours, data[:65536]) :]
    return run, ours


def test_a_killed_wrapper_leaves_the_backup_running_and_its_end_is_found_out(repository: Path, places: Places) -> None:
    """kill -9 of the wrapper does not disturb the backup; its record is made from the wrapper's spool."""
    tracker = start("tracker")
    run, pipe = _begun(repository)
    wait_for(lambda: any(live["bytes_done"] for live in status()["runs"]), what="progress")
    engine = runs.Process(_child(places), None).pid
    run.kill()
    run.wait()
    shown = wait_for(lambda: [live for live in status()["runs"] if not live["tracked"]], what="the run, untracked")
    assert shown[0]["percent"] is None
    os.kill(engine, 0)
    os.close(pipe)
    ended = wait_for(lambda: not status()["runs"] and status()["last"], seconds=60, what="the end")
    assert (ended["outcome"], ended["inferred"]) == ("succeeded", True)
    wait_for(lambda: last()["entry"] is not None, what="the entry")
    assert len(snapshots(repository)) == 1
    assert "snapshot" in tray("log", "last").stdout
    assert not list(runs.live(places))
    tracker.terminate()
    tracker.wait()


def test_killed_wrapper_and_engine_are_lost_at_once_and_closed_by_the_next_wrapper(
    repository: Path, source: Path, big: Path, places: Places
) -> None:
    """After a power cut or an OOM kill no process saw the end: the status shows a failure before any program has recorded it."""
    run = start("run", "--job", "home", "--", "restic", "-r", repository, *SLOW, "backup", big)
    wait_for(_engine_works, what="the backup")
    engine = _child(places)
    run.kill()
    os.kill(engine, signal.SIGKILL)
    run.wait()
    shown = wait_for(lambda: (now := status()) and not now["runs"] and now)
    assert (shown["state"], shown["last"]["outcome"], shown["last"]["entry"]) == ("failed", "lost", None)
    assert "home: was lost" in tray("history").stdout
    assert tray("run", "--job", "other", "--", "true").returncode == 0
    job = next(job for job in status()["jobs"] if job["job"] == "home")
    assert (job["state"], job["last"]["outcome"], job["last"]["inferred"]) == ("failed", "lost", True)
    assert job["last"]["entry"] is not None


def test_a_reboot_in_the_middle_is_a_lost_run(repository: Path, big: Path, places: Places) -> None:
    """After a power cut the process numbers may be in use again; another boot id says that it cannot be the same process."""
    run = start("run", "--job", "home", "--", "restic", "-r", repository, *SLOW, "backup", big)
    wait_for(_engine_works, what="the backup")
    engine = _child(places)
    run.kill()
    run.wait()
    folder = next(runs.live(places))
    text = (folder.path / "run.json").read_text()
    (folder.path / "run.json").write_text(re.sub(r'"boot": "[^"]*"', '"boot": "another"', text))
    assert last()["outcome"] == "lost"
    os.kill(engine, signal.SIGTERM)


def test_a_run_reappears_whole_when_its_tracker_was_replaced(repository: Path) -> None:
    """When a tracker starts late, dies or is replaced, the status shows the run whole again."""
    run, pipe = _begun(repository)
    for _ in range(2):
        tracker = start("tracker")
        shown = wait_for(lambda: [live for live in status()["runs"] if live["bytes_done"]], what="the run")
        assert (shown[0]["job"], shown[0]["repository"]) == ("home", str(repository))
        tracker.kill()
        tracker.wait()
    os.close(pipe)
    assert run.wait(timeout=60) == 0


def test_without_a_tracker_status_still_shows_the_run(repository: Path, big: Path) -> None:
    """The run folder shows that it runs; the status invents no progress."""
    run = start("run", "--job", "home", "--", "restic", "-r", repository, *SLOW, "backup", big)
    shown = wait_for(lambda: status()["runs"], what="the run")
    assert (shown[0]["job"], shown[0]["tracked"], shown[0]["percent"]) == ("home", False, None)
    run.send_signal(signal.SIGINT)
    run.wait(timeout=60)
    assert not status()["runs"]


def test_a_dry_run_does_not_make_a_job_green(repository: Path, source: Path) -> None:
    """A dry run names a snapshot that does not exist."""
    tray("run", "--job", "home", "--", "restic", "-r", "/does/not/exist", "backup", source)
    assert tray("run", "--job", "home", "--", "restic", "-r", repository, "backup", "-n", source).returncode == 0
    assert snapshots(repository) == []
    assert status()["state"] == "failed"
    assert tray("run", "--job", "home", "--", "restic", "-r", repository, "check").returncode == 0
    assert status()["state"] == "failed"
    assert {job["job"] for job in status()["jobs"]} == {"home", "home (dry-run)", "home (check)"}


def test_an_exit_code_that_hides_a_missing_source_is_not_called_a_success(repository: Path, source: Path) -> None:
    """restic before 0.19 exits 0 with a source missing; with --no-watch its output is not read, but the folder is looked for."""
    tray("run", "--no-watch", "--job", "home", "--", "restic", "-r", repository, "backup", source, "/does/not/exist")
    assert (status()["state"], last()["outcome"]) == ("warning", "warning")
    assert "/does/not/exist" in last()["reason"]


def test_no_secret_is_written_anywhere(
    repository: Path, source: Path, tmp_path: Path, empty_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Passwords in addresses, arguments and environment stay out of log, spool, audit log and status."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "aws-s3cret-value")
    tray("run", "--", "restic", "-r", f"rest:http://joe:hunter2@{empty_server}/x", "backup", source)
    tray("run", "--", "restic", "-r", repository, "--password-command", "echo topsecret", "backup", source)
    tray("run", "--", "sh", "-c", "echo aws-s3cret-value >&2")
    assert len(status()["jobs"]) == 3
    kept = b"".join(path.read_bytes() for path in (tmp_path / "bt").rglob("*") if path.is_file())
    for secret in (b"hunter2", b"topsecret", b"aws-s3cret-value", PASSWORD.encode()):
        assert secret not in kept
