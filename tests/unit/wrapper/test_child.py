"""The command that is watched, with real processes."""

import os
import signal

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
