"""The audit report of one run as text: what happened, the entry that says so, and whether that entry can be believed."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tray import clock, past, wording
from tray.errors import RunNotFoundError, SystemViewError
from tray.fetch import elsewhere
from tray.fetch.conversation import NEWER
from tray.model import EndedRun, Instance, Outcome, Source, Step
from tray.paths import Places

if TYPE_CHECKING:
    from tray.audit.entry import Draft
    from tray.audit.store import StoredEntry
    from tray.audit.verify import Verdict

SHOWN_PROBLEMS = 20


@dataclass(frozen=True, slots=True)
class Report:
    """What is known about one run.

    Attributes:
        run: The run's end; None while only its start is on record.
        entry: Its entry; None while its record waits in the spool.
        body: Its details; None once erased.
        verdict: The verification of the whole log that holds the entry; reading it records nothing.
    """

    run: EndedRun | None
    entry: "StoredEntry | None"
    body: Mapping[str, Any] | None
    verdict: "Verdict | None"

    def to_json(self) -> dict[str, Any]:
        """Return the report as the system-wide instance tells it."""
        entry, verdict = self.entry, self.verdict
        return {
            "run": None if self.run is None else self.run.to_json(),
            "entry": None if entry is None else {"seq": entry.seq, "raw": entry.raw.decode()},
            "body": self.body,
            "verdict": None if verdict is None else verdict.to_json(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Report":
        """Build a report of the system's from one that was told.

        Raises:
            ValueError: It makes no sense.
        """
        try:
            entry, run, told = data["entry"], data["run"], data["verdict"]
            return cls(
                run=None if run is None else replace(EndedRun.from_json(run), instance=Instance.SYSTEM),
                entry=None if entry is None else _entry(entry["seq"], entry["raw"].encode(), data["body"]),
                body=data["body"],
                verdict=None if told is None else _verdict(told),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"no report: {error}") from error


def find(places: Places, run: str) -> Report:
    """Return the report of the run whose id starts with *run*, one of this user's own or of the system's.

    Raises:
        RunNotFoundError: There is no such run.
        BackupTrayError: The log cannot be read, or the system's instance does not answer.
    """
    try:
        return gather(places, run)
    except RunNotFoundError:
        told = elsewhere.report(run)
    try:
        return Report.from_json(told)
    except ValueError as error:
        raise SystemViewError(NEWER) from error


def verified(places: Places) -> "Verdict":
    """Return the verification of the whole log; it records nothing."""
    from tray.audit.verify import verify

    return verify(places.audit_db, places.audit_key)


def gather(places: Places, run: str, *, verify: "Callable[[], Verdict] | None" = None) -> Report:
    """Collect the report of the run whose id starts with *run*, one of this log.

    Args:
        verify: Verifies the log, for callers who have done so just now.

    Raises:
        RunNotFoundError: There is no such run.
        AuditUnavailableError: The log cannot be read.
    """
    waiting = _waiting(places, run)
    with past.reading(places) as log:
        entry = None if log is None else log.entry_of_run(run)
    if entry is None and waiting is None:
        raise RunNotFoundError(run)
    if waiting is not None and (entry is None or waiting.ended() is not None):
        return Report(waiting.ended(), None, waiting.body, None)
    assert entry is not None
    from tray.audit.entry import ENDS, ended_run

    ended = ended_run(entry.data, entry.body, entry.seq) if entry.data["action"] in ENDS else None
    return Report(ended, entry, entry.body, verified(places) if verify is None else verify())


def _entry(seq: int, raw: bytes, body: Mapping[str, Any] | None) -> "StoredEntry":
    from tray.audit.store import StoredEntry
    from tray.audit.tree import leaf_hash

    return StoredEntry(seq, raw, json.loads(raw), body, leaf_hash(raw))


def _verdict(told: Mapping[str, Any]) -> "Verdict":
    from tray.audit.verdict import Result, Verdict

    return Verdict(Result(told["result"]), told["entries"], clock.from_text(told["checked_at"]), str(told["why"]))


def _waiting(places: Places, run: str) -> "Draft | None":
    from tray.audit import spool

    mine = [draft for draft in spool.pending(places) if (draft.run or "").startswith(run)]
    return mine[-1] if mine else None


def text(report: Report) -> str:
    """Return the report for a person."""
    return "\n".join([*_what(report), "", *_details(report), "", *_proof(report)])


def _what(report: Report) -> Iterator[str]:
    run = report.run
    if run is None:
        yield "The run has no recorded end."
        return
    yield f"{wording.escape(run.job)}: {wording.outcome_word(run.outcome)}" + (" (inferred)" if run.inferred else "")
    if run.reason:
        yield f"  {wording.escape(run.reason)}"
    if run.advice:
        yield f"  {wording.escape(run.advice)}"
    yield ""
    yield from _table(
        ("Started", None if run.started_ms is None else both_times(run.started_ms)),
        ("Finished", both_times(run.finished_ms)),
        ("Duration", None if run.duration_ms is None else wording.duration(run.duration_ms / 1000)),
        ("Engine", f"{run.engine}, {run.kind}"),
        ("Repository", run.repository),
        ("Files", None if run.files is None else wording.count(run.files)),
        ("Size", None if run.bytes_processed is None else wording.size(run.bytes_processed)),
        ("Added", None if run.bytes_added is None else wording.size(run.bytes_added)),
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
        yield f"  > {wording.escape(_step(step))}"
    problems = body.get("problems") or ()
    for problem in problems[:SHOWN_PROBLEMS]:
        item = f"{problem.get('item')}: " if problem.get("item") else ""
        yield f"  ! {wording.escape(item + str(problem.get('message')))}"
    if len(problems) > SHOWN_PROBLEMS:
        yield f"  … {len(problems) - SHOWN_PROBLEMS} more in the entry, all of them in the log: `backup-tray log RUN`"


def _step(step: Step) -> str:
    """One engine that a script called: "restic backup to /repo: failed, 12 s, restic ended with exit code 1"."""
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
        ("When", both_times(clock.from_text(entry.data["time"]))),
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


def both_times(ms: int) -> str:
    """Return *ms* as local time and UTC."""
    local = clock.local(ms)
    return f"{local:%Y-%m-%d %H:%M:%S} {local.tzname()} · {clock.to_text(ms)}"


def _table(*rows: tuple[str, object]) -> Iterator[str]:
    for name, value in rows:
        if value is not None:
            yield f"  {name:<10}  {wording.escape(str(value))}"
