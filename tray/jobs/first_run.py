"""Run a job for the first time, then restore a few of its files as a test. One of `core.ourselves.PARTS`.

The window starts it as a process of its own, so the test follows also where the window is closed before the backup ends.
"""

import subprocess
import sys

from tray.core import ourselves

CHECK_FAILED = 121
"""The exit code where the backup went well and the test did not; no engine ends with it."""
_NOTHING_PROVEN = 1
"""The exit code of a check that had no file to compare; the record of its run says why."""


def main() -> int:
    """Run the job that the command line names; return the backup's exit code, or `CHECK_FAILED`."""
    name = sys.argv[1]
    code = _run("backup", name)
    if code != 0:
        return code
    return 0 if _run("check", name) in (0, _NOTHING_PROVEN) else CHECK_FAILED


def _run(verb: str, name: str) -> int:
    """Run one of our commands to its end; a signal that ended it becomes the exit code of a shell."""
    code = subprocess.run(
        ourselves.command(verb, name), cwd=ourselves.FOLDER, env=ourselves.environ(), check=False
    ).returncode
    return code if code >= 0 else 128 - code
