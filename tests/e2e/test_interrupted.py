"""Ctrl-C while the program is loading: the program ends by the signal and prints nothing."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tray import runs
from tray.cli.main import COMMANDS
from tray.core.paths import Places
from tray.status import past_runs

_PROGRAM = """
import os, sys
module, number = sys.argv.pop(1), int(sys.argv.pop(1))
class At:
    def find_spec(self, name, path=None, target=None):
        if name == module:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), number)
sys.meta_path.insert(0, At())
from tray.__main__ import main
sys.exit(main())
"""


def interrupted(
    module: str, *argv: str, number: int = signal.SIGINT, ignored: bool = False
) -> "subprocess.CompletedProcess[str]":
    """Run the program, and send it a signal when it begins to import *module*."""
    return subprocess.run(
        [sys.executable, "-c", _PROGRAM, module, str(int(number)), *argv],
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
        # The process that runs the tests may ignore the signal, as under nohup.
        preexec_fn=lambda: signal.signal(number, signal.SIG_IGN if ignored else signal.SIG_DFL),
    )


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("module", ["tray.last_resort", "tray.core.errors", "argparse", "tray.cli.{}"])
def test_an_interrupt_ends_every_command_without_a_word(command: str, module: str) -> None:
    """The caller sees a death by the signal, as with any program; a script around it ends too."""
    done = interrupted(module.format(COMMANDS[command][0]), command, "--help")
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")


@pytest.mark.parametrize(
    "module",
    ["tray.wrapper.wrap", "tray.wrapper.waker", "tray.wrapper.outputs", "tray.core.redact", "tray.wrapper.early_steps"],
)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_run_that_is_interrupted_before_its_command_starts_nothing(
    places: Places, tmp_path: Path, module: str, number: int
) -> None:
    """The caller sees the signal, the command does not start, and no run stays behind to be called lost."""
    mark = tmp_path / "started"
    done = interrupted(module, "run", "--job", "j", "--", "touch", str(mark), number=number)
    assert (done.returncode, done.stdout, done.stderr) == (-number, "", "")
    assert not mark.exists()
    assert not list(runs.live(places))
    assert not past_runs.history(places)


@pytest.mark.parametrize("module", ["tray.core.errors", "tray.wrapper.wrap", "tray.wrapper.early_steps"])
def test_a_signal_that_the_caller_ignores_is_ignored(places: Places, tmp_path: Path, module: str) -> None:
    """Under `nohup`, after `trap '' INT`, or in the background of a script the backup runs."""
    mark = tmp_path / "started"
    done = interrupted(module, "run", "--job", "j", "--", "touch", str(mark), ignored=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert mark.exists()
