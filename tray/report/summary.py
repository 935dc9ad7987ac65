"""What a period came to: days, jobs, failures, totals. Pure: runs in, figures out."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date

from tray import wording
from tray.audit.search.conditions import Filter
from tray.core import clock
from tray.core.model import EndedRun, Outcome
from tray.report.basis import Base
from tray.report.of_run import DISBELIEVED

BACKUP = "backup"
WORST = (Outcome.FAILED, Outcome.LOST, Outcome.UNKNOWN, Outcome.CANCELLED, Outcome.WARNING, Outcome.SUCCEEDED)
"""The worst first: what a day is shown as."""

GOOD = (Outcome.SUCCEEDED, Outcome.WARNING)
"""A backup was made."""

BAD = (Outcome.FAILED, Outcome.LOST)
"""No backup was made, or nobody knows of one."""

MOST_MONTHS = 24
"""Months in a calendar."""

LEAVES_OUT = ("action", "outcome", "severity", "kind", "source", "text", "engine")
"""A filter by one of these hides runs of a job, so no rate and no gap can be told."""


@dataclass(slots=True)
class JobLine:
    """One job in a period."""

    job: str
    engines: set[str] = field(default_factory=set)
    counts: dict[Outcome, int] = field(default_factory=dict)
    backups: int = 0
    succeeded: int = 0
    good_ms: list[int] = field(default_factory=list)
    added: int | None = None
    at_most: bool = False
    gap_ms: int | None = None
    open_gap: bool = False
    first_ms: int = 0
    before: bool = False

    @property
    def runs(self) -> int:
        """How many runs there were, of every kind."""
        return sum(self.counts.values())

    @property
    def others(self) -> int:
        """Runs that neither succeeded nor failed: cancelled, lost, of unknown end."""
        return self.runs - sum(self.counts.get(one, 0) for one in (*GOOD, Outcome.FAILED))


@dataclass(frozen=True, slots=True)
class Summary:
    """A period.

    Attributes:
        runs: The newest first.
        days: The worst outcome of each local day that has runs, and how many those were.
        whole: No run of the jobs was left out by the filter, so rates and gaps are told.
    """

    wanted: Filter
    rests: Base
    runs: Sequence[EndedRun]
    days: dict[date, tuple[Outcome, int]]
    jobs: Sequence[JobLine]
    first: date
    last: date
    whole: bool

    @property
    def failures(self) -> Iterator[EndedRun]:
        """The runs that did not simply succeed, the newest first."""
        return (run for run in self.runs if run.outcome is not Outcome.SUCCEEDED)

    def counted(self, outcome: Outcome) -> int:
        """Return how many runs ended so."""
        return sum(line.counts.get(outcome, 0) for line in self.jobs)

    @property
    def backups(self) -> int:
        """How many backups were tried."""
        return sum(line.backups for line in self.jobs)

    @property
    def succeeded(self) -> int:
        """How many backups simply succeeded."""
        return sum(line.succeeded for line in self.jobs)


def summarise(
    runs: Iterable[EndedRun], wanted: Filter, rests: Base, before: Callable[[str], int | None] = lambda _: None
) -> Summary:
    """Return what *runs*, the newest first, came to.

    Args:
        before: When the last backup of a job was made before the period; None if there was none.
    """
    kept = list(runs)
    days: dict[date, tuple[Outcome, int]] = {}
    lines: dict[str, JobLine] = {}
    for run in kept:
        day = clock.local(run.finished_ms).date()
        worst, count = days.get(day, (run.outcome, 0))
        days[day] = min(worst, run.outcome, key=WORST.index), count + 1
        _add(lines.setdefault(run.job, JobLine(run.job)), run)
    whole = not any(getattr(wanted, name) for name in LEAVES_OUT)
    begin, end = span(kept, wanted, rests)
    if whole:
        for line in lines.values():
            _measure(line, before(line.job), end)
    jobs = [lines[name] for name in sorted(lines)]
    return Summary(wanted, rests, kept, days, jobs, clock.local(begin).date(), clock.local(end).date(), whole)


def span(runs: Sequence[EndedRun], wanted: Filter, rests: Base) -> tuple[int, int]:
    """Return the first and last moment of the period: what was asked for, as far as the log reaches."""
    newest = max((run.finished_ms for run in runs[:1]), default=rests.as_of_ms)
    end = max(newest, rests.as_of_ms)
    if wanted.until_ms is not None:
        end = min(end, wanted.until_ms - 1)
    oldest = min((run.finished_ms for run in runs[-1:]), default=end)
    begin = oldest if wanted.since_ms is None else max(wanted.since_ms, min(oldest, rests.begin_ms))
    return min(begin, end), end


def _add(line: JobLine, run: EndedRun) -> None:
    line.engines.add(run.engine)
    line.first_ms = run.finished_ms
    line.counts[run.outcome] = line.counts.get(run.outcome, 0) + 1
    if run.bytes_added is not None:
        line.added = (line.added or 0) + run.bytes_added
        line.at_most = line.at_most or run.uncompressed
    if run.kind == BACKUP:
        line.backups += 1
        line.succeeded += run.outcome is Outcome.SUCCEEDED
        if run.outcome in GOOD:
            line.good_ms.append(run.finished_ms)


def _measure(line: JobLine, before: int | None, end: int) -> None:
    """Find the longest time without a backup, from the last one before the period, or else the job's first run, on.

    The time since the last backup counts too: it was at least that long.
    """
    if not line.backups:
        return
    line.before = before is not None
    moments = [end, *line.good_ms, line.first_ms if before is None else before]
    line.gap_ms, at = max((later - sooner, at) for at, (later, sooner) in enumerate(itertools.pairwise(moments)))
    line.open_gap = at == 0 or (before is None and at == len(line.good_ms))


def percent(part: int, whole: int) -> str:
    """Return a share as "97.3 %": to the nearest tenth, but never rounded up to 100 or down to 0."""
    if not whole:
        return "–"
    share = (2000 * part + whole) // (2 * whole)
    share = max(share, 1) if part else 0
    share = min(share, 999) if part < whole else 1000
    return f"{share / 10:.1f} %" if share % 10 else f"{share // 10} %"


def _never(line: JobLine) -> bool:
    """Whether no backup of a job was made at all, neither in the period nor before: worse than any gap."""
    return not line.good_ms and not line.before


def gap_words(line: JobLine) -> str:
    """Return the longest time without a backup; of one that reaches the period's edge the least that it was."""
    if line.gap_ms is None:
        return "–"
    if _never(line):
        return "no backup made"
    return f"{'at least ' if line.open_gap else ''}{wording.duration(line.gap_ms / 1000)}"


