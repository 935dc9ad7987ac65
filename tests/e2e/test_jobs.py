"""Jobs of config.toml with the real engines: the command lines that are built back up, without a secret in sight."""

import os
import signal
import subprocess
import sys
import tarfile
from pathlib import Path, PurePath
from typing import Any

import pytest

from tests.e2e.program import make_tree, start, status, tray
from tests.waiting import wait_for
from tray.audit.store import AuditLog
from tray.config import saving
from tray.config.jobs import Job
from tray.core.dataclass import replace
from tray.core.paths import Places
from tray.jobs import editing

PASSWORD = "hunter2 and more"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A small tree to back up, with a file to leave out."""
    made = make_tree(tmp_path / "my source", files=5)
    (made / "x.tmp").write_text("no")
    return made


def kept(folder: Path) -> set[str]:
    """The names of all files below *folder*."""
    return {path.name for path in folder.rglob("*") if path.is_file()}


def backed_up(places: Places, job: Job) -> dict[str, Any]:
    """Run *job* and return its status."""
    saving.save_job(places, job)
    done = tray("backup", job.name)
    assert done.returncode == 0, done.stderr
    assert PASSWORD not in done.stdout + done.stderr
    (shown,) = [each for each in status()["jobs"] if each["job"] == job.name]
    assert (shown["state"], shown["last"]["outcome"]) == ("ok", "succeeded")
    return dict(shown)


@pytest.mark.parametrize("by", ["file", "command", "environment"])
@pytest.mark.parametrize("engine", ["restic", "borg"])
def test_a_repository_with_a_password_is_backed_up_into(
    places: Places, tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch, engine: str, by: str
) -> None:
    """The password reaches the engine from a file, a command or an environment file; patterns are left out."""
    secret, repository = tmp_path / "my secret", tmp_path / "repo"
    secret.write_text(PASSWORD)
    variable = {"restic": "RESTIC_PASSWORD", "borg": "BORG_PASSPHRASE"}[engine]
    environ = {**os.environ, variable: PASSWORD, "BORG_BASE_DIR": str(tmp_path / "borg")}
    monkeypatch.setenv("BORG_BASE_DIR", str(tmp_path / "borg"))
    monkeypatch.setenv("RESTIC_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv(variable, raising=False)
    init = {"restic": ["restic", "init", "-r", repository], "borg": ["borg", "init", "-e", "repokey", repository]}
    subprocess.run(init[engine], env=environ, check=True, capture_output=True)
    (tmp_path / "env").write_text(f"{variable}='{PASSWORD}'\n")
    given: dict[str, Any] = {
        "file": {"password_file": str(secret)},
        "command": {"password_command": (sys.executable, "-c", f"print(open('{secret}').read())")},
        "environment": {"environment_file": str(tmp_path / "env")},
    }[by]
    backed_up(places, Job("home", engine, (str(source),), str(repository), excludes=("*.tmp",), **given))
    lists = {
        "restic": ["restic", "-r", repository, "ls", "latest"],
        "borg": ["borg", "list", f"{repository}::{archive(repository, environ)}" if engine == "borg" else ""],
    }
    listed = subprocess.run(lists[engine], env=environ, check=True, capture_output=True, text=True).stdout
    assert all(name in listed for name in kept(source) - {"x.tmp"})
    assert "x.tmp" not in listed


def archive(repository: Path, environ: dict[str, str]) -> str:
    """The name of the one archive."""
    argv = ["borg", "list", "--short", repository]
    return subprocess.run(argv, env=environ, check=True, capture_output=True, text=True).stdout.strip()


def test_rsync_keeps_each_source_under_its_whole_path(places: Places, tmp_path: Path, source: Path) -> None:
    """Two sources of one name do not take each other's place."""
    other = make_tree(tmp_path / "other" / "my source", files=3)
    target = tmp_path / "copy"
    backed_up(places, Job("home", "rsync", (str(source), str(other)), str(target), excludes=("*.tmp",)))
    assert kept(Path(f"{target}{source}")) == kept(source) - {"x.tmp"}
    assert kept(Path(f"{target}{other}")) == kept(other)


