"""restic restore, check and prune under watch; and the time left of a run, estimated from the run before."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.program import PASSWORD, last, make_repository, make_tree, start, status, tray
from tests.e2e.trays import end_tracker
from tests.waiting import wait_for


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A restic repository with two snapshots, whose password is in the environment."""
    monkeypatch.setenv("RESTIC_PASSWORD", PASSWORD)
    monkeypatch.setenv("RESTIC_CACHE_DIR", str(tmp_path / "cache"))
    path, source = make_repository(tmp_path / "repo"), make_tree(tmp_path / "source", files=4, size=200_000)
    for _ in range(2):
        subprocess.run(["restic", "-q", "-r", path, "backup", source], check=True)
    return path


def test_restore_check_and_prune_are_on_record_with_their_kinds(repository: Path, tmp_path: Path) -> None:
    """Each is on record with its own kind and outcome, and the caller sees restic's output."""
    done = tray(
        "run", "--job", "home", "--", "restic", "-r", repository, "restore", "latest", "--target", tmp_path / "out"
    )
    assert (done.returncode, done.stdout.startswith("restoring ")) == (0, True)
    assert (last()["kind"], last()["outcome"]) == ("restore", "succeeded")
    done = tray("run", "--job", "home", "--", "restic", "-r", repository, "forget", "--keep-last", "1", "--prune")
    assert (done.returncode, "done\n" in done.stdout) == (0, True)
    assert (last()["kind"], last()["outcome"]) == ("prune", "succeeded")
    assert {job["job"] for job in status()["jobs"]} == {"home (restore)", "home (prune)"}


def test_a_damaged_repository_is_a_failed_check_that_says_where(repository: Path) -> None:
    """The exit code, restic's words and the record agree."""
    pack = max((repository / "data").rglob("*"), key=lambda path: path.stat().st_size if path.is_file() else 0)
    pack.unlink()
    done = tray("run", "--", "restic", "-r", repository, "check")
    assert (done.returncode, "repository contains errors" in done.stderr) == (1, True)
    run = last()
    assert (run["kind"], run["outcome"]) == ("check", "failed")
    assert f"pack {pack.name}: does not exist" in run["reason"]


@pytest.fixture
def tracker() -> Iterator[None]:
    """A tracker, which tells how far runs are."""
    with start("tracker"):
        yield
        end_tracker()


def test_a_command_is_expected_to_take_as_long_as_the_last_time(tracker: None) -> None:
    """Also one that says nothing of its progress; the time left is marked as an estimate."""
    assert tray("run", "--job", "dump", "--", "sleep", "3").returncode == 0
    with start("run", "--job", "dump", "--", "sleep", "3") as child:
        runs = wait_for(lambda: [run for run in status()["runs"] if run["eta_seconds"] is not None])
        assert runs[0]["eta_is_estimate"] is True
        assert 1 <= runs[0]["eta_seconds"] <= 4
        assert child.wait(60) == 0
