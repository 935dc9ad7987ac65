"""The first looks at a script, while the wrapper puts the rest together."""

import os
import threading
from pathlib import Path

import pytest

from tests.e2e.program import last, tray
from tests.unit.observe.help import engine
from tests.waiting import wait_for
from tray.engines.base import Exit
from tray.wrapper import early_steps
from tray.wrapper.child import Child

pytestmark = pytest.mark.process


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in PATH with a restic that does as it is told."""
    engine(tmp_path / "bin", "restic")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    monkeypatch.setenv("RESTIC_REPOSITORY", "s3:host/bucket")
    return tmp_path / "bin"


def child(script: str) -> Child:
    """Start a script."""
    return Child(["sh", "-c", script], os.environ, stdout=None, stderr=None)


def test_a_step_that_is_over_before_the_watch_looks_is_seen(programs: Path) -> None:
    """The wrapper records a step that fails at once with its exit code, and its lines get into the later log."""
    first = early_steps.Early()
    process = child("restic -c 'sleep 0.3; exit 1' backup /etc; true")
    first.begin(process)
    wait_for(process.check)
    said: list[str] = []
    steps = first.hand_over(said.append)
    steps.script_ended(Exit(0))
    (step,) = steps.steps
    assert (step.engine, step.outcome) == ("restic", "failed")
    assert said[0].startswith("step 1 began: restic")
    first.close()


def test_without_a_thread_the_watch_looks_first(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit on processes must not reach the backup."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    first = early_steps.Early()
    process = child("exit 0")
    first.begin(process)
    assert first.hand_over(print).root == process.pid
    wait_for(process.check)
    first.close()


def test_a_script_whose_steps_cannot_be_seen_is_no_success(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A mistake of ours in looking leaves the script alone, and is said."""
    broken = tmp_path / "sitecustomize.py"
    broken.write_text(
        "import sys, types\n"
        "broken = types.ModuleType('tray.wrapper.early_steps')\n"
        "def fail(*_): raise MemoryError('no room')\n"
        "broken.Early = fail\n"
        "sys.modules['tray.wrapper.early_steps'] = broken\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert tray("run", "--", "sh", "-c", "exit 0").returncode == 0
    run = last()
    assert run["outcome"] == "unknown"
    assert "what it started was not seen" in run["reason"]


def test_no_thread_is_left_where_the_watch_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where memory is short, a thread that runs while the interpreter ends would abort the wrapper."""
    (tmp_path / "sitecustomize.py").write_text(
        "import atexit, os, sys, threading, types\n"
        "broken = types.ModuleType('tray.wrapper.follow')\n"
        "def fail(*_): raise MemoryError('no room')\n"
        "broken.Follow = fail\n"
        "sys.modules['tray.wrapper.follow'] = broken\n"
        "atexit.register(lambda: os.write(1, b'%d thread' % threading.active_count()))\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    done = tray("run", "--", "sh", "-c", "exit 5")
    assert (done.returncode, done.stdout) == (5, "1 thread")
