"""Collect what is known of one run, and say it as a sheet: its end, its audit entry, whether that entry can be believed."""

import json
import shlex
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tray import config, wording
from tray.audit import last_check, spool
from tray.audit.entry import ENDS, ended_run
from tray.audit.merkle import leaf_hash
from tray.audit.rows import StoredEntry
from tray.audit.verify.check import verify
from tray.audit.verify.verdict import Result, Verdict
from tray.baselines import all_copies
from tray.core import clock
from tray.core.dataclass import dataclass, replace
from tray.core.errors import ConfigError, RunNotFoundError, SystemViewError
from tray.core.model import EndedRun, Instance, Outcome, Source, Step
from tray.core.paths import Places
from tray.ipc.system_client import NEWER
from tray.report import facts
from tray.report.basis import Base
from tray.status import past_runs, renamed, system_history

LONG_LOG = 200_000
"""Entries that are verified anew for every report; it takes a second or two."""

_LATE_MS = 60_000
"""An entry that was written so long after the event shows both times."""

_NOT_YET = "The record waits in the spool until the audit log can be written; nothing is verified."
_NOT_PROVEN = "The hashes of the log do not lead from this entry to the root of the checkpoint."


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that is known of one run.

    Attributes:
        run: The run's end; None while only its start is on record.
        entry: Its entry; None while its record waits in the spool.
        body: Its details; None once erased.
        verdict: The verification of the whole log that holds the entry; None if the caller did not ask for it.
    """

    run: EndedRun | None
    entry: StoredEntry | None
    body: Mapping[str, Any] | None
    verdict: Verdict | None

    @property
    def id(self) -> str:
        """Return the id of the run."""
        return self.run.run if self.run is not None else self._of_entry("run")

    @property
    def job(self) -> str:
        """Return the name of the job, "" if the run has none."""
        return self.run.job if self.run is not None else self._of_entry("job")

    @property
    def of_system(self) -> bool:
        """Whether the run is one of the system-wide instance."""
        return self.run is not None and self.run.instance is Instance.SYSTEM

    def _of_entry(self, name: str) -> str:
        return "" if self.entry is None else self.entry.data[name] or ""

    def to_json(self) -> dict[str, Any]:
        """Return the report as the system-wide instance sends it."""
        entry, verdict = self.entry, self.verdict
        return {
            "run": None if self.run is None else self.run.to_json(),
            "entry": None if entry is None else {"seq": entry.seq, "raw": entry.raw.decode()},
            "body": self.body,
            "verdict": None if verdict is None else verdict.to_json(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Report":
        """Build the report that the system-wide instance sent.

        Raises:
            ValueError: *data* is no report.
        """
        try:
            entry, run, body, verdict = data["entry"], data["run"], data["body"], data["verdict"]
            return cls(
                run=None if run is None else replace(EndedRun.from_json(run), instance=Instance.SYSTEM),
                entry=None if entry is None else _entry(entry["seq"], entry["raw"].encode(), body),
                body=body,
                verdict=None if verdict is None else _verdict(verdict),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"no report: {error}") from error


def _entry(seq: int, raw: bytes, body: Mapping[str, Any] | None) -> StoredEntry:
    return StoredEntry(seq, raw, json.loads(raw), body, leaf_hash(raw))


def _verdict(data: Mapping[str, Any]) -> Verdict:
    return Verdict(Result(data["result"]), data["entries"], clock.from_text(data["checked_at"]), str(data["why"]))


def gather(places: Places, run: str, *, verify: "Callable[[], Verdict] | None" = None) -> Report:
    """Collect the report of the run of the whole id *run* from this user's log and spool.

    Args:
        verify: Verifies the log; None leaves `Report.verdict` out.

    Raises:
        RunNotFoundError: There is no such run.
        AuditUnavailableError: The log cannot be read.
    """
    waiting = next((draft for draft in reversed(list(spool.pending(places))) if draft.run == run), None)
    with past_runs.reading(places) as log:
        entry = None if log is None else log.entry_of_run(run)
        names = past_runs.present_names(places, log)
    over = None if waiting is None else waiting.ended()
    if waiting is not None and (entry is None or over is not None):
        shown = None if over is None else renamed.ended([over], names)[0]
        return Report(shown, None, waiting.body, None)
    if entry is None:
        raise RunNotFoundError(run)
    ended = ended_run(entry.data, entry.body, entry.seq, names.present) if entry.data["action"] in ENDS else None
    return Report(ended, entry, entry.body, None if verify is None else verify())


def of_system(run: str) -> Report:
    """Return the report of a run of the system-wide instance, with the verification that its service made.

    Raises:
        RunNotFoundError: There is no such run, or no such instance for this user.
        SystemViewError: The service does not answer, or answers something else.
    """
    answer = system_history.report(run)
    try:
        return Report.from_json(answer)
    except ValueError as error:
        raise SystemViewError(NEWER) from error


def verified(places: Places) -> Verdict:
    """Return the verification of the log against every baseline that is kept; it records nothing.

    A very long log is checked from the end of an earlier complete check on, if there is an authentic one (`Verdict.full`).
    """
    try:
        settings = config.load(places)
    except ConfigError:
        settings = None  # the copies beside the configuration still count
    point = last_check.point(places)
    kept, pinned = all_copies.notes(places, settings), all_copies.pinned(places)
    if point is not None and point.size > LONG_LOG:
        return verify(places.audit_db, places.audit_key, since=point, kept=kept, pinned=pinned)
    return verify(places.audit_db, places.audit_key, kept=kept, pinned=pinned, witness=last_check.witness(places))


# -- the sheet


def sheet(
    report: Report,
    rests: Base | None,
    charted: list[EndedRun],
    *,
    proven: bool | None = None,
    expected: str | None = None,
) -> facts.Sheet:
    """Return the sheet of a run.

    Args:
        rests: The checkpoint of the report; None for a run of the system's, or one whose record waits.
        charted: The last runs of the job, the oldest first, this one the last.
        proven: Whether the log's hashes lead from the entry to the checkpoint; None if that was not checked.
        expected: How the run stood against the rhythm of its job; None where nothing can be said.
    """
    run, verdict = report.run, belief(report, proven)
    doubted = verdict[0] == "fail"
    outcome = None if run is None else run.outcome
    sign, word = ("–", "No end yet") if outcome is None else (facts.SIGNS[outcome], facts.WORDS[outcome])
    end = "no end on record yet" if run is None else _end(run)
    headline = f"{facts.DISBELIEVED if doubted else ''}{wording.escape(report.job or 'unnamed')}: {end}"
    proof = facts.Belief("Audit entry", verdict, proof_rows(report, proven=proven), rests)
    return facts.Sheet(
        kind="Backup report",
        title=f"Backup report: {headline}",
        headline=headline,
        tone="fail" if doubted else facts.tone(outcome),
        sign=facts.TONE_SIGNS["fail"] if doubted else sign,
        word=verdict[1] if doubted else word,
        under=[wording.escape(text) for text in (run.reason, run.advice) if text] if run else [],
        blocks=[*_blocks(report, charted, expected), proof],
        rests=rests,
        one_page=True,
    )


def _blocks(report: Report, charted: list[EndedRun], expected: str | None) -> Iterator[facts.Block]:
    """Yield the blocks about the run itself. A chart of a single bar would say nothing and take the room of problems."""
    run = report.run
    if run is not None:
        yield facts.Figures(_figures(run))
    yield facts.Facts("The run", [*rows(report), *([] if expected is None else [("Expected", expected)])])
    if run is not None and run.steps:
        yield facts.Lines("Steps", [(wording.escape(step_words(step)), "") for step in run.steps], ("Step", ""))
    if listed := problems(report):
        yield facts.Lines(f"Problems ({wording.count(len(listed))})", listed, ("Item", "Message"))
    if len(charted) > 1:
        yield facts.Charts(f"Compared with the last {len(charted)} runs, this one at the right", _charts(charted))


def _charts(runs: list[EndedRun]) -> list[facts.Chart]:
    sizes, times = [run.bytes_processed for run in runs], [run.duration_ms for run in runs]
    return [
        facts.Chart("Size", runs, sizes, wording.size),
        facts.Chart("Duration", runs, times, wording.elapsed),
    ]


def _end(run: EndedRun) -> str:
    kind = "" if run.kind == "backup" else f"{wording.escape(run.kind)} "
    return f"{kind}{wording.outcome_word(run.outcome)}" + (" (inferred)" if run.inferred else "")


def _figures(run: EndedRun) -> facts.Rows:
    return [
        ("Files", wording.known(run.files, wording.count)),
        ("Size", wording.known(run.bytes_processed, wording.size)),
        ("Added", wording.added(run) or "–"),
        ("Duration", wording.known(run.duration_ms, wording.elapsed)),
        ("Problems", wording.problems(run) or "–"),
    ]


def rows(report: Report) -> facts.Rows:
    """Return the facts of a run below its figures; a fact that is not known is left out."""
    return [(name, wording.escape(value)) for name, value in _facts(report) if value]


def _facts(report: Report) -> Iterator[tuple[str, str | None]]:
    run, body = report.run, report.body or {}
    if run is not None:
        yield "Started", wording.known(run.started_ms, wording.both_times, "")
        yield "Finished", wording.both_times(run.finished_ms)
        yield "Engine", f"{run.engine}, {run.kind}"
    yield "Run", report.id
    yield "Repository", run.repository if run else None
    yield "Sources", ", ".join(sources(report))
    yield "Command", shlex.join(_texts(body, "command"))
    for name in ("Exit code", "Signal", "Snapshot"):
        value = body.get(name.lower().replace(" ", "_"))
        yield name, None if value is None else str(value)
    if run is not None and run.proven is not None:
        yield "Proven restorable", f"{wording.proof_words(run.proven)}, compared {_how(body)}"
    if run is not None:
        observed = run.source is Source.OBSERVED
        yield "Seen by", "the tracker, which observed it" if observed else "its own wrapper, from beginning to end"
        yield "User", run.user
        yield "Record", "the system's (root's)" if report.of_system else None
    yield "Evidence", evidence(body.get("evidence"))
    yield "Began during", f"run {body['overlaps']} of the same job" if body.get("overlaps") else None
    if report.body is None:
        yield "Details", "none, or erased; the entry itself is untouched"


def _how(body: Mapping[str, Any]) -> str:
    """Return how a check compared files: "2 with the source and 1 with the snapshot's hash"."""
    how = (body.get("proof") or {}).get("how")
    return how if isinstance(how, str) else "as the check said"


def sources(report: Report) -> list[str]:
    """Return the sources of a backup, none for a command that is no engine of ours."""
    engine = report.run.engine if report.run is not None else report._of_entry("engine")
    return [] if engine == "command" else _texts(report.body, "sources")


def _texts(body: Mapping[str, Any] | None, key: str) -> list[str]:
    """Return a list of texts of a body, empty where there is none."""
    value = (body or {}).get(key)
    return [str(item) for item in value] if isinstance(value, list) else []


def evidence(known: object) -> str | None:
    """Return on one line how the end of an observed run is known; None if nothing is on record."""
    if not isinstance(known, Mapping):
        return None if known is None else str(known)
    parts = [f"{str(key).replace('_', ' ')}: {value}" for key, value in known.items() if value is not None]
    return "; ".join(parts) or None


def step_words(step: Step) -> str:
    """Return one engine that a script called: "restic backup to /repo: failed, 12 s, restic ended with exit code 1"."""
    where = f" to {step.repository}" if step.repository else ""
    end = "its end was not seen" if step.outcome is None else wording.outcome_word(step.outcome)
    took = "" if step.finished_ms is None else f", {wording.elapsed(max(step.finished_ms - step.started_ms, 0))}"
    why = f", {step.reason}" if step.reason and step.outcome is not Outcome.SUCCEEDED else ""
    return f"{step.engine} {step.kind}{where}: {end}{took}{why}"


def problems(report: Report) -> facts.Rows:
    """Return item and message of each problem."""
    listed = (report.body or {}).get("problems") or ()
    return [
        (wording.escape(str(problem.get("item") or "")), wording.escape(str(problem.get("message") or "")))
        for problem in listed
        if isinstance(problem, Mapping)
    ]


def belief(report: Report, proven: bool | None) -> tuple[str, str, str]:
    """Return tone, word and sentence: whether the entry of a run can be believed."""
    if report.entry is None or report.verdict is None:
        return "none", "Not yet", _NOT_YET
    if proven is False and report.verdict.result != "tampered":
        return "fail", "Not proven", _NOT_PROVEN
    return facts.verdict_words(report.verdict)


def proof_rows(report: Report, *, proven: bool | None = None) -> facts.Rows:
    """Return number, times, author and hash of the entry of a run; nothing while there is no entry."""
    entry = report.entry
    if entry is None:
        return []
    data = entry.data
    moment, recorded = clock.from_text(data["time"]), clock.from_text(data["recorded"])
    listed = [
        ("Entry", f"{wording.count(entry.seq)}, id {data['id']}"),
        ("When", wording.both_times(moment)),
        ("Recorded", wording.both_times(recorded) if recorded - moment > _LATE_MS else ""),
        ("Who", wording.escape(data["actor"])),
        ("Action", f"{data['action']}, {wording.escape(data['result'])}, severity {data['severity']}"),
        ("Entry hash", entry.leaf.hex(" ", -4)),
        ("Proven", "the hashes of the log lead from this entry to the root below" if proven else ""),
    ]
    return [(name, value) for name, value in listed if value]
