"""The short-lived processes that work for the tracker, which carries neither database nor cryptography itself.

Three kinds, at most one of each at a time: one closes lost runs at once, one looks at repositories, and one cares for the audit log
(`tray.housekeeping`): at the start, after runs have ended, and every hour. A fourth one sends messages (`core.sender`).
"""

import subprocess
from collections.abc import Callable

from tray.core import clock, ourselves, sender
from tray.core.files import Listing
from tray.core.paths import Places

SPOOL_CHECK_SECONDS = 30.0
REPOSITORY_CHECK_SECONDS = 300.0
CARE_SECONDS = 3600.0
CARE_DELAY_SECONDS = 2.0
"""Time between a run's end and the housekeeping: many runs that end together need it once."""
TELL_SECONDS = 2.0
"""Least time between two starts of the sender of messages: the first event is told at once, many more go together."""
REAP_SECONDS = 0.1
"""How often a helper is asked whether it has ended: as a zombie it would stay in the process list until the next one starts."""

Later = Callable[[str, float, Callable[[], None]], None]
"""Call something in so many seconds, unless something of that name waits already."""


class Helpers:
    """The helper processes and their times; `on_record` tells whether the audit log got the tracker's beginning."""

    def __init__(self, places: Places, later: Later) -> None:
        self._places, self._later = places, later
        self._spools = [Listing(folder) for folder in places.spools]
        self._working: dict[str, subprocess.Popen[bytes]] = {}
        self._begun_ms = clock.now_ms()
        self._clock_offset = _clock_offset()
        self.on_record = False
        self._told = -TELL_SECONDS

    def begin(self) -> None:
        """Start the tasks that go on for as long as the tracker lives."""
        self._care_hourly()
        self.check_spools()
        self._later("repositories", REPOSITORY_CHECK_SECONDS / 10, self.check_repositories)

    def close_lost(self) -> bool:
        """Have runs closed, or resumed, whose wrapper died, and records appended that wait; False if a helper is at it already."""
        return self._help("--close-lost")

    def care_soon(self) -> None:
        """Have the audit log cared for in a moment; many requests in a row are one."""
        self._later("care soon", CARE_DELAY_SECONDS, self.care)

    def care(self) -> None:
        """Have the audit log cared for, and the tracker's beginning put on record. Without a log there is nothing to do."""
        if self._works("--care") or self._works("--close-lost"):
            self.care_soon()
        elif self._places.audit_db.exists():
            self._help("--care", *(() if self.on_record else ("--begun", f"{self._begun_ms}")))
            self.on_record = True

    def tell_soon(self) -> None:
        """Have people and their tools told that a run has ended."""
        self._later("tell", max(0.0, self._told + TELL_SECONDS - clock.monotonic()), self._tell)

    def _tell(self) -> None:
        self._told = clock.monotonic()
        process = sender.start(self._places)
        if process is not None:
            self._working[f"sender {process.pid}"] = process
            self._later("reap", REAP_SECONDS, self._reap)

    def check_spools(self) -> None:
        """Have spooled records appended, once the audit log can be written again; and notice a clock that was set."""
        self._later("spools", SPOOL_CHECK_SECONDS, self.check_spools)  # first: what fails now is tried again
        if any(spooled.names() for spooled in self._spools) and not self._works("--care"):
            self.close_lost()
        if abs(_clock_offset() - self._clock_offset) > clock.JUMP_MS:
            self._clock_offset = _clock_offset()
            self.care_soon()

    def check_repositories(self) -> None:
        """Have the repositories looked at, where any are known; the helper itself decides whether one is due."""
        self._later("repositories", REPOSITORY_CHECK_SECONDS, self.check_repositories)
        if (self._places.state / "repositories").exists() or self._places.config_file.exists():
            self._help("--look-at-repositories")

    def _care_hourly(self) -> None:
        self._later("care", CARE_SECONDS, self._care_hourly)
        self.care()

    def _help(self, task: str, *arguments: str) -> bool:
        """Start a process of ours for *task*; False if one works on it already."""
        if self._works(task):
            return False
        self._working[task] = _started(task, *arguments)
        self._later("reap", REAP_SECONDS, self._reap)
        return True

    def _reap(self) -> None:
        self._working = {task: helper for task, helper in self._working.items() if helper.poll() is None}
        if self._working:
            self._later("reap", REAP_SECONDS, self._reap)

    def _works(self, task: str) -> bool:
        return task in self._working and self._working[task].poll() is None


def _clock_offset() -> int:
    """Return when the machine started, in the wall clock's milliseconds: it only changes when the clock is set."""
    return clock.now_ms() - clock.since_boot_ms()


def _started(*task: str) -> "subprocess.Popen[bytes]":
    return ourselves.start("tracker", *task, session=False)
