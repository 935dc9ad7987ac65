"""Reports as text: of one run, of a period."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from tray import wording
from tray.core import clock
from tray.core.model import Instance, Outcome, Source, Step
from tray.report.of_run import DISBELIEVED, Report

if TYPE_CHECKING:
    from tray.audit.verify import Verdict
    from tray.report.summary import Summary

SHOWN_PROBLEMS = 20


def text(report: Report) -> str:
    """Return the report for a person."""
    return "\n".join([*_what(report), "", *_details(report), "", *_proof(report)])


def _what(report: Report) -> Iterator[str]:
    run = report.run
    if run is None:
        yield "The run has no recorded end."
        return
    doubt = DISBELIEVED if report.verdict is not None and report.verdict.result == "tampered" else ""
    sure = " (inferred)" if run.inferred else ""
    yield f"{doubt}{wording.escape(run.job)}: {wording.outcome_word(run.outcome)}{sure}"
    if run.reason:
        yield f"  {wording.escape(run.reason)}"
    if run.advice:
        yield f"  {wording.escape(run.advice)}"
    yield ""
    yield from _table(
        ("Started", None if run.started_ms is None else wording.both_times(run.started_ms)),
        ("Finished", wording.both_times(run.finished_ms)),
        ("Duration", None if run.duration_ms is None else wording.duration(run.duration_ms / 1000)),
        ("Engine", f"{run.engine}, {run.kind}"),
        ("Repository", run.repository),
        ("Files", None if run.files is None else wording.count(run.files)),
        ("Size", None if run.bytes_processed is None else wording.size(run.bytes_processed)),
        ("Added", wording.added(run)),
        ("Problems", wording.problems(run)),
        ("Run", run.run),
        ("Known by", "observation; somebody else started it" if run.source is Source.OBSERVED else None),
        ("User", run.user),
        ("Record", "the system's (root's)" if run.instance is Instance.SYSTEM else None),
    )


def _details(report: Report) -> Iterator[str]:
    if report.body is None:
        yield "Details: none, or erased."
        return
    body = report.body
    known = report.run is None or report.run.engine != "command"  # of other commands nobody knows what they read
    yield from _table(
        ("Command", " ".join(map(str, body.get("command") or ())) or None),
        ("Sources", (", ".join(map(str, body.get("sources") or ())) or None) if known else None),
        ("Exit code", body.get("exit_code")),
        ("Signal", body.get("signal")),
        ("Snapshot", body.get("snapshot")),
        ("Evidence", evidence(body.get("evidence"))),
    )
    for step in () if report.run is None else report.run.steps:
        yield f"  > {wording.escape(step_words(step))}"
    problems = body.get("problems") or ()
    for problem in problems[:SHOWN_PROBLEMS]:
        item = f"{problem.get('item')}: " if problem.get("item") else ""
        yield f"  ! {wording.escape(item + str(problem.get('message')))}"
    if len(problems) > SHOWN_PROBLEMS:
        yield f"  … {len(problems) - SHOWN_PROBLEMS} more in the entry, all of them in the log: `backup-tray log RUN`"


def step_words(step: Step) -> str:
    """Return one engine that a script called: "restic backup to /repo: failed, 12 s, restic ended with exit code 1"."""
    where = f" to {step.repository}" if step.repository else ""
    did = "its end was not seen" if step.outcome is None else wording.outcome_word(step.outcome)
    took = (
        "" if step.finished_ms is None else f", {wording.duration(max(step.finished_ms - step.started_ms, 0) / 1000)}"
    )
    why = f", {step.reason}" if step.reason and step.outcome is not Outcome.SUCCEEDED else ""
    return f"{step.engine} {step.kind}{where}: {did}{took}{why}"


def evidence(known: object) -> str | None:
    """Return by what the end of a run is known that somebody else started, on one line; None if nothing is said."""
    if not isinstance(known, Mapping):
        return None if known is None else str(known)
    facts = [(str(key).replace("_", " "), value) for key, value in known.items() if value is not None]
    return "; ".join(f"{key}: {value}" for key, value in facts) or None


def _proof(report: Report) -> Iterator[str]:
    entry, verdict = report.entry, report.verdict
    if entry is None or verdict is None:
        yield "Audit entry: not yet. The record waits in the spool until the audit log can be written; nothing is verified."
        return
    yield f"Audit entry {wording.count(entry.seq)}: {_believable(verdict)}"
    yield from _table(
        ("When", wording.both_times(clock.from_text(entry.data["time"]))),
        ("Who", entry.data["actor"]),
        ("What", f"{entry.data['action']}, {entry.data['result']}"),
        ("Log", entry.data["log"]),
        ("Entry hash", entry.leaf.hex()),
    )


def _believable(verdict: "Verdict") -> str:
    if verdict.result == "tampered":
        return f"NOT to be believed: the audit log was altered. {verdict.why}"
    proof = f"unchanged since it was written, part of a log of {wording.count(verdict.entries)} entries"
    return proof if verdict.result == "intact" else f"{proof}; {verdict.result}: {verdict.why}"


def _table(*rows: tuple[str, object]) -> Iterator[str]:
    for name, value in rows:
        if value is not None:
            yield f"  {name:<10}  {wording.escape(str(value))}"


def period_text(found: "Summary") -> str:
    """Return the report of a period for a person."""
    return "\n".join(_period(found))


def _period(found: "Summary") -> Iterator[str]:
    from tray.report import summary as sums

    yield f"{sums.period_words(found)}: {sums.headline(found)[1]}"
    yield from _rows(sums.asked_words(found.wanted))
    yield ""
    yield from _rows(sums.totals(found))
    yield from (f"  Note: {note}" for note in sums.notes(found))
    yield ""
    yield "Jobs"
    for line in found.jobs:
        name, _, succeeded, warnings, failed, others, rate, gap, _ = sums.job_row(line, whole=found.whole)
        counts = f"{wording.plural(line.runs, 'run')}: {succeeded} succeeded, {warnings} with warnings"
        counts += f", {failed} failed, {others} other"
        told = f"; {rate} of the backups, {'' if gap.startswith('no ') else 'longest gap '}{gap}"
        yield f"  {wording.fit(name, 60)}: {counts}" + (told if found.whole and line.backups else "")
    yield from ["", "What did not simply succeed"] * any(True for _ in found.failures)
    for run in found.failures:
        why = wording.escape(run.reason or "not known, or erased")
        job = wording.fit(wording.escape(run.job), 60)
        yield f"  {clock.local(run.finished_ms):%Y-%m-%d %H:%M}  {job} {wording.outcome_word(run.outcome)}: {why}"
    yield ""
    rests = found.rests
    if rests.verdict is not None:
        yield f"Audit log: {_believable(rests.verdict)}"
    yield from _rows([("As of", clock.to_text(rests.as_of_ms)), ("Checkpoint", rests.foot)])
    yield from _rows([("Log root", rests.root.hex())])


def _rows(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    for name, value in rows:
        yield f"  {name:<18}  {wording.escape(value)}"