def test_rclone_copies_and_removes_nothing(places: Places, tmp_path: Path, source: Path) -> None:
    """A file that is gone from the source stays in the backup."""
    target = tmp_path / "copy"
    job = Job("home", "rclone", (str(source),), str(target), excludes=("*.tmp",))
    backed_up(places, job)
    first = kept(source) - {"x.tmp"}
    next(path for path in source.rglob("*") if path.is_file() and path.name != "x.tmp").unlink()
    (source / "new").write_text("new")
    assert tray("backup", "home").returncode == 0
    assert kept(target) == first | {"new"}


def test_tar_keeps_the_archive_of_the_run_before(places: Places, tmp_path: Path, source: Path) -> None:
    """A run that fails half-way leaves the last good archive beside it; the name decides how it is compressed."""
    archive = tmp_path / "my backup.tar.gz"
    backed_up(places, Job("home", "tar", (str(source),), str(archive), excludes=("*.tmp",)))
    (source / "new").write_text("new")
    assert tray("backup", "home").returncode == 0
    with tarfile.open(archive, "r:gz") as new, tarfile.open(f"{archive}~", "r:gz") as old:
        names = {PurePath(name).name for name in new.getnames()} - {PurePath(name).name for name in old.getnames()}
        assert names == {"new"}
        assert kept(source) - {"x.tmp"} <= {PurePath(name).name for name in new.getnames()}
        assert not any("x.tmp" in name for name in new.getnames())


@pytest.mark.parametrize("by", ["file", "command"])
def test_duplicity_gets_its_passphrase(
    places: Places, tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    """Two runs, the second one incremental; the files come back with the same passphrase, and without another one's help."""
    monkeypatch.setenv("GNUPGHOME", str(tmp_path / "gpg"))
    (tmp_path / "gpg").mkdir(mode=0o700)
    monkeypatch.delenv("PASSPHRASE", raising=False)
    secret, target = tmp_path / "my secret", tmp_path / "target"
    secret.write_text(PASSWORD + "\n")
    given: dict[str, Any] = {
        "file": {"password_file": str(secret)},
        "command": {"password_command": ("cat", str(secret))},
    }[by]
    options = ("--archive-dir", str(tmp_path / "archive"))
    job = Job("home", "duplicity", (str(source),), str(target), excludes=("**.tmp",), options=options, **given)
    backed_up(places, job)
    (source / "new").write_text("new")
    assert tray("backup", "home").returncode == 0
    assert any("inc" in path.name for path in target.iterdir())
    back = tmp_path / "back"
    argv = ["duplicity", "restore", *options, f"file://{target}", str(back)]
    subprocess.run(argv, env={**os.environ, "PASSPHRASE": PASSWORD}, check=True, capture_output=True)
    assert kept(back) == kept(source) - {"x.tmp"}


def test_a_job_that_cannot_be_started_is_red(places: Places, tmp_path: Path, source: Path) -> None:
    """Its environment file is gone: no engine is started, and the night is recorded as failed."""
    gone = tmp_path / "gone"
    saving.save_job(places, Job("home", "rsync", (str(source),), str(tmp_path / "copy"), environment_file=str(gone)))
    done = tray("backup", "home")
    assert done.returncode != 0
    assert str(gone) in done.stderr
    assert "next:" in done.stderr
    (shown,) = status()["jobs"]
    assert (shown["state"], str(gone) in shown["last"]["reason"]) == ("failed", True)
    assert not (tmp_path / "copy").exists()


def shell(words: str) -> tuple[str, ...]:
    """A command line of a shell."""
    return ("sh", "-c", words)


def last() -> dict[str, Any]:
    """The last run of the one job."""
    (shown,) = status()["jobs"]
    return dict(shown["last"])


def words_of_last() -> str:
    """The log of the last run."""
    return tray("log", last()["run"], check=True).stdout


def test_hooks_run_around_the_backup_and_into_its_log(places: Places, tmp_path: Path) -> None:
    """In order, with the job's name and outcome, their words in the log, and secrets hidden there."""
    file = tmp_path / "order"
    note = f'echo "$0 $BACKUP_TRAY_JOB $BACKUP_TRAY_OUTCOME" >> {file}; echo "words of $0"; printf unfinished-$0 >&2'
    job = Job("home", None, command=shell(f"echo engine >> {file}"), before=("sh", "-c", note, "before"))
    saving.save_job(
        places,
        replace(job, after=("sh", "-c", f"{note}; echo token=hunter2hunter2", "after", "--token=hunter2hunter2")),
    )
    done = tray("backup", "home")
    assert done.returncode == 0, done.stderr
    assert file.read_text().splitlines() == ["before home ", "engine", "after home succeeded"]
    assert "words of before\n" in done.stderr
    assert last()["outcome"] == "succeeded"
    log = words_of_last()
    assert [word in log for word in ("words of before", "unfinished-before", "words of after", "unfinished-after")] == [
        True
    ] * 4
    assert "hunter2hunter2" not in log


@pytest.mark.parametrize("before", [shell("echo no disk >&2; exit 3"), ("/no/such/program",), shell("kill -9 $$")])
def test_a_hook_that_fails_before_keeps_the_engine_from_starting(
    places: Places, tmp_path: Path, before: tuple[str, ...]
) -> None:
    """The run has failed and says so; the command afterwards is not run."""
    touched = ("touch", str(tmp_path / "engine")), ("touch", str(tmp_path / "after"))
    saving.save_job(places, Job("home", None, command=touched[0], before=before, after=touched[1]))
    done = tray("backup", "home")
    assert done.returncode != 0
    assert "The command before it failed" in done.stderr
    assert "next:" in done.stderr
    assert (last()["outcome"], before[0] in last()["reason"]) == ("failed", True)
    assert not (tmp_path / "engine").exists()
    assert not (tmp_path / "after").exists()
    if before[0] == "sh" and "no disk" in before[2]:
        assert "no disk" in words_of_last()
        assert done.returncode == 3


@pytest.mark.parametrize(("engine", "code", "outcome"), [("true", 0, "warning"), ("exit 7", 7, "failed")])
def test_a_hook_that_fails_afterwards_leaves_no_success(places: Places, engine: str, code: int, outcome: str) -> None:
    """The exit code stays the engine's; the reason names both."""
    saving.save_job(places, Job("home", None, command=shell(engine), after=shell("exit 4")))
    assert tray("backup", "home").returncode == code
    assert last()["outcome"] == outcome
    assert "The command after the backup failed: sh: ended with exit code 4." in last()["reason"]


def test_a_signal_while_the_hook_runs_ends_both(places: Places, tmp_path: Path) -> None:
    """The engine is not started, and the run is recorded as cancelled."""
    begun, engine = tmp_path / "begun", tmp_path / "engine"
    before = shell(f"touch {begun}; exec sleep 60")
    saving.save_job(places, Job("home", None, command=("touch", str(engine)), before=before))
    process = start("backup", "home", stderr=subprocess.DEVNULL)
    wait_for(begun.exists, what="the hook")
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) != 0
    assert last()["outcome"] == "cancelled"
    assert not engine.exists()


