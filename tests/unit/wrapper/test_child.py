"""The command that is watched, with real processes."""

import os
import signal
from pathlib import Path

import pytest

from tray.wrapper.child import Child

pytestmark = pytest.mark.process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize("code", [0, 7])
def test_a_signal_that_comes_as_the_command_ends_does_not_take_its_exit_code(number: int, code: int) -> None:
    """It has ended, and the wrapper has not seen that yet."""
    child = Child(["sh", "-c", f"exit {code}"], os.environ, stdout=None, stderr=None)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    child.forward(number)
    assert child.check()
    assert child.exit is not None
    assert (child.exit.code, child.exit.signal) == (code, None)


def test_a_command_gets_no_signal_setting_of_ours(tmp_path: Path) -> None:
    """Python ignores a broken pipe, and the wrapper handles signals: the command begins as if its caller had started it."""
    with open(tmp_path / "status", "wb") as file:
        child = Child(["cat", "/proc/self/status"], os.environ, stdout=file.fileno(), stderr=None)
        assert child.wait().code == 0
    lines = (line.partition(":\t") for line in (tmp_path / "status").read_text().splitlines())
    status = {name: value for name, _, value in lines}
    assert not int(status["SigIgn"], 16) & 1 << signal.SIGPIPE - 1
    assert (int(status["SigBlk"], 16), int(status["SigCgt"], 16)) == (0, 0)
