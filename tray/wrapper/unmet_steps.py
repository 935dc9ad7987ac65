"""Engines that were over before a look at the script could meet them: a tar that finds no disk lives for two milliseconds.

The kernel tells that a process became a program, and with what status it ended (`tray.observe.events`), but by then its name may be
gone. Root learns the name with the end (`Exits` there); what is not an engine's then counts for nothing. Without the name it counts
that at the same time the program of an engine was opened (`tray.observe.execs`) which no look has met, unless another one
that ended well may have been it. A failure of which the words are known is made good by a later success of the same words; of
another one it is not known what it was for. Programs that dump a database are no engines; of them too it counts how they ended.
"""

import os
import re
from collections import Counter
from collections.abc import Collection, Sequence

from tray.core import clock, regex
from tray.core.dataclass import dataclass, field, replace
from tray.core.model import Outcome
from tray.engines import ENGINES, Notice
from tray.engines.base import Result
from tray.engines.findings import signal_name
from tray.observe.events import Exits

_QUICK = sorted(
    (known for known in ENGINES if known.quick), key=lambda known: (not known.talks, known.notice != Notice.NEVER)
)
"""Engines that may be over at once; named is the first of which an end may be, so the likeliest stands first."""
_QUICK_NAMES = frozenset(known.name for known in _QUICK)
_TALKS = frozenset(known.name for known in ENGINES if known.talks)
_REDIRECTS = regex.compile(r"2>|&>|>&|\|&|\bexec\b")
DUMPERS = frozenset(("pg_dump", "pg_dumpall", "pg_basebackup", "mysqldump", "mariadb-dump", "mongodump"))
"""Programs that stand first in a pipe, whose exit code tells of the last one only; what they do is always a part of a backup."""
_SAME_TIME_SECONDS = 0.1
_MOST = 1000
_SAYS_NO = 1
"""The exit code of `grep`, `test`, `mountpoint` and their like that found nothing."""


@dataclass(frozen=True, slots=True)
class _Glimpse:
    """A process as it became a program; `look` counts the looks before that."""

    name: str
    words: tuple[str, ...]
    look: int


@dataclass(slots=True)
class Unseen:
    """The processes of one script that no look has met.

    Attributes:
        exits: Tells the names of those that have ended.
    """

    exits: Exits = field(default_factory=Exits)
    _glimpsed: dict[int, _Glimpse] = field(default_factory=dict)
    _opened: list[tuple[float, str, int]] = field(default_factory=list)
    _looks: int = 0
    _met: Counter[str] = field(default_factory=Counter)
    _ends: list[tuple[float, int, int]] = field(default_factory=list)
    _failed: list[tuple[str, int, tuple[str, ...]]] = field(default_factory=list)

    def glimpsed(self, pid: int, name: str, words: Sequence[str] = ()) -> None:
        """Take notice that a process became a program of this name, "" if the name was gone already."""
        if len(self._glimpsed) < _MOST:
            self._glimpsed[pid] = _Glimpse(name, tuple(words), self._looks)

    def opened(self, engines: list[str]) -> None:
        """Take notice that the programs of these engines were opened since the last call. Call it at each look."""
        now, self._looks = clock.monotonic(), self._looks + 1
        self._opened = [*self._opened, *((now, name, self._looks) for name in engines if name in _QUICK_NAMES)][-_MOST:]

    def met(self, pid: int, engine: str) -> None:
        """Take notice that a look met an engine: how it ends is known elsewhere."""
        self._glimpsed.pop(pid, None)
        self._met[engine] += 1

    def waits_for(self, pid: int) -> bool:
        """Whether the end of this process matters here."""
        return pid in self._glimpsed

    def ended(self, pid: int, status: int, *, ours: bool) -> None:
        """Take notice of the end of a process, with a status as waitpid(2) gives it."""
        glimpse = self._glimpsed.pop(pid)
        name = (glimpse.name or self.exits.name(pid)).lstrip(".").lower()
        if not ours:
            return
        if not name:
            self._ends = [*self._ends, (clock.monotonic(), status, glimpse.look)][-_MOST:]
            return
        engine = next(
            (known.name for known in ENGINES if name.startswith(known.begins)), name if name in DUMPERS else None
        )
        if engine is not None:
            self._met[engine] += 1
            if status:
                self._failed.append((engine, status, glimpse.words))

    def succeeded(self, words: Sequence[str], repository: str | None) -> None:
        """Take notice that a step ended well: what failed of the same words, which name its repository, is made good."""
        if repository is not None and any(repository in word for word in words):
            self._failed = [failed for failed in self._failed if failed[2] != tuple(words)]

    def failure(self, text: str = "") -> tuple[str, str | None] | None:
        """Return an engine that failed, and how it ended ("ended with exit code 2", None if that is not certain).

        Args:
            text: A script whose errors are all seen, among which no engine that talks said that it failed. One that stands there
                as often as it was opened has not failed if another one's end may have been its own.
        """
        if self._failed:
            engine, status, _ = self._failed[0]
            return engine, _how(os.waitstatus_to_exitcode(status))
        for known in _QUICK:
            engine = known.name
            times = [(at, look) for at, name, look in self._opened if name == engine]
            if len(times) <= self._met[engine]:
                continue
            near = [
                status
                for end, status, look in self._ends
                if any(abs(end - at) < _SAME_TIME_SECONDS and look >= when - 1 for at, when in times)
            ]
            codes = [code for code in map(os.waitstatus_to_exitcode, near) if code != _SAYS_NO]
            fine = known.talks and len(re.findall(rf"(?<![\w.-]){engine}(?=\s)", text)) == len(times)
            may_be = sum(code == 0 for code in codes) < len(times) - self._met[engine] and any(codes)
            if may_be or (not fine and any(code in known.quick for code in codes)):
                # Without its name even a single exit code may be another program's, such as that of an ls; few others are killed.
                return engine, _how(codes[0]) if len(codes) == 1 and codes[0] < 0 else None
        return None


def seen_text(command: Sequence[str], failures: Collection[str]) -> str:
    """Return the text of `sh -c` as `failure` takes it, "" where errors go elsewhere, or an engine said that it failed."""
    text = command[2] if len(command) > 2 and command[1] == "-c" else ""
    return "" if _REDIRECTS.search(text) or not _TALKS.isdisjoint(failures) else text


def with_failure(result: Result, engine: str, how: str | None) -> Result:
    """Return *result* of a script with the failure of an engine that no look has met."""
    if how is not None:
        return replace(result, outcome=Outcome.WARNING, reason=f"{engine} {how}, but the script went on.", errors=1)
    reason = f"{engine} was over before it could be looked at, and may have failed."
    return replace(result, outcome=Outcome.UNKNOWN, reason=reason)


def _how(code: int) -> str:
    return f"ended with exit code {code}" if code >= 0 else f"was killed by {signal_name(-code)}"
