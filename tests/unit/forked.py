"""The program's commands at half their cost: a process that has loaded the program forks for each one.

All but the start of the interpreter and the loading of modules is as in a process of its own. A test of the start itself, or of the
program as a user starts it, starts it as a user does (`tests/e2e/program.py`).
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SECONDS = 60
"""A command that is not done by then is ended by the system, whatever it waits for."""

_SERVER = f"""
import json, os, signal, sys
import tray.__main__
for module in sys.argv[1:]:
    __import__(module)
for line in sys.stdin:
    argv, environ, out, err = json.loads(line)
    pid = os.fork()
    if not pid:
        os.environ.clear()
        os.environ.update(environ)
        for fd, file in ((0, os.devnull), (1, out), (2, err)):
            os.dup2(os.open(file, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600), fd)
        signal.alarm({SECONDS})
        sys.argv = ["backup-tray", *argv]
        sys.exit(tray.__main__.main())
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


class Forked:
    """Runs commands of the program, one after the other."""

    def __init__(self, server: "subprocess.Popen[str]", folder: Path) -> None:
        self._server, self._files = server, (folder / "out", folder / "err")

    def __call__(self, *argv: str) -> "subprocess.CompletedProcess[str]":
        """Run a command in the environment of now; one that hangs fails the test."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        order = [argv, dict(os.environ), *map(str, self._files)]
        self._server.stdin.write(json.dumps(order) + "\n")
        self._server.stdin.flush()
        code = int(self._server.stdout.readline())
        assert code != -signal.SIGALRM, f"{argv} was not done after {SECONDS} s"
        out, err = (file.read_text() for file in self._files)
        return subprocess.CompletedProcess(argv, code, out, err)


@contextmanager
def forked(folder: Path, *modules: str) -> Iterator[Forked]:
    """Load the program and *modules*, which the commands need; files for their output are in *folder*."""
    argv = [sys.executable, "-c", _SERVER, *modules]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        yield Forked(server, folder)
        assert server.stdin is not None
        server.stdin.close()
        assert server.wait(SECONDS) == 0
