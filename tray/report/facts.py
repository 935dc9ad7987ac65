"""The facts of one run in words that need no further escaping of what is invisible: what PDF and HTML show alike."""

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tray import wording
from tray.core import clock
from tray.core.model import EndedRun, Instance, Outcome, Source
from tray.report.as_text import evidence, step_words
from tray.report.basis import Base
from tray.report.of_run import DISBELIEVED, Report

if TYPE_CHECKING:
    from tray.audit.verify.verdict import Verdict

Rows = list[tuple[str, str]]

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
TONES = {Outcome.SUCCEEDED: "ok", Outcome.WARNING: "warn", Outcome.FAILED: "fail", Outcome.LOST: "fail"}
"""Which colour an outcome has; the others have none."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """One run.

    Attributes:
        outcome: None while only its start is on record.
        figures: Name and value of what is shown large.
        problems: Item and message.
        charted: The last runs of the job, the oldest first.
        belief: Tone, word and sentence: whether the entry can be believed.
        proof: The entry, its hash and the log.
    """

    title: str
    outcome: Outcome | None
    reason: str
    advice: str
    figures: Rows
    facts: Rows
    steps: list[str]
    problems: Rows
    charted: list[EndedRun]
    belief: tuple[str, str, str]
    proof: Rows
    rests: Base | None


def sheet(found: Report, rests: Base | None, charted: list[EndedRun], *, proven: bool | None = None) -> Sheet:
    """Return the facts of a run.

    Args:
        rests: The checkpoint of the report; None for a run of the system's, or one whose record waits.
        proven: The log's hashes lead from the entry to the checkpoint; None if nobody looked.
    """
    run = found.run
    job = wording.escape(_job(found))
    title = f"{job}: no end on record yet" if run is None else f"{job}: {_did(run)}"
    believed = belief(found, proven)
    return Sheet(
        title=f"{DISBELIEVED}{title}" if believed[0] == "fail" else title,
        outcome=None if run is None else run.outcome,
        reason=wording.escape(run.reason or "") if run else "",
        advice=wording.escape(run.advice or "") if run else "",
        figures=list(_figures(run)),
        facts=[(name, wording.escape(value)) for name, value in _facts(found) if value],
        steps=[wording.escape(step_words(step)) for step in (run.steps if run else ())],
        problems=list(_problems(found.body)),
        charted=charted if len(charted) > 1 else [],  # one bar says nothing, and takes the room of problems
        belief=believed,
        proof=list(_proof(found, proven)),
        rests=rests,
    )


def _job(found: Report) -> str:
    if found.run is not None:
        return found.run.job
    return (found.entry.data["job"] if found.entry else None) or "unnamed"


def _did(run: EndedRun) -> str:
    kind = "" if run.kind == "backup" else f"{wording.escape(run.kind)} "
    return f"{kind}{wording.outcome_word(run.outcome)}" + (" (inferred)" if run.inferred else "")


def _figures(run: EndedRun | None) -> Iterator[tuple[str, str]]:
    if run is None:
        return
    yield "Files", "–" if run.files is None else wording.count(run.files)
    yield "Size", "–" if run.bytes_processed is None else wording.size(run.bytes_processed)
    yield "Added", wording.added(run) or "–"
    yield "Duration", "–" if run.duration_ms is None else wording.duration(run.duration_ms / 1000)
    yield "Problems", wording.problems(run) or "–"


def _facts(found: Report) -> Iterator[tuple[str, str | None]]:
    run, body = found.run, found.body or {}
    if run is not None:
        yield "Started", None if run.started_ms is None else wording.both_times(run.started_ms)
        yield "Finished", wording.both_times(run.finished_ms)
        yield "Engine", f"{run.engine}, {run.kind}"
    yield "Run", run.run if run else (found.entry.data["run"] if found.entry else None)
    yield "Repository", run.repository if run else None
    if run is None or run.engine != "command":  # of other commands nobody knows what they read
        yield "Sources", ", ".join(texts(body, "sources"))
    yield "Command", shlex.join(texts(body, "command"))
    yield "Exit code", _known(body, "exit_code")
    yield "Signal", _known(body, "signal")
    yield "Snapshot", _known(body, "snapshot")
    if run is not None:
        observed = run.source is Source.OBSERVED
        yield (
            "Seen by",
            "observation; somebody else started it" if observed else "its own wrapper, from beginning to end",
        )
        yield "User", run.user
        yield "Record", "the system's (root's)" if run.instance is Instance.SYSTEM else None
    yield "Evidence", evidence(body.get("evidence"))
    if found.body is None:
        yield "Details", "none, or erased; the entry itself is untouched"


def _known(body: Mapping[str, Any], key: str) -> str | None:
    return None if body.get(key) is None else str(body[key])


def texts(body: Mapping[str, Any] | None, key: str) -> list[str]:
    """Return a list of texts of a body, empty where there is none."""
    found = (body or {}).get(key)
    return [str(item) for item in found] if isinstance(found, list) else []


def _problems(body: Mapping[str, Any] | None) -> Iterator[tuple[str, str]]:
    for problem in (body or {}).get("problems") or ():
        if isinstance(problem, Mapping):
            yield wording.escape(str(problem.get("item") or "")), wording.escape(str(problem.get("message") or ""))


def belief(found: Report, proven: bool | None) -> tuple[str, str, str]:
    """Return tone, word and sentence: whether the entry of a run can be believed."""
    if found.entry is None or found.verdict is None:
        return (
            "none",
            "Not yet",
            "The record waits in the spool until the audit log can be written; nothing is verified.",
        )
    if proven is False and found.verdict.result != "tampered":
        return "fail", "Not proven", "The hashes of the log do not lead from this entry to the root of the checkpoint."
    return verdict_words(found.verdict)


def verdict_words(verdict: "Verdict") -> tuple[str, str, str]:
    """Return tone, word and sentence about a verification, the same for the same log and baselines."""
    if verdict.result == "tampered":
        where = "" if verdict.first_bad is None else f" (entry {wording.count(verdict.first_bad)}, {verdict.kind})"
        return (
            "fail",
            "Tampered",
            f"NOT to be believed: the audit log was altered{where}. {wording.escape(verdict.why)}",
        )
    if verdict.result == "intact":
        names = ", ".join(map(wording.escape, verdict.baselines)) or "a baseline kept elsewhere"
        how = (
            "Every entry is as it was signed"
            if verdict.full
            else "The log continues what was completely checked before"
        )
        return "ok", "Intact", f"{how}, and outside baselines agree: {names}."
    return "warn", "Inconclusive", wording.escape(verdict.why)


def _proof(found: Report, proven: bool | None) -> Iterator[tuple[str, str]]:
    entry = found.entry
    if entry is None:
        return
    data = entry.data
    yield "Entry", f"{wording.count(entry.seq)}, id {data['id']}"
    yield "When", wording.both_times(clock.from_text(data["time"]))
    if clock.from_text(data["recorded"]) - clock.from_text(data["time"]) > 60_000:
        yield "Recorded", wording.both_times(clock.from_text(data["recorded"]))
    yield "Who", wording.escape(data["actor"])
    yield "What", f"{data['action']}, {wording.escape(data['result'])}, severity {data['severity']}"
    yield "Entry hash", entry.leaf.hex(" ", -4)
    if proven:
        yield "Proven", "the hashes of the log lead from this entry to the root below"
