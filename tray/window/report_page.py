"""The page Report: one run as audit log, spool or the system-wide instance know it. Reading changes nothing.

Every function opens what it needs and closes it again, so that they may be called from any thread.
"""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tray import report as printed
from tray import wording
from tray.core import clock
from tray.core.errors import RunNotFoundError
from tray.core.model import EndedRun, Outcome
from tray.core.paths import Places
from tray.status import past_runs, run_ids, system_history
from tray.window import audit_page, verification, view

if TYPE_CHECKING:
    from tray.audit.rows import StoredEntry


def report(places: Places, run: str) -> dict[str, Any]:
    """Return what the audit log holds about *run* (see `run_ids.resolve`; empty for the last one), this user's or the system's.

    Raises:
        RunNotFoundError: Neither log nor spool knows it.
        BackupTrayError: The log cannot be read.
    """
    run = run_ids.resolve(places, run)
    try:
        return _own_report(places, run)
    except RunNotFoundError:
        return _system_report(printed.Report.from_json(system_history.report(run)))


def _system_report(found: printed.Report) -> dict[str, Any]:
    """The report of a run of the system's, with the verification that its own service made."""
    now = clock.now_ms()
    entry, ended, verdict = found.entry, found.run, found.verdict
    if entry is None:
        if ended is None:
            raise RunNotFoundError("")
        return _not_yet(ended, now)
    return {
        "run": _going_on(entry) if ended is None else view.ended(ended, now),
        "when": "" if ended is None else _when(ended, now),
        "entry": entry.seq,
        "number": wording.count(entry.seq),
        "paths": _paths(entry),
        "problems": list(_problems(entry.body)),
        "facts": [*_facts(entry), ["Log", "the system's"]],
        "check": None if verdict is None else verification.checked(verdict, entry.seq),
    }


def _own_report(places: Places, run: str) -> dict[str, Any]:
    now = clock.now_ms()
    with past_runs.reading(places) as log:
        entry = None if log is None else log.entry_of_run(run)
        head = None if log is None or entry is None else log.head()
    if entry is None or head is None:
        return _not_yet(_waiting(places, run), now)
    ended = _ended(entry)
    place = [["Log root", audit_page.spaced(head[1])], ["Entries in the log", wording.count(head[0])]]
    return {
        "run": _going_on(entry) if ended is None else view.ended(ended, now),
        "when": "" if ended is None else _when(ended, now),
        "entry": entry.seq,
        "number": wording.count(entry.seq),
        "paths": _paths(entry),
        "problems": list(_problems(entry.body)),
        "facts": [*_facts(entry), *place],
    }


def _paths(entry: "StoredEntry") -> list[str]:
    """What was backed up; of a command that we know nothing about nobody can say it."""
    if entry.data["engine"] == "command":
        return []
    return [wording.escape(path) for path in _texts(entry.body, "sources")]


def _ended(entry: "StoredEntry") -> EndedRun | None:
    from tray.audit.entry import ENDS, ended_run

    return ended_run(entry.data, entry.body, entry.seq) if entry.data["action"] in ENDS else None


def _going_on(entry: "StoredEntry") -> dict[str, Any]:
    """A run whose start alone is on record."""
    data = entry.data
    began = clock.from_text(data["time"])
    ended = EndedRun(data["run"], data["job"] or "", data["engine"] or "", Outcome.UNKNOWN, None, began)
    shown = view.ended(ended, clock.now_ms())
    return shown | {
        "kind": "run",
        "word": "No end yet",
        "title": f"{shown['job']}: no end on record yet",
        "errors": view.UNKNOWN,
    }


def _when(ended: EndedRun, now_ms: int) -> str:
    begin = "" if ended.started_ms is None else f"{view.absolute(ended.started_ms, now_ms)} to "
    end = view.absolute(ended.finished_ms, now_ms)
    if begin and begin.split()[0] == end.split()[0]:
        end = end.split()[1]
    took = "" if ended.duration_ms is None else f", took {wording.duration(ended.duration_ms / 1000)}"
    return f"{begin}{end}{took}"


def _waiting(places: Places, run: str) -> EndedRun:
    from tray.audit import spool

    found = [ended for draft in spool.pending(places) if (ended := draft.ended()) is not None and ended.run == run]
    if not found:
        raise RunNotFoundError(run)
    return found[-1]


def _not_yet(ended: EndedRun, now_ms: int) -> dict[str, Any]:
    return {
        "run": view.ended(ended, now_ms),
        "when": _when(ended, now_ms),
        "entry": None,
        "number": "",
        "paths": [],
        "problems": [],
        "facts": [],
        "pending": "The record of this run waits to be written to the audit log, which could not be written just then. It is kept.",
    }


def _facts(entry: "StoredEntry") -> Iterator[list[str]]:
    data, body = entry.data, entry.body or {}
    yield ["When", wording.both_times(clock.from_text(data["time"]))]
    if clock.from_text(data["recorded"]) - clock.from_text(data["time"]) > 60_000:
        yield ["Recorded", wording.both_times(clock.from_text(data["recorded"]))]
    yield ["Who", wording.escape(data["actor"])]
    code = "" if body.get("exit_code") is None else f", exit code {body['exit_code']}"
    code = f", ended by signal {body['signal']}" if body.get("signal") else code
    yield ["What", f"{data['action']}, {wording.escape(data['result'])}{wording.escape(code)}"]
    if entry.erased:
        yield ["Details", "erased; the entry itself is untouched"]
    if command := _texts(body, "command"):
        yield ["Command", wording.escape(shlex.join(command))]
    if evidence := printed.evidence(body.get("evidence")):
        yield ["Evidence", wording.escape(evidence)]
    if overlaps := body.get("overlaps"):
        yield ["Began during", f"run {wording.escape(str(overlaps))} of the same job"]
    if snapshot := body.get("snapshot"):
        yield ["Snapshot ID", wording.escape(str(snapshot))]
    yield ["Run ID", wording.escape(data["run"] or "")]
    yield ["Entry hash", audit_page.spaced(entry.leaf)]


def _problems(body: Mapping[str, Any] | None) -> Iterator[list[str]]:
    for problem in (body or {}).get("problems") or ():
        if isinstance(problem, Mapping):
            yield [wording.escape(str(problem.get("item") or "–")), wording.escape(str(problem.get("message") or ""))]


def _texts(body: Mapping[str, Any] | None, key: str) -> Sequence[str]:
    found = (body or {}).get(key)
    return [str(item) for item in found] if isinstance(found, list) else []
