"""The sheet of one run."""

import shlex
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tray import wording
from tray.core import clock
from tray.core.model import EndedRun, Instance, Source
from tray.report import facts
from tray.report.as_text import evidence, step_words
from tray.report.of_run import DISBELIEVED, Report

if TYPE_CHECKING:
    from tray.report.basis import Base


def sheet(found: Report, rests: "Base | None", charted: list[EndedRun], *, proven: bool | None = None) -> facts.Sheet:
    """Return the sheet of a run.

    Args:
        rests: The checkpoint of the report; None for a run of the system's, or one whose record waits.
        charted: The last runs of the job, the oldest first, this one the last.
        proven: The log's hashes lead from the entry to the checkpoint; None if that was not checked.
    """
    run = found.run
    said = belief(found, proven)
    doubted = said[0] == "fail"
    outcome = None if run is None else run.outcome
    sign, word = ("–", "No end yet") if outcome is None else (facts.SIGNS[outcome], facts.WORDS[outcome])
    job = wording.escape(_job(found))
    headline = f"{job}: no end on record yet" if run is None else f"{job}: {_did(run)}"
    headline = f"{DISBELIEVED}{headline}" if doubted else headline
    return facts.Sheet(
        kind="Backup report",
        title=f"Backup report: {headline}",
        headline=headline,
        tone="fail" if doubted else facts.tone(outcome),
        sign=facts.TONE_SIGNS["fail"] if doubted else sign,
        word=said[1] if doubted else word,
        under=[wording.escape(text) for text in (run.reason, run.advice) if text] if run else [],
        blocks=[*_blocks(found, charted), facts.Belief("Audit entry", said, list(_proof(found, proven)), rests)],
        rests=rests,
        one_page=True,
    )


def _blocks(found: Report, charted: list[EndedRun]) -> Iterator[facts.Block]:
    """Yield the blocks about the run itself. A chart of a single bar would say nothing and take the room of problems."""
    run = found.run
    if run is not None:
        yield facts.Figures(list(_figures(run)))
    yield facts.Facts("What happened", [(name, wording.escape(value)) for name, value in _facts(found) if value])
    if run is not None and run.steps:
        yield facts.Lines("Steps", [(wording.escape(step_words(step)), "") for step in run.steps], ("Step", ""))
    if problems := list(_problems(found.body)):
        yield facts.Lines(f"Problems ({wording.count(len(problems))})", problems, ("Item", "Message"))
    if len(charted) > 1:
        yield facts.Charts(f"Compared with the last {len(charted)} runs, this one at the right", _charts(charted))


def _charts(runs: list[EndedRun]) -> list[facts.Chart]:
    sizes, times = [run.bytes_processed for run in runs], [run.duration_ms for run in runs]
    return [
        facts.Chart("Size", runs, sizes, wording.size),
        facts.Chart("Duration", runs, times, lambda ms: wording.duration(ms / 1000)),
    ]


def _job(found: Report) -> str:
    if found.run is not None:
        return found.run.job
    return (found.entry.data["job"] if found.entry else None) or "unnamed"


def _did(run: EndedRun) -> str:
    kind = "" if run.kind == "backup" else f"{wording.escape(run.kind)} "
    return f"{kind}{wording.outcome_word(run.outcome)}" + (" (inferred)" if run.inferred else "")


def _figures(run: EndedRun) -> Iterator[tuple[str, str]]:
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
    if run is None or run.engine != "command":  # the sources of other commands are not known
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
    return facts.verdict_words(found.verdict)


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
