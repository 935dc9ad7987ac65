"""What the pages show of the past, read from audit log, spool and run folders. Reading changes nothing; only `verify` records.

Every function opens what it needs and closes it again, so that they may be called from any thread.
"""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from tray import clock, past, wording
from tray import report as printed
from tray.errors import BackupTrayError, RunNotFoundError
from tray.fetch import elsewhere
from tray.model import EndedRun, Outcome
from tray.paths import Places
from tray.window import view

if TYPE_CHECKING:
    from tray.audit.store import StoredEntry
    from tray.audit.verify import Verdict

PAGE = 50
NEWEST = 25
_LOOK_BACK = 200
_RESULTS = {
    "intact": ("ok", "Intact"),
    "tampered": ("tampered", "Tampered"),
    "inconclusive": ("unknown", "Inconclusive"),
}


def history(places: Places, before: int | None) -> dict[str, Any]:
    """Return a page of ended runs, newest first, and where the next one begins (None at the end).

    Args:
        before: The `next` of the page before, None for the newest runs, which include those still waiting in the spool.
    """
    now = clock.now_ms()
    if before is None:
        found = past.history(places, limit=PAGE)
    else:
        with past.reading(places) as log:
            found = [] if log is None else log.history(limit=PAGE, before=before)
    more = len(found) >= PAGE and found[-1].entry is not None
    return {"rows": [view.ended(run, now) for run in found], "next": found[-1].entry if more else None}


def system_history(before: int | None) -> dict[str, Any]:
    """Return a page of the ended runs of the whole machine, in the form of `history`; empty where this user sees none.

    Raises:
        SystemViewError: The system-wide instance does not answer.
    """
    found, more = elsewhere.history(limit=PAGE, before=before)
    now = clock.now_ms()
    return {"rows": [view.ended(run, now) for run in found], "next": more}


def report(places: Places, run: str) -> dict[str, Any]:
    """Return what the audit log holds about *run* (the beginning of an id; empty for the last one), this user's or the system's.

    Raises:
        RunNotFoundError: Neither log nor spool knows it.
        BackupTrayError: The log cannot be read.
    """
    run = run or past.resolve_anywhere(places, "last")
    try:
        return _own_report(places, run)
    except RunNotFoundError:
        return _system_report(printed.Report.from_json(elsewhere.report(run)))


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
        "check": None if verdict is None else _checked(verdict, entry.seq),
    }


def _own_report(places: Places, run: str) -> dict[str, Any]:
    now = clock.now_ms()
    with past.reading(places) as log:
        entry = None if log is None else log.entry_of_run(run)
        head = None if log is None or entry is None else log.head()
    if entry is None or head is None:
        return _not_yet(_waiting(places, run), now)
    ended = _ended(entry)
    place = [["Log root", spaced(head[1])], ["Entries in the log", wording.count(head[0])]]
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

    found = [
        ended for draft in spool.pending(places) if (ended := draft.ended()) is not None and ended.run.startswith(run)
    ]
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
    yield ["When", view.both_times(clock.from_text(data["time"]))]
    if clock.from_text(data["recorded"]) - clock.from_text(data["time"]) > 60_000:
        yield ["Recorded", view.both_times(clock.from_text(data["recorded"]))]
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
    yield ["Entry hash", spaced(entry.leaf)]


def _problems(body: Mapping[str, Any] | None) -> Iterator[list[str]]:
    for problem in (body or {}).get("problems") or ():
        if isinstance(problem, Mapping):
            yield [wording.escape(str(problem.get("item") or "–")), wording.escape(str(problem.get("message") or ""))]


def _texts(body: Mapping[str, Any] | None, key: str) -> Sequence[str]:
    found = (body or {}).get(key)
    return [str(item) for item in found] if isinstance(found, list) else []


def spaced(digest: bytes) -> str:
    """Return *digest* in hex, in groups that an eye can follow."""
    return digest.hex(" ", -4)


