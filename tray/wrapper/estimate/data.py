"""What goes into an estimate and what comes out of it."""

from tray.core.dataclass import dataclass
from tray.core.model import Phase
from tray.wrapper.estimate.costs import work

FIRST_PART = 0.5
MOST_SCALE = 20.0


@dataclass(frozen=True, slots=True)
class Past:
    """One earlier run of the same job that ended well. None: not recorded.

    Attributes:
        seconds: How long it took.
        files: Files that it looked at.
        size: Bytes that it looked at.
        added: Bytes that it had to store.
        copied: Its engine counts only the bytes that it copies, so its figures do not tell how much there is to count.
        empty: Sources that held no files; None if they were not looked at.
        emptied: Those of them that had held some before.
    """

    seconds: float
    files: int | None = None
    size: int | None = None
    added: int | None = None
    copied: bool = False
    empty: tuple[str, ...] | None = None
    emptied: tuple[str, ...] = ()

    @property
    def stored_most(self) -> bool:
        """Whether it had to store most of what it read, as a first run does: the next one will be much faster."""
        return self.added is not None and self.size is not None and self.added > FIRST_PART * self.size

    @property
    def changes_only(self) -> bool:
        """Whether it stored only what had changed, and passed over the rest."""
        return self.added is not None and self.size is not None and not self.stored_most

    def scale(self, files: int | None, size: int | None) -> float:
        """How many times more there is to do now than there was then, 1 if that is not known."""
        old = self.added if self.copied else self.size
        then = work(None if files is None else self.files, None if size is None else old)
        now = work(None if self.files is None else files, None if old is None else size)
        return min(max(now / then, 1 / MOST_SCALE), MOST_SCALE) if then > 0 and now > 0 else 1.0


@dataclass(frozen=True, slots=True)
class Reading:
    """What the engine said of its progress, and when (monotonic seconds). None: it did not say."""

    now: float
    phase: Phase
    files_done: int | None = None
    files_total: int | None = None
    bytes_done: int | None = None
    bytes_total: int | None = None
    eta_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """What can be said now. None: nobody knows.

    Attributes:
        totals_are_estimate: At least one total is that of an earlier run.
    """

    bytes_per_second: int | None = None
    eta_seconds: int | None = None
    files_total: int | None = None
    bytes_total: int | None = None
    totals_are_estimate: bool = False
