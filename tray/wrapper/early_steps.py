"""Look at a script's steps from its first moment on, while the wrapper puts the rest of the watch together.

An engine that a script calls first may fail within milliseconds (a disk that is not mounted), so the kernel's notices are asked for
before the script starts, and a thread takes them until the watch does. This costs a script some 20 ms before it starts; a command
that is an engine itself does not pay for it.
"""

import select
import sys
import threading
from collections.abc import Callable
from contextlib import suppress

from tray.wrapper.child import Child
from tray.wrapper.script_steps import Steps

_WAIT_MS = 5
_SWITCH_SECONDS = 0.0005


class Early:
    """The first looks at a script."""

    def __init__(self) -> None:
        self._said: list[str] = []
        self._steps = Steps(0, self._said.append)
        self._over = False
        self._interval = sys.getswitchinterval()
        self._thread = threading.Thread(target=self._look, name="early", daemon=True)

    def begin(self, child: Child) -> None:
        """Look from now on: the script has started. Without a thread (`ulimit -u`) the watch is the first to look."""
        self._steps.root, self._steps.shares_group = child.pid, child.shares_group
        sys.setswitchinterval(_SWITCH_SECONDS)  # Python's 5 ms would be the whole life of a quick tar
        with suppress(RuntimeError):
            self._thread.start()

    def hand_over(self, say: Callable[[str], None]) -> Steps:
        """Stop looking, and return what was seen; *say* gets the lines for the log."""
        self.stop()
        for line in self._said:
            say(line)
        self._steps.say = say
        return self._steps

    def stop(self) -> None:
        """End the thread, if it runs.

        One that still runs when the interpreter ends has to load a library to end itself; where memory is short that fails, and
        glibc aborts the process.
        """
        self._over = True
        if self._thread.ident is not None:
            self._thread.join()
            sys.setswitchinterval(self._interval)

    def close(self) -> None:
        """Give the descriptors back where the script could not be started."""
        self._steps.close()

    def _look(self) -> None:
        if sys.platform == "win32":
            return
        poll = select.poll()
        with suppress(Exception):
            for fd in (self._steps.execs.fd, self._steps.events.fd):
                if fd is not None:
                    poll.register(fd, select.POLLIN)
        while not self._over:
            with suppress(Exception):  # the watch looks again
                if poll.poll(_WAIT_MS):
                    self._steps.look()
