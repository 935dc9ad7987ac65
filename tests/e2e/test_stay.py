"""Engines that a script leaves in the background: the caller does not wait for them, but the run's outcome is the engine's."""

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.program import TRAY, last, start, status, tray
from tests.waiting import wait_for


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a source, a repository of borg, and a pipe that borg reads until the test lets it end."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a").write_text("a")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK", "yes")
    monkeypatch.setenv("BORG_BASE_DIR", str(tmp_path / "base"))
    subprocess.run(["borg", "init", "-e", "none", "repo"], check=True, capture_output=True)
    os.mkfifo("pipe")
    return tmp_path


def over() -> bool:
    """Whether the last run has ended."""
    now = status()
    return not now["runs"] and now["last"] is not None


def _writer() -> int:
    """Return the writing end of the pipe, once the script's process reads it; 0 before that."""
    try:
        return os.open("pipe", os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return 0


def left(text: str) -> Callable[[], None]:
    """Run a script that leaves a process behind, wait for its end, and return a function that lets the process end."""
    done = start("run", "--job", "nightly", "--", "sh", "-c", text, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    writer = wait_for(_writer, what="the reader of the pipe")
    out, _ = done.communicate(timeout=60)
    assert (done.returncode, out) == (0, b"")
    return lambda: os.close(writer)


@pytest.mark.parametrize(
    ("text", "outcome", "reason"),
    [
        (
            "borg create repo::a - src <pipe >/dev/null 2>&1 & exit 0",
            "succeeded",
            "ended well after the script had ended.",
        ),
        (
            "(borg create repo::a - src gone <pipe >/dev/null 2>&1 &)",
            "warning",
            "ended with exit code 1, after the script had ended.",
        ),
        (
            "nohup borg create gone::a - src <pipe >/dev/null 2>&1 & exit 0",
            "warning",
            "ended with exit code 2, after the script had ended.",
        ),
    ],
)
def test_the_run_has_the_outcome_of_the_engine_left_behind(folder: Path, text: str, outcome: str, reason: str) -> None:
    """The caller gets the script's exit code 0 at once; the run goes on until borg ends, and then has borg's outcome."""
    let_go = left(text)
    if "gone::" not in text:  # else it ends by itself
        assert [run["job"] for run in status()["runs"]] == ["nightly"]
        assert status()["last"] is None
    let_go()
    wait_for(over, what="the end of the run")
    run = last()
    assert run["outcome"] == outcome
    assert run["reason"].endswith(reason), run["reason"]


def test_a_script_that_fails_is_a_failure_at_once(folder: Path) -> None:
    """A failed script is a failed run, even if a process goes on in its background."""
    writer = os.open("pipe", os.O_RDWR)
    text = "borg create repo::a - <pipe >/dev/null 2>&1 & sleep 1; exit 3"
    assert tray("run", "--job", "nightly", "--", "sh", "-c", text).returncode == 3
    assert last()["outcome"] == "failed"
    os.close(writer)


def test_words_of_the_engine_reach_the_caller_as_without_us(folder: Path) -> None:
    """A caller that reads standard error to its end waits for the engine that holds it, and misses nothing."""
    text = "borg create repo::a src gone & exit 0"
    done = subprocess.run([*TRAY, "run", "--job", "nightly", "--", "sh", "-c", text], capture_output=True, timeout=60)
    assert done.returncode == 0
    assert re.search(rb"gone: (stat: )?\[Errno 2\]", done.stderr)  # borg 1.2 and 1.4
    wait_for(over, what="the end of the run")
    assert last()["outcome"] == "warning"


def test_an_engine_that_is_killed_after_the_script_is_no_success(folder: Path) -> None:
    """Out of memory, or a service that ends with its main process."""
    let_go = left("borg create repo::a - <pipe >/dev/null 2>&1 & echo $! >pid; sleep 1; exit 0")
    os.kill(int((folder / "pid").read_text()), 9)
    wait_for(over, what="the end of the run")
    let_go()
    run = last()
    assert run["outcome"] == "warning"
    assert "was killed by signal 9 (SIGKILL), after the script had ended" in run["reason"]
