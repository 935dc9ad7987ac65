"""Sum up the runs of a period, and say it as a sheet: days, jobs, failures, totals. Pure: runs in, figures out."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date

from tray import wording
from tray.audit.rows import StoredEntry
from tray.audit.search.conditions import Filter
from tray.core import clock
from tray.core.dataclass import dataclass, field
from tray.core.model import BACKUP, EndedRun, Outcome
from tray.report import expected_blocks, facts
from tray.report.basis import Base
from tray.report.facts import DISBELIEVED, GOOD, percent
from tray.report.job_rhythms import JobRhythm

_WORST = (Outcome.FAILED, Outcome.LOST, Outcome.UNKNOWN, Outcome.CANCELLED, Outcome.WARNING, Outcome.SUCCEEDED)
"""The worst first: a day is shown as its worst run."""

_BAD = (Outcome.FAILED, Outcome.LOST)
"""Outcomes after which no backup exists, as far as is known."""

_MOST_MONTHS = 24
"""Months in a calendar."""

_LEAVES_OUT = ("action", "outcome", "severity", "kind", "source", "text", "engine")
"""Filters that hide runs of a job, so that no rate and no gap can be given."""

_NONE = "–"
_JOBS = ("Job", "#Runs", "#Succeeded", "#Warnings", "#Failed", "#Other", "#Rate", "#Longest gap", "#Added")
_FAILURES = ("Finished", "Outcome", "Job", "Why", "#Entry")
_RUNS = ("Finished", "Outcome", "Job", "Kind", "#Duration", "#Size", "#Added", "#Files", "#Entry")
_ENTRIES = ("#Entry", "When (UTC)", "Action", "Result", "Severity", "Job", "Who")


@dataclass(slots=True)
class JobLine:
    """One job in a period."""

    job: str
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
    def row(self) -> list[str]:
        """Return name, runs, and how many of them succeeded, had warnings, failed, or ended in another way."""
        counts = [self.counts.get(outcome, 0) for outcome in (*GOOD, Outcome.FAILED)]
        runs = sum(self.counts.values())
        return [wording.escape(self.job), *map(wording.count, (runs, *counts, runs - sum(counts)))]


@dataclass(frozen=True, slots=True)
class Summary:
    """A period.

    Attributes:
        runs: The newest first.
        days: The worst outcome of each local day that has runs, and how many those were.
        begin_ms, end_ms: The first and the last moment of the period.
        whole: Whether the filter left out no run of the jobs, so that rates and gaps can be given.
        rhythms: How the jobs kept their rhythms; none where that is not known.
        fault: Why the configured rhythms are not known, "" if they are.
    """

    wanted: Filter
    rests: Base
    runs: Sequence[EndedRun]
    days: dict[date, tuple[Outcome, int]]
    jobs: Sequence[JobLine]
    begin_ms: int
    end_ms: int
    whole: bool
    rhythms: Sequence[JobRhythm] = ()
    fault: str = ""

    @property
    def first(self) -> date:
        """Return the first day."""
        return clock.local(self.begin_ms).date()

    @property
    def last(self) -> date:
        """Return the last day."""
        return clock.local(self.end_ms).date()

    @property
    def failures(self) -> list[EndedRun]:
        """Return the runs that did not simply succeed, the newest first."""
        return [run for run in self.runs if run.outcome is not Outcome.SUCCEEDED]

    @property
    def days_words(self) -> str:
        """Return the first and the last day."""
        return f"{self.first:%Y-%m-%d}" + ("" if self.first == self.last else f" to {self.last:%Y-%m-%d}")


def summarise(
    runs: Iterable[EndedRun], wanted: Filter, rests: Base, before: Callable[[str], int | None] = lambda _: None
) -> Summary:
    """Sum up *runs*, the newest first.

    Args:
        before: Returns when the last backup of a job before the period was made; None if there was none.
    """
    kept = list(runs)
    days: dict[date, tuple[Outcome, int]] = {}
    lines: dict[str, JobLine] = {}
    for run in kept:
        day = clock.local(run.finished_ms).date()
        worst, count = days.get(day, (run.outcome, 0))
        days[day] = min(worst, run.outcome, key=_WORST.index), count + 1
        _add(lines.setdefault(run.job, JobLine(run.job)), run)
    whole = not any(getattr(wanted, name) for name in _LEAVES_OUT)
    begin, end = _span(kept, wanted, rests)
    if whole:
        for line in lines.values():
            _measure(line, before(line.job), end)
    jobs = [lines[name] for name in sorted(lines)]
    return Summary(wanted, rests, kept, days, jobs, begin, end, whole)


def _span(runs: Sequence[EndedRun], wanted: Filter, rests: Base) -> tuple[int, int]:
    """Return the first and last moment of the period: as the filter asks, as far as the log reaches."""
    newest = max((run.finished_ms for run in runs[:1]), default=rests.as_of_ms)
    end = max(newest, rests.until_ms)
    if wanted.until_ms is not None:
        end = min(end, wanted.until_ms - 1)
    oldest = min((run.finished_ms for run in runs[-1:]), default=end)
    begin = oldest if wanted.since_ms is None else max(wanted.since_ms, min(oldest, rests.begin_ms))
    return min(begin, end), end


def _add(line: JobLine, run: EndedRun) -> None:
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
    """Find the longest time without a backup, beginning at the last one before the period, or else at the job's first run.

    The time since the last backup counts too: it was at least that long.
    """
    if not line.backups:
        return
    line.before = before is not None
    moments = [end, *line.good_ms, line.first_ms if before is None else before]
    line.gap_ms, at = max((later - sooner, at) for at, (later, sooner) in enumerate(itertools.pairwise(moments)))
    line.open_gap = at == 0 or (before is None and at == len(line.good_ms))


def _never(line: JobLine) -> bool:
    """Whether no backup of a job was made at all, neither in the period nor before: worse than any gap."""
    return not line.good_ms and not line.before


def _gap(line: JobLine) -> str:
    """Return the longest time without a backup; of one that reaches the period's edge the least that it was."""
    if line.gap_ms is None:
        return _NONE
    if _never(line):
        return "no backup made"
    return f"{'at least ' if line.open_gap else ''}{wording.elapsed(line.gap_ms)}"


