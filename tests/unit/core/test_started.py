"""Processes that a click started."""

import sys

import pytest

from tray.core import ourselves, started

pytestmark = pytest.mark.process


def test_a_program_that_is_missing_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    """No exception leaves a click."""
    monkeypatch.setattr(ourselves, "command", lambda *_: ["/nonexistent/python"])
    assert started.Started().start("window", "dashboard") == "No such file or directory."


def test_a_name_that_no_command_can_have_is_explained() -> None:
    """A job's name with a NUL byte starts nothing and breaks nothing."""
    assert started.Started().start("backup", "a\0b") == "embedded null byte."


def test_a_process_that_ran_for_long_is_not_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Closing a window, ending it, or killing it later, brings no notification; the last words count if no error was told."""
    monkeypatch.setattr(
        ourselves,
        "command",
        lambda _window, code: [
            sys.executable,
            "-c",
            f"import os, sys; print('odd', file=sys.stderr); sys.exit({code})",
        ],
    )
    opened = started.Started()
    opened.start("window", "0")
    opened._children[0].process.wait(60)
    assert opened.failures() == []
    opened.start("window", "3")
    opened._children[0].process.wait(60)
    assert opened.failures() == [started.Failure("window", 3, "odd")]
    assert opened.failures() == []
    opened.start("window", "-1, os.kill(os.getpid(), 15)")
    opened._children[0].process.wait(60)
    assert opened.failures() == []
    monkeypatch.setattr(started, "QUICK_SECONDS", 0)
    opened.start("window", "3")
    opened._children[0].process.wait(60)
    assert opened.failures() == []
