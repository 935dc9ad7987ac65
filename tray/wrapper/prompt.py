"""Give a command that asks for a password a terminal of its own in the place of its standard error.

restic from 0.17 on asks only where its standard error is a terminal, too. Its words there go on into the spool. Used only
where both its standard input and our standard error are terminals: there the command could have asked without us.
"""

import os
import sys
import threading
from contextlib import suppress

_PATIENCE = 1.0
"""So many seconds the rest of what it said may take to arrive once it has ended; a process that it left may hold it open."""

if sys.platform == "win32":

    class Prompt:
        """There are no such terminals."""

        fd = -1

        def __init__(self, spool: int) -> None:  # noqa: ARG002 - see the other one
            raise OSError

        def started(self) -> None:
            """Nothing was made."""

        def ended(self) -> None:
            """Nothing was made."""

        def close(self) -> None:
            """Nothing was made."""

else:
    import termios

    class Prompt:
        """The terminal; `fd` is the command's side of it.

        Raises:
            OSError: The command could not ask on a terminal without us either, or there is none to be had.

        Args:
            spool: Where what comes goes.
        """

        def __init__(self, spool: int) -> None:
            if not (os.isatty(0) and os.isatty(2)):
                raise OSError
            self._thread: threading.Thread | None = None
            self._ours, self.fd = os.openpty()
            self._open = {self._ours, self.fd}
            try:
                self._before = termios.tcgetattr(0)
                mode = termios.tcgetattr(self.fd)
                mode[1] &= ~termios.OPOST  # the bytes as they are
                mode[3] &= ~(termios.ECHO | termios.ISIG)
                termios.tcsetattr(self.fd, termios.TCSANOW, mode)
                self._spool = os.dup(spool)
                self._open.add(self._spool)
            except (OSError, termios.error) as error:
                self.close()
                raise OSError(str(error)) from error

        def started(self) -> None:
            """The command has its side now. Not before is there a thread: it inherits that keys are held back for the watch."""
            self._open.discard(self.fd)
            os.close(self.fd)
            thread = threading.Thread(target=self._pass_on, name="prompt", daemon=True)
            try:
                thread.start()
            except (
                RuntimeError
            ):  # no more threads are allowed: better an error there than a command that waits for us for ever
                self.close()
            else:
                self._thread = thread

        def _pass_on(self) -> None:
            with suppress(OSError):  # EIO: no process holds the other side any more
                while data := os.read(self._ours, 65536):
                    while data:
                        data = data[os.write(self._spool, data) :]

        def ended(self) -> None:
            """Let the rest arrive, and show again what is typed, which a prompt that was interrupted would not."""
            if self._thread is not None:
                self._thread.join(_PATIENCE)
            with suppress(OSError, termios.error):
                if os.tcgetpgrp(0) == os.getpgrp() and termios.tcgetattr(0) != self._before:
                    termios.tcsetattr(0, termios.TCSADRAIN, self._before)

        def close(self) -> None:
            """Give it back; for a command that has not started."""
            for fd in self._open if self._thread is None else ():
                with suppress(OSError):
                    os.close(fd)
            self._open.clear()