# -- the sheets


def sheet(summary: Summary, *, every_run: bool) -> facts.Sheet:
    """Return the sheet of a period: figures, calendar, jobs, runs without success and, if *every_run*, all runs."""
    tone, headline = _with_rhythms(summary, *_headline(summary))
    verdict, days = summary.rests.verdict, summary.days_words
    if verdict is not None and verdict.result == "tampered":
        tone, headline = "fail", f"{DISBELIEVED}{headline}"
    blocks = list(_blocks(summary, every_run=every_run))
    title, sign = f"Backup report: {days}", facts.TONE_SIGNS[tone]
    return facts.Sheet("Backup report", title, headline, tone, sign, days, (), blocks, summary.rests)


def _with_rhythms(summary: Summary, tone: str, headline: str) -> tuple[str, str]:
    """Return tone and headline with the missed backups: no period is green in which there is one."""
    worse, words = expected_blocks.trouble(summary.rhythms, past=summary.end_ms < summary.rests.until_ms)
    return (worse if worse and tone != "fail" else tone), ", ".join(filter(None, (headline, words)))


def _blocks(summary: Summary, *, every_run: bool) -> Iterator[facts.Block]:
    yield facts.Figures(_totals(summary))
    yield from _basis(summary.wanted, summary.rests)
    yield from map(facts.Note, _notes(summary))
    if summary.runs:
        days = "Days: the worst outcome of each"
        yield facts.Days(days, _months(summary), summary.days, summary.first, summary.last)
    yield facts.Listing("Jobs", _JOBS, ((_job_row(line, whole=summary.whole), None) for line in summary.jobs))
    yield from expected_blocks.blocks(summary.rhythms, summary.fault)
    if proofs := _proofs(summary):
        yield facts.Facts("Last proven restorable", proofs)
    if failures := summary.failures:
        title = f"Runs that did not simply succeed ({wording.count(len(failures))}), the newest first"
        yield facts.Listing(title, _FAILURES, ((_failure_row(run), run.outcome) for run in failures))
    if every_run:
        title = f"All runs ({wording.count(len(summary.runs))}), the newest first"
        yield facts.Listing(title, _RUNS, ((_run_row(run), run.outcome) for run in summary.runs))


def sheet_of_entries(entries: Iterable[StoredEntry], wanted: Filter, rests: Base) -> facts.Sheet:
    """Return the sheet of a list of entries of every kind; the writer reads *entries* while it draws."""
    listing = facts.Listing("Entries", _ENTRIES, ((_entry_row(entry), None) for entry in entries))
    blocks = [*_basis(wanted, rests), listing]
    headline = "Entries of the audit log"
    return facts.Sheet("Audit report", "Audit log: entries", headline, "none", "", "", (), blocks, rests)


def _basis(wanted: Filter, rests: Base) -> Iterator[facts.Block]:
    """Yield whether the log below a report can be believed, and the filter that the user gave."""
    verdict = None if rests.verdict is None else facts.verdict_words(rests.verdict)
    yield facts.Belief("Audit log", verdict, [("Log", f"{rests.log}, {wording.count(rests.size)} entries")], rests)
    asked = []
    for name, value in wanted.to_json().items():
        if isinstance(value, list):
            asked.append((name.capitalize(), ", ".join(map(wording.escape, value))))
        else:
            asked.append(("From" if name == "since_ms" else "Before", wording.both_times(value)))
    if asked:
        yield facts.Facts("Asked for", asked)


