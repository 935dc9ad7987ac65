"""What the tracker has done by processes of its own, each short-lived: it carries neither database nor cryptography itself.

Three kinds, at most one of each at a time: runs that were lost are closed at once, repositories are looked at, and the audit log
is cared for (`tray.housekeeping`): at the start, after runs have ended, and every hour.
"""

import subprocess
from collections.abc import Callable

from tray.core import clock, ourselves
from tray.core.folder_names import Listing
from tray.core.paths import Places

SPOOL_CHECK_SECONDS = 30.0
REPOSITORY_CHECK_SECONDS = 300.0
CARE_SECONDS = 3600.0
CARE_DELAY_SECONDS = 2.0
"""So long after a run's end the housekeeping begins: many that end together need it once."""

Later = Callable[[str, float, Callable[[], None]], None]
"""Have something done in so many seconds, unless something of that name waits already."""


class Helpers:
    """The helper processes and when they are needed.

    Attributes:
        on_record: The tracker's beginning was given to the audit log.
    """

    def __init__(self, places: Places, later: Later) -> None:
        self._places, self._later = places, later
        self._spools = [Listing(folder) for folder in places.spools]
        self._closer: subprocess.Popen[bytes] | None = None
        self._looker: subprocess.Popen[bytes] | None = None
        self._carer: subprocess.Popen[bytes] | None = None
        self._begun_ms = clock.now_ms()
        self._clock_offset = _clock_offset()
        self.on_record = False

    def begin(self) -> None:
        """Start what goes on for as long as the tracker lives."""
        self._care_hourly()
        self.check_spools()
        self._later("repositories", REPOSITORY_CHECK_SECONDS / 10, self.check_repositories)

    def close_lost(self) -> None:
        """Have runs closed whose wrapper died, and records appended that wait."""
        self._closer = _helped(self._closer, "--close-lost")

    def care_soon(self) -> None:
        """Have the audit log cared for in a moment; many wishes in a row are one."""
        self._later("care soon", CARE_DELAY_SECONDS, self.care)

    def care(self) -> None:
        """Have the audit log cared for, and our own beginning put on record. Without a log there is nothing to do."""
        if _works(self._carer) or _works(self._closer):
            self.care_soon()
        elif self._places.audit_db.exists():
            began = () if self.on_record else ("--begun", f"{self._begun_ms}")
            self._carer = _helped(None, "--care", *began)
            self.on_record = True

    def check_spools(self) -> None:
        """Have records that waited for the audit log appended, once it can be written again; and notice a clock that was set."""
        self._later("spools", SPOOL_CHECK_SECONDS, self.check_spools)  # first: what fails now is tried again
        if any(spooled.names() for spooled in self._spools) and not _works(self._carer):
            self.close_lost()
        if abs(_clock_offset() - self._clock_offset) > clock.JUMP_MS:
            self._clock_offset = _clock_offset()
            self.care_soon()

    def check_repositories(self) -> None:
        """Have the repositories looked at, where any are known; whether one is due the helper itself decides."""
        self._later("repositories", REPOSITORY_CHECK_SECONDS, self.check_repositories)
        if (self._places.state / "repositories").exists() or self._places.config_file.exists():
            self._looker = _helped(self._looker, "--look-at-repositories")

    def _care_hourly(self) -> None:
        self._later("care", CARE_SECONDS, self._care_hourly)
        self.care()


def _clock_offset() -> int:
    """When the machine started, in the wall clock's milliseconds: it stays the same until somebody sets the clock."""
    return clock.now_ms() - clock.since_boot_ms()


def _works(helper: "subprocess.Popen[bytes] | None") -> bool:
    return helper is not None and helper.poll() is None


def _helped(helper: "subprocess.Popen[bytes] | None", *task: str) -> "subprocess.Popen[bytes]":
    """Return *helper* if it still works, else a new process of ours that does *task*."""
    if helper is not None and helper.poll() is None:
        return helper
    return subprocess.Popen(
        ourselves.command("tracker", *task),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=ourselves.FOLDER,
        env=ourselves.environ(),
    )