def test_a_run_that_matches_a_job_is_recorded_as_its_run(places: Places) -> None:
    """By its automatic name, by a former name after --job, and with the kind of the run behind it."""
    tray("run", "--", "sh", "-c", "exit 0", check=True)
    (shown,) = status()["jobs"]
    automatic = shown["job"]
    editing.rename(places, automatic, "nightly")
    config = places.config_file.read_text()
    assert f'matches = ["{automatic}"]' in config
    places.config_file.write_text(config.replace("matches = [", 'matches = ["old", '))
    for words in (["run"], ["run", "--job", "old"], ["run", "--job", "nightly"]):
        tray(*words, "--", "sh", "-c", "exit 0", check=True)
    (shown,) = status()["jobs"]
    assert shown["job"] == "nightly"
    with AuditLog.read(places.audit_db) as log:
        recorded = [entry.data["job"] for entry in log.entries(0, 100) if entry.data["action"] == "run.finished"]
    assert recorded == [automatic, "nightly", "nightly", "nightly"]


def test_a_watched_job_that_is_run_by_hand_is_no_failure(places: Places) -> None:
    """The user learns who starts it; nothing turns red."""
    tray("run", "--job", "nightly", "--", "true", check=True)
    assert tray("jobs", "edit", "nightly", "--every", "1d", "--watched", "crontab of ann").returncode == 0
    done = tray("backup", "nightly")
    assert done.returncode != 0
    assert "crontab of ann starts it" in done.stderr
    (shown,) = status()["jobs"]
    assert shown["state"] == "ok"
