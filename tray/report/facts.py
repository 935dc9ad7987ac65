"""The sheet: a report as blocks, before a writer draws it. Each writer (text, HTML, PDF) draws every kind of block.

Every text of a sheet is visible as it is: `wording.escape` has replaced control characters and marks that turn the line.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date

from tray import wording
from tray.audit.verify.verdict import Verdict
from tray.core import clock
from tray.core.dataclass import dataclass
from tray.core.model import EndedRun, Outcome
from tray.report.basis import Base

Rows = Sequence[tuple[str, str]]
"""Names and values."""

DISBELIEVED = "NOT to be believed: "
"""Stands before the headline of a report whose log was altered; its sign is not green either."""

WORDS = {
    Outcome.SUCCEEDED: "Succeeded",
    Outcome.WARNING: "Warnings",
    Outcome.FAILED: "Failed",
    Outcome.CANCELLED: "Cancelled",
    Outcome.LOST: "Lost",
    Outcome.UNKNOWN: "Unknown",
}
SIGNS = {
    Outcome.SUCCEEDED: "✓",
    Outcome.WARNING: "!",
    Outcome.FAILED: "✕",
    Outcome.CANCELLED: "–",
    Outcome.LOST: "∅",
    Outcome.UNKNOWN: "?",
}
TONE_SIGNS = {"ok": "✓", "warn": "!", "fail": "✕", "none": "–"}
GOOD = (Outcome.SUCCEEDED, Outcome.WARNING)
"""Outcomes after which a backup exists."""

MONO = ("Command", "Snapshot", "Run", "Entry hash", "Log root")
"""Facts that are shown in letters of one width."""

_TONES = {Outcome.SUCCEEDED: "ok", Outcome.WARNING: "warn", Outcome.FAILED: "fail", Outcome.LOST: "fail"}
_NO_CHECKPOINT = "no checkpoint: the record is not in this log"


def percent(part: int, whole: int) -> str:
    """Return a share as "97.3 %": to the nearest tenth, but never rounded up to 100 or down to 0."""
    if not whole:
        return "–"
    share = (2000 * part + whole) // (2 * whole)
    share = max(share, 1) if part else 0
    share = min(share, 999) if part < whole else 1000
    return f"{share / 10:.1f} %" if share % 10 else f"{share // 10} %"


def tone(outcome: Outcome | None) -> str:
    """Return which colour an outcome has: "ok", "warn", "fail", or "none"."""
    return "none" if outcome is None else _TONES.get(outcome, "none")


@dataclass(frozen=True, slots=True)
class Figures:
    """Names and values that are shown large, beside each other."""

    rows: Rows


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and values below each other."""

    title: str
    rows: Rows


@dataclass(frozen=True, slots=True)
class Lines:
    """A list of items, each with a message; either may be empty. `heads` names the two columns."""

    title: str
    rows: Rows
    heads: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Steps:
    """Numbered sentences, each with a command that is never shortened; either may be empty."""

    title: str
    rows: Rows


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence that keeps the reader from misreading the rest."""

    text: str


@dataclass(frozen=True, slots=True)
class Belief:
    """Whether the log can be believed, and why. `verdict` is tone, word and sentence; None where the log was not verified."""

    title: str
    verdict: tuple[str, str, str] | None
    rows: Rows
    rests: Base | None


@dataclass(frozen=True, slots=True)
class Chart:
    """One value of a job's last runs, the oldest first; None where it is not known."""

    title: str
    runs: Sequence[EndedRun]
    values: Sequence[int | None]
    word: Callable[[int], str]

    @property
    def known(self) -> list[int]:
        """Return the values that are known."""
        return [value for value in self.values if value is not None]

    @property
    def shares(self) -> list[float | None]:
        """Return each value as a share of the highest."""
        most = max(*self.known, 1) if self.known else 1
        return [None if value is None else value / most for value in self.values]

    @property
    def words(self) -> str:
        """Return the chart in words."""
        reach = f"lowest {self.word(min(self.known))}, highest {self.word(max(self.known))}"
        newest = wording.known(self.values[-1], self.word, "not known")
        return f"{self.title} of {wording.plural(len(self.runs), 'run')}: {reach}, newest {newest}"


@dataclass(frozen=True, slots=True)
class Charts:
    """Charts beside each other."""

    title: str
    charts: Sequence[Chart]


@dataclass(frozen=True, slots=True)
class Days:
    """A calendar of months: the worst outcome of each day with runs, and how many those were."""

    title: str
    months: Sequence[tuple[int, int]]
    days: Mapping[date, tuple[Outcome, int]]
    first: date
    last: date


Row = tuple[Sequence[str], Outcome | None]
"""The cells of a row, and the outcome whose shape stands before its word."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A table over as many pages as it takes; its rows are read once. A title that begins with "#" is over numbers."""

    title: str
    titles: Sequence[str]
    rows: Iterable[Row]


Block = Figures | Facts | Lines | Steps | Note | Belief | Charts | Days | Listing


@dataclass(frozen=True, slots=True)
class Sheet:
    """One report.

    Attributes:
        kind: The kind of report, in two words.
        title: The title of the file.
        headline: The answer.
        tone, sign, word: How it went, as a colour, a sign and a word; no word where there is no answer.
        under: Sentences below the headline.
        rests: The checkpoint; None for a run of the system's, or one whose record waits.
        one_page: On paper the sheet is one page; lines that do not fit are counted.
        closing: The line below every page of a sheet that does not rest on the log.
    """

    kind: str
    title: str
    headline: str
    tone: str
    sign: str
    word: str
    under: Sequence[str]
    blocks: Sequence[Block]
    rests: Base | None
    one_page: bool = False
    closing: str = ""

    @property
    def foot(self) -> str:
        """Return the line below every page."""
        return self.closing or (_NO_CHECKPOINT if self.rests is None else self.rests.foot)

    @property
    def as_of(self) -> str:
        """Return the report's own date in words."""
        return "" if self.rests is None else f"as of {clock.to_text(self.rests.as_of_ms)}"


def verdict_words(verdict: Verdict) -> tuple[str, str, str]:
    """Return tone, word and sentence about a verification, the same for the same log and baselines."""
    if verdict.result == "tampered":
        where = "" if verdict.first_bad is None else f" (entry {wording.count(verdict.first_bad)}, {verdict.kind})"
        return "fail", "Tampered", f"{DISBELIEVED}the audit log was altered{where}. {wording.escape(verdict.why)}"
    if verdict.result == "intact":
        names = ", ".join(map(wording.escape, verdict.baselines)) or "a baseline kept elsewhere"
        how = (
            "Every entry is as it was signed"
            if verdict.full
            else "The log continues what was completely checked before"
        )
        return "ok", "Intact", f"{how}, and outside baselines agree: {names}."
    return "warn", "Inconclusive", wording.escape(verdict.why)
