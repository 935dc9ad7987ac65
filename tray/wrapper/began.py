"""Judge whose exit code it is: whether the command began at all, where `flock`, `sudo` or their like stand before it.

An exit code proves or explains something only together with a sign of the command itself. In this order:

1. The kernel's: in the end our child was still the wrapper, and the wrapper waited for no child. Then it never started the command.
   If our child was another program in the end, it has become the command.
2. The words: anything in the output that the wrappers did not say was said by the command.
3. The code: 125 to 127 are the wrappers' for "could not start it".

Without any sign the exit code may be either one's. Then the run failed, and the reason says that the command may not have begun.
"""

import re
from collections.abc import Sequence

from tray.core import regex
from tray.core.model import Outcome
from tray.engines.base import Exit, Result
from tray.engines.findings import why_failed
from tray.engines.program import unwrap
from tray.engines.text import plain, program_name, words
from tray.wrapper.child import Last

_ELSEWHERE = frozenset(("systemd-run",))
"""With `--wait --pipe` it has systemd start the command: no child of its own."""
_BECOMES = words("chpst choom chrt env gosu ionice nice nohup prlimit setpriv stdbuf su-exec taskset")
"""Wrappers that become the command and do not wait for it."""
_NOT_STARTED = (125, 126, 127)
_USAGE = regex.compile(r"\s|Usage:|usage:|Try '|For more (?:details|information)")
_TIMES = regex.compile(
    r"Command (?:exited|terminated|stopped) |[\d.]+user [\d.]+system|\d+inputs\+\d+outputs|(?:real|user|sys)\s"
)
_COMM = 15
_LOCKED_IS_FINE = regex.compile(r"(?:-\w*E|--conflict-exit-code[= ]) ?0")
_MOST = 3


class Began:
    """Evidence of whether a command with wrappers before it began.

    Args:
        argv: The whole command.
        speaks: The command is an engine, which never fails without a word.
    """

    def __init__(self, argv: Sequence[str], *, speaks: bool) -> None:
        inner = unwrap(argv, {})
        self._before, self._opaque = inner.before, inner.opaque
        self._name = program_name(argv[inner.at]) if argv else ""
        self._speaks = speaks
        self._forgives = "flock" in inner.before and _LOCKED_IS_FINE.search(" ".join(argv[: inner.at])) is not None
        names = "|".join(re.escape(name) for name in inner.before)
        self._own = re.compile(rf"(?:\S*/)?(?:{names}): ")
        self._spoke = False
        self._words: list[str] = []
        self._last = ""

    def line(self, line: bytes) -> None:
        """Take one line of the output."""
        if self._spoke or not line.strip():
            return
        text = plain(line)
        if self._own.match(text):
            self._words.append(text.rstrip(".")[:300])
            del self._words[_MOST:]
        elif not (self._words and _USAGE.match(text)) and not ("time" in self._before and _TIMES.match(text)):
            self._spoke, self._last = True, text.rstrip(".")[:300]

    def judge(self, result: Result, exit: Exit, last: Last | None) -> Result:
        """Return *result*, or that the command was not started.

        Args:
            result: Result of the run if the exit code is the command's.
            exit: How our child ended.
            last: Program that it was in the end.
        """
        if self._opaque or exit.code is None or exit.asked:
            return result
        started = self._started(exit.code, last)
        if started:
            return result
        outcome = Outcome.FAILED if exit.code else Outcome.WARNING
        why = f"{self._name} was not started: {self._why(exit, last)}"
        if started is None:
            why = (
                f"{self._before[0]} ended with exit code {exit.code} and {self._name} said nothing,"
                f" so {self._name} may not have been started."
            )
        return Result(outcome, why, errors=int(exit.code != 0))

    def _started(self, code: int, last: Last | None) -> bool | None:
        """Return whether the command began; None if nothing tells."""
        stuck = None if last is None else self._stuck(last)
        if last is not None and (stuck is None or (not last.children and stuck not in _ELSEWHERE)):
            return stuck is None
        # A wrapper that waited for a child has started what stands behind it; with another one there, that may have refused.
        behind = self._before if stuck is None else self._before[self._before.index(stuck) + 1 :]
        if self._spoke or (code == 0 and not (self._forgives and "flock" in behind)):
            return True
        if code in _NOT_STARTED or self._words:
            return False
        sure = last is not None and not any(name not in _BECOMES for name in behind)
        return True if sure or not self._speaks else None

    def _stuck(self, last: Last) -> str | None:
        """Return the wrapper that our child was in the end, None if it was another program."""
        return next((name for name in self._before if name[:_COMM] == last.program), None)

    def _why(self, exit: Exit, last: Last | None) -> str:
        stuck = (None if last is None else self._stuck(last)) or self._before[0]
        if said := "; ".join(self._words) or self._last:
            return f"{said}."
        if stuck == "flock" and exit.code not in _NOT_STARTED:
            return f"flock could not get its lock, which another process holds (exit code {exit.code})."
        return why_failed(stuck, exit)
