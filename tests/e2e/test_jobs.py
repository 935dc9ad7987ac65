"""Jobs of config.toml with the real engines: the command lines that are built back up, without a secret in sight."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.program import make_tree, status, tray
from tray.config import saving
from tray.config.jobs import Job
from tray.core.paths import Places

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