def summary(places: Places) -> dict[str, Any] | None:
    """Return the line about the audit log: how many entries, and what the last check on record said; None if it cannot be read."""
    try:
        with past.reading(places) as log:
            if log is None:
                return None
            size = log.head()[0]
            recent = log.entries(-_LOOK_BACK, _LOOK_BACK)
    except BackupTrayError:
        return None
    last = next((entry for entry in reversed(recent) if entry.data["action"] == "audit.verified"), None)
    entries = wording.plural(size, "entry").replace("entrys", "entries")
    if last is None:
        return {"kind": "none", "word": "Audit log", "text": f"{entries}, not checked lately"}
    kind, word = _RESULTS.get(last.data["result"], ("unknown", wording.escape(last.data["result"])))
    age = wording.ago(clock.now_ms(), clock.from_text(last.data["time"]))
    return {"kind": kind, "word": f"Audit log {word.lower()}", "text": f"checked {age}, {entries} now"}


def audit(places: Places) -> dict[str, Any]:
    """Return the audit page: size, root, the last check on record and the newest entries.

    Raises:
        BackupTrayError: The log cannot be read.
    """
    with past.reading(places) as log:
        if log is None:
            return {"size": 0}
        size, root, _ = log.head()
        newest = log.entries(-NEWEST, NEWEST)
    last = summary(places) or {"kind": "none", "word": "Not checked", "text": ""}
    return {
        "size": size,
        "text": wording.plural(size, "entry").replace("entrys", "entries"),
        "last": last,
        "facts": [["File", str(places.audit_db)], ["Origin", str(newest[-1].data["log"])], ["Log root", spaced(root)]],
        "entries": [_entry_row(entry) for entry in reversed(newest)],
    }


def _entry_row(entry: "StoredEntry") -> dict[str, Any]:
    data, moment = entry.data, clock.from_text(entry.data["time"])
    return {
        "seq": entry.seq,
        "number": wording.count(entry.seq),
        "at": view.absolute(moment, clock.now_ms()),
        "utc": view.both_times(moment),
        "action": data["action"],
        "result": wording.escape(data["result"]),
        "severity": data["severity"],
        "job": wording.escape(data["job"] or ""),
        "actor": wording.escape(data["actor"]),
    }


def check(places: Places, entry: int) -> dict[str, Any]:
    """Return whether the log, and with it *entry*, is what was written; looks only, records nothing."""
    return _checked(_verify(places), entry)


def _checked(verdict: "Verdict", entry: int) -> dict[str, Any]:
    shown = _shown(verdict)
    if shown["kind"] == "ok":
        shown |= {
            "word": "Verified",
            "text": f"Unchanged since it was written, part of the log of {_entries(verdict)}.",
        }
    elif verdict.first_bad is not None and verdict.first_bad > entry:
        shown["text"] += f" This entry stands before the break at entry {wording.count(verdict.first_bad)}."
    return shown


def verify(places: Places) -> dict[str, Any]:
    """Verify the whole log, record that it was done, and return the result."""
    from tray.audit import spool
    from tray.audit.entry import Action, Draft, Severity

    verdict = _verify(places)
    severity = {"intact": Severity.INFO, "tampered": Severity.CRITICAL}.get(str(verdict.result), Severity.WARNING)
    body = {"entries": verdict.entries, "why": verdict.why, "first_bad": verdict.first_bad, "kind": verdict.kind}
    draft = Draft(action=Action.AUDIT_VERIFIED, result=str(verdict.result), severity=severity, body=body)
    with suppress(BackupTrayError, OSError):
        spool.record(places, [draft], timeout=past.RECORD_SECONDS)
    return _shown(verdict)


def _verify(places: Places) -> "Verdict":
    from tray.audit.verify import verify as verify_log

    return verify_log(places.audit_db, places.audit_key)


def _shown(verdict: "Verdict") -> dict[str, Any]:
    kind, word = _RESULTS.get(str(verdict.result), ("unknown", wording.escape(str(verdict.result))))
    text = f"{_entries(verdict)} read."
    if verdict.first_bad is not None:
        text += f" The first that is not as it was written is entry {wording.count(verdict.first_bad)}"
        text += f" ({wording.escape(str(verdict.kind))})." if verdict.kind else "."
    if verdict.why:
        text += f" {wording.escape(verdict.why)}"
    return {"kind": kind, "word": word, "text": text}


def _entries(verdict: "Verdict") -> str:
    return wording.plural(verdict.entries, "entry").replace("entrys", "entries")
