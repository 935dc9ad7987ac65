"""The sheets of a period and of a list of entries."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from tray import wording
from tray.core import clock
from tray.core.model import EndedRun
from tray.report import facts
from tray.report import summary as sums

if TYPE_CHECKING:
    from tray.audit.rows import StoredEntry
    from tray.report.basis import Base
    from tray.report.summary import Summary

_NONE = "–"
_JOBS = ("Job", "#Runs", "#Succeeded", "#Warnings", "#Failed", "#Other", "#Rate", "#Longest gap", "#Added")
_FAILURES = ("Finished", "Outcome", "Job", "Why", "#Entry")
_RUNS = ("Finished", "Outcome", "Job", "Kind", "#Duration", "#Size", "#Added", "#Files", "#Entry")
_ENTRIES = ("#Entry", "When (UTC)", "Action", "Result", "Severity", "Job", "Who")


def of_period(found: "Summary") -> facts.Sheet:
    """Return the sheet of a period: figures, calendar, jobs, runs without success, all runs."""
    tone, headline = sums.headline(found)
    days = sums.period_words(found)
    title = f"Backup report: {days}"
    blocks = list(_period(found))
    return facts.Sheet("Backup report", title, headline, tone, facts.TONE_SIGNS[tone], days, (), blocks, found.rests)


def _period(found: "Summary") -> Iterator[facts.Block]:
    yield facts.Figures(sums.totals(found))
    yield trust(found.rests)
    if asked := sums.asked_words(found.wanted):
        yield facts.Facts("Asked for", asked)
    yield from map(facts.Note, sums.notes(found))
    if found.runs:
        yield facts.Days("Days: the worst outcome of each", sums.months(found), found.days, found.first, found.last)
    yield facts.Listing("Jobs", _JOBS, ((sums.job_row(line, whole=found.whole), None) for line in found.jobs))
    failures = sum(1 for _ in found.failures)
    if failures:
        title = f"What did not simply succeed ({wording.count(failures)}), the newest first"
        yield facts.Listing(title, _FAILURES, ((_failure(run), run.outcome) for run in found.failures))
    title = f"All runs ({wording.count(len(found.runs))}), the newest first"
    yield facts.Listing(title, _RUNS, ((_run(run), run.outcome) for run in found.runs))


def of_entries(found: "Iterable[StoredEntry]", asked: facts.Rows, rests: "Base") -> facts.Sheet:
    """Return the sheet of a list of entries of every kind; the writer reads *found* while it draws."""
    blocks: list[facts.Block] = [trust(rests)]
    if asked:
        blocks.append(facts.Facts("Asked for", asked))
    blocks.append(facts.Listing("Entries", _ENTRIES, ((_entry(entry), None) for entry in found)))
    headline = "Entries of the audit log"
    return facts.Sheet("Audit report", "Audit log: entries", headline, "none", "", "", (), blocks, rests)


def trust(rests: "Base") -> facts.Belief:
    """Return whether the log below a report can be believed."""
    said = None if rests.verdict is None else facts.verdict_words(rests.verdict)
    return facts.Belief("Audit log", said, [("Log", f"{rests.log}, {wording.count(rests.size)} entries")], rests)


def _run(run: EndedRun) -> list[str]:
    return [
        _when(run),
        facts.WORDS[run.outcome],
        wording.escape(run.job),
        wording.escape(run.kind),
        _NONE if run.duration_ms is None else wording.duration(run.duration_ms / 1000),
        _NONE if run.bytes_processed is None else wording.size(run.bytes_processed),
        wording.added(run, short=True) or _NONE,
        _NONE if run.files is None else wording.count(run.files),
        _number(run),
    ]


def _failure(run: EndedRun) -> list[str]:
    why = wording.escape(run.reason or "not known, or erased")
    return [_when(run), facts.WORDS[run.outcome], wording.escape(run.job), why, _number(run)]


def _entry(entry: "StoredEntry") -> list[str]:
    data = entry.data
    words = (data["time"], data["action"], data["result"], data["severity"], data["job"] or _NONE, data["actor"])
    return [wording.count(entry.seq), *(wording.escape(str(word)) for word in words)]


def _when(run: EndedRun) -> str:
    return f"{clock.local(run.finished_ms):%Y-%m-%d %H:%M}"


def _number(run: EndedRun) -> str:
    return _NONE if run.entry is None else wording.count(run.entry)
