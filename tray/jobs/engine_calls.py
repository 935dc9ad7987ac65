"""Run one command of an engine at a time: its words go to the caller and to the engine's own session, which judges its end.

The engine has no input, so it cannot wait for a password. It stays in our process group, so Ctrl-C reaches it, and is killed when
we are.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import IO

from tray.core import tied
from tray.core.dataclass import dataclass
from tray.core.model import Outcome
from tray.engines.base import Engine, Exit, Result, Session, Stream
from tray.wording import escape

MOST_LINE = 1 << 20
_STOP = ((signal.SIGINT, 20.0), (signal.SIGTERM, 5.0), (getattr(signal, "SIGKILL", signal.SIGTERM), 5.0))


@dataclass(slots=True)
class Calls:
    """The engine of one check.

    Attributes:
        environ: Its environment.
        say: Takes a line of the engine, without its end and made safe to show.
    """

    engine: Engine
    environ: Mapping[str, str]
    say: Callable[[str], None]

    def run(
        self,
        argv: Sequence[str],
        *,
        take: Callable[[bytes], bool] | None = None,
        folder: str | None = None,
        quiet: bool = False,
    ) -> Result:
        """Run *argv* to its end, and return its result as the engine's adapter judges it.

        Args:
            take: Gets each line of stdout in the place of the caller; returns False to have no more, which ends the engine well.
            folder: Its working folder.
            quiet: Show nothing that it says.
        """
        plan = self.engine.plan(argv, 0, self.environ)
        call = _Call(self.engine.session(plan), self.say, quiet=quiet)
        try:
            process = self._start(argv, folder)
        except OSError as error:
            return Result(Outcome.FAILED, f"{argv[0]} could not be started: {error.strerror or error}.")
        assert process.stdout is not None
        assert process.stderr is not None
        reader = threading.Thread(target=call.read, args=(process.stderr, Stream.ERR, None), daemon=True)
        enough = False
        try:
            reader.start()
            enough = call.read(process.stdout, Stream.OUT, take)
            if not enough:
                process.wait()
        finally:
            _end(process)
            reader.join(5)
            process.stdout.close()
        if enough:
            return Result(Outcome.SUCCEEDED, "")
        code = process.returncode
        return call.session.conclude(Exit(code) if code >= 0 else Exit(None, -code))

    def _start(self, argv: Sequence[str], folder: str | None) -> "subprocess.Popen[bytes]":
        parent = os.getpid()
        tied.load()
        return subprocess.Popen(
            argv,
            env=dict(self.environ),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=None if sys.platform == "win32" else lambda: tied.tie(parent),
        )


class _Call:
    """One command: its session, fed by two threads."""

    def __init__(self, session: Session, say: Callable[[str], None], *, quiet: bool) -> None:
        self.session, self._say, self._quiet = session, say, quiet
        self._lock = threading.Lock()

    def read(self, pipe: IO[bytes], stream: Stream, take: Callable[[bytes], bool] | None) -> bool:
        """Read *pipe* to its end; return whether *take* wanted no more."""
        while line := pipe.readline(MOST_LINE):
            if take is not None:
                if not take(line):
                    return True
                continue
            with self._lock:
                self.session.feed(line, stream)
                if not self._quiet:
                    self._say(escape(line.decode("utf-8", "backslashreplace").rstrip()))
        return False


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End the engine if it still runs: by an interrupt, so that it can clean up, then insist."""
    for number, seconds in _STOP:
        if process.poll() is not None:
            return
        with suppress(OSError):
            process.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