def _months(summary: Summary) -> list[tuple[int, int]]:
    """Return year and month of each month of the period, at most the last `_MOST_MONTHS`."""
    first, last = (day.year * 12 + day.month - 1 for day in (summary.first, summary.last))
    return [(month // 12, month % 12 + 1) for month in range(max(first, last - _MOST_MONTHS + 1), last + 1)]


def _headline(summary: Summary) -> tuple[str, str]:
    """Return the tone and the sentence that answers how the period went."""
    failures = summary.failures
    total, runs = len(summary.runs), wording.plural(len(summary.runs), "run")
    bad, lost = (sum(run.outcome in kinds for run in failures) for kinds in (_BAD, (Outcome.LOST,)))
    if not total:
        return "none", "No runs in this period"
    if bad:
        counted = f"{wording.count(bad - lost)} of {runs}" if summary.whole else wording.plural(bad - lost, "run")
        return "fail", f"{counted} failed" + (f", {wording.count(lost)} lost" if lost else "")
    if failures:
        return "warn", f"No run failed, {wording.count(len(failures))} of {wording.count(total)} did not simply succeed"
    if not summary.whole:  # a run that the filter left out may have failed: this is no good news
        return "none", f"{runs} asked for, of which all succeeded"
    return "ok", f"{'The run' if total == 1 else f'All {runs}'} succeeded"


def _totals(summary: Summary) -> facts.Rows:
    """Return the figures of a period."""
    added = [line.added for line in summary.jobs if line.added is not None]
    measured = [line for line in summary.jobs if line.gap_ms is not None]
    worst = max(measured, key=lambda line: (_never(line), line.gap_ms or 0), default=None)
    kept = expected_blocks.figure(summary.rhythms)
    succeeded, backups = (sum(getattr(line, name) for line in summary.jobs) for name in ("succeeded", "backups"))
    return [
        ("Runs", wording.count(len(summary.runs))),
        ("Jobs", wording.count(len(summary.jobs))) if kept == _NONE else ("Kept in time", kept),
        ("Backups succeeded", percent(succeeded, backups) if summary.whole else _NONE),
        ("Longest gap", _NONE if worst is None else _gap(worst).replace("at least", "≥").removesuffix(" made")),
        ("Added", _added(sum(added) if added else None, at_most=any(line.at_most for line in summary.jobs))),
    ]


def _notes(summary: Summary) -> Iterator[str]:
    """Yield the sentences that keep a reader from misreading the figures."""
    if not summary.whole:
        yield "The filter leaves out runs of these jobs, so neither rates nor gaps are given."
    if summary.rests.start and (summary.wanted.since_ms is None or summary.runs):
        start = wording.count(summary.rests.start)
        yield f"The entries before number {start} were pruned as configured; older runs are not in this log."
    if summary.days and len(_months(summary)) == _MOST_MONTHS:
        yield f"The calendar shows the last {_MOST_MONTHS} months at most."


def _proofs(summary: Summary) -> facts.Rows:
    """Return each job whose checks restored and compared files in the period, with the last time."""
    last: dict[str, EndedRun] = {}
    for run in summary.runs:
        if run.proven is not None:
            last.setdefault(run.job, run)
    return [
        (wording.escape(job), f"{_when(run)}, {wording.proof_words(run.proven)}")
        for job, run in sorted(last.items())
        if run.proven is not None
    ]


def _job_row(line: JobLine, *, whole: bool) -> list[str]:
    rate = percent(line.succeeded, line.backups) if whole else _NONE
    return [*line.row, rate, _gap(line), _added(line.added, at_most=line.at_most)]


def _added(amount: int | None, *, at_most: bool) -> str:
    """Return the size that was added; of some runs only the size before compression may be known."""
    return f"{'≤ ' if at_most and amount is not None else ''}{wording.known(amount, wording.size)}"


def _run_row(run: EndedRun) -> list[str]:
    return [
        _when(run),
        facts.WORDS[run.outcome],
        wording.escape(run.job),
        wording.escape(run.kind),
        wording.known(run.duration_ms, wording.elapsed),
        wording.known(run.bytes_processed, wording.size),
        wording.added(run, short=True) or _NONE,
        wording.known(run.files, wording.count),
        wording.known(run.entry, wording.count),
    ]


def _failure_row(run: EndedRun) -> list[str]:
    why, entry = wording.escape(run.reason or "not known, or erased"), wording.known(run.entry, wording.count)
    return [_when(run), facts.WORDS[run.outcome], wording.escape(run.job), why, entry]


def _entry_row(entry: StoredEntry) -> list[str]:
    data = entry.data
    words = (data["time"], data["action"], data["result"], data["severity"], data["job"] or _NONE, data["actor"])
    return [wording.count(entry.seq), *(wording.escape(str(word)) for word in words)]


def _when(run: EndedRun) -> str:
    return f"{clock.local(run.finished_ms):%Y-%m-%d %H:%M}"