def asked_words(wanted: Filter) -> list[tuple[str, str]]:
    """Return what was asked for, in words."""
    found = []
    for name, value in wanted.to_json().items():
        if isinstance(value, list):
            found.append((name.capitalize(), ", ".join(map(wording.escape, value))))
        else:
            found.append(("From" if name == "since_ms" else "Before", wording.both_times(value)))
    return found


def months(found: Summary) -> list[tuple[int, int]]:
    """Return year and month of each month of the period, at most the last `MOST_MONTHS`."""
    year, month = found.first.year, found.first.month
    listed = []
    while (year, month) <= (found.last.year, found.last.month):
        listed.append((year, month))
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
    return listed[-MOST_MONTHS:]


def period_words(found: Summary) -> str:
    """Return the days of a period."""
    return (
        f"{found.first:%Y-%m-%d}" if found.first == found.last else f"{found.first:%Y-%m-%d} to {found.last:%Y-%m-%d}"
    )


def headline(found: Summary) -> tuple[str, str]:
    """Return the tone and the sentence that answers how the period went, as far as the log can be believed."""
    tone, sentence = _headline(found)
    checked = found.rests.verdict
    return (
        ("fail", f"{DISBELIEVED}{sentence}")
        if checked is not None and checked.result == "tampered"
        else (tone, sentence)
    )


def _headline(found: Summary) -> tuple[str, str]:
    bad = sum(1 for run in found.failures if run.outcome in BAD)
    if not found.runs:
        return "none", "No runs in this period"
    if bad:
        lost = found.counted(Outcome.LOST)
        runs = wording.plural(len(found.runs), "run")
        counted = f"{wording.count(bad - lost)} of {runs}" if found.whole else wording.plural(bad - lost, "run")
        return "fail", f"{counted} failed" + (f", {wording.count(lost)} lost" if lost else "")
    runs, others = wording.plural(len(found.runs), "run"), sum(1 for _ in found.failures)
    if others:
        return (
            "warn",
            f"No run failed, {wording.count(others)} of {wording.count(len(found.runs))} did not simply succeed",
        )
    if not found.whole:  # what the filter left out may have failed: this is no good news
        return "none", f"{runs} asked for, of which all succeeded"
    return "ok", f"{'The run' if len(found.runs) == 1 else f'All {runs}'} succeeded"


def totals(found: Summary) -> list[tuple[str, str]]:
    """Return the figures of a period."""
    added = [line.added for line in found.jobs if line.added is not None]
    measured = [line for line in found.jobs if line.gap_ms is not None]
    worst = max(measured, key=lambda one: (_never(one), one.gap_ms or 0), default=None)
    return [
        ("Runs", wording.count(len(found.runs))),
        ("Jobs", wording.count(len(found.jobs))),
        ("Backups succeeded", percent(found.succeeded, found.backups) if found.whole else "–"),
        ("Longest gap", "–" if worst is None else gap_words(worst).replace("at least", "≥").removesuffix(" made")),
        ("Added", _added(sum(added), at_most=any(line.at_most for line in found.jobs)) if added else "–"),
    ]


def notes(found: Summary) -> Iterator[str]:
    """Yield what a reader must know to read the figures rightly."""
    if not found.whole:
        yield "The filter leaves out runs of these jobs, so neither rates nor gaps are told."
    if found.rests.start and (found.wanted.since_ms is None or found.runs):
        start = wording.count(found.rests.start)
        yield f"The entries before number {start} were pruned as configured; older runs are not in this log."
    if len(found.days) and len(months(found)) == MOST_MONTHS:
        yield f"The calendar shows the last {MOST_MONTHS} months at most."


def job_row(line: JobLine, *, whole: bool) -> list[str]:
    """Return a job as one row: name, runs, outcomes, rate, gap, size."""
    counts = (line.counts.get(one, 0) for one in (Outcome.SUCCEEDED, Outcome.WARNING, Outcome.FAILED))
    return [
        wording.escape(line.job),
        wording.count(line.runs),
        *map(wording.count, counts),
        wording.count(line.others),
        percent(line.succeeded, line.backups) if whole else "–",
        gap_words(line),
        "–" if line.added is None else _added(line.added, at_most=line.at_most),
    ]


def _added(amount: int, *, at_most: bool) -> str:
    """Return what was added; of some runs only the size before compression may be known."""
    return f"≤ {wording.size(amount)}" if at_most else wording.size(amount)
