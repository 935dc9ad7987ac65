"""`backup-tray backup JOB`: the same path as `run`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tray.cli.main import main
from tray.config import saving
from tray.config.jobs import Job
from tray.core.paths import Places
from tray.jobs import configured, first_backup


def backup(name: str) -> "subprocess.CompletedProcess[str]":
    """Run a job in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "tray", "backup", name],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def history(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    """Return the past runs as the command line shows them to machines."""
    capsys.readouterr()
    assert main(["history", "--json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.process
def test_a_job_runs_and_is_recorded_under_its_name(places: Places, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code, output and record are those of the command."""
    saving.save_job(places, Job(name="my db", engine=None, command=("sh", "-c", "echo dump; exit 7")))
    done = backup("my db")
    assert (done.returncode, done.stdout) == (7, "dump\n")
    (run,) = history(capsys)
    assert (run["job"], run["outcome"]) == ("my db", "failed")


def test_a_job_that_does_not_exist_names_those_that_do(places: Places, capsys: pytest.CaptureFixture[str]) -> None:
    """A typing error in a crontab is understood from its mail."""
    saving.save_job(places, Job(name="home", engine=None, command=("true",)))
    assert main(["backup", "hme"]) == 2
    assert "Known jobs: home" in capsys.readouterr().err


@pytest.mark.process
def test_variables_that_contradict_a_job_are_not_passed_on(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """restic refuses two sources of a password: the job's own counts."""
    program = tmp_path / "bin/restic"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\nenv >"$(dirname "$0")/seen"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    for name in configured.CLASHING_VARIABLES:
        monkeypatch.setenv(name, "x")
    saving.save_job(places, Job(name="home", sources=("/etc",), repository="/r", password_file="/pw"))
    backup("home")
    seen = (program.parent / "seen").read_text()
    assert "PATH=" in seen
    assert not [name for name in configured.CLASHING_VARIABLES if name in seen]


@pytest.mark.process
def test_a_first_backup_is_started_and_succeeds(
    places: Places, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the form to the record: a real repository, a process of its own, a run that succeeded."""
    (tmp_path / "source").mkdir()
    (tmp_path / "source/letter").write_text("dear reader")
    job = first_backup.create_first_backup(
        places,
        name="letters",
        sources=[str(tmp_path / "source")],
        repository=str(tmp_path / "repository"),
        password=first_backup.generate_password(),
    )
    assert history(capsys) == []
    assert configured.start(places, job).wait(60) == 0
    (run,) = history(capsys)
    assert (run["job"], run["engine"], run["outcome"], run["files"]) == ("letters", "restic", "succeeded", 1)
