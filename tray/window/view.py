"""What the page shows, as one pure function from the status: raw numbers for bars and sorting, ready text for people.

The text comes from `tray.wording`, so that window, tray and terminal agree. Everything here is plain JSON; names are escaped,
and the page puts them in as text, never as HTML.
"""

import re
from collections.abc import Mapping
from typing import Any

from tray import wording
from tray.core import clock
from tray.core.model import (
    BACKUP,
    AuditStanding,
    Control,
    EndedRun,
    Instance,
    JobStatus,
    LiveRun,
    Outcome,
    Phase,
    RepositoryState,
    Source,
    State,
    Status,
    Step,
)

_KIND_OF_STATE = {
    State.OK: "ok",
    State.RUNNING: "run",
    State.WARNING: "warn",
    State.STALLED: "stalled",
    State.OVERDUE: "overdue",
    State.FAILED: "fail",
    State.TAMPERED: "tampered",
    State.NONE: "none",
    State.UNAVAILABLE: "unknown",
}
_KIND_OF_OUTCOME = {
    Outcome.SUCCEEDED: "ok",
    Outcome.WARNING: "warn",
    Outcome.CANCELLED: "none",
    Outcome.UNKNOWN: "warn",
    Outcome.FAILED: "fail",
    Outcome.LOST: "fail",
}
_SHORT_OUTCOME = {
    Outcome.SUCCEEDED: "Succeeded",
    Outcome.WARNING: "Warnings",
    Outcome.CANCELLED: "Cancelled",
    Outcome.UNKNOWN: "Unknown",
    Outcome.FAILED: "Failed",
    Outcome.LOST: "Lost",
}
_KIND_OF_RESULT = {"intact": "ok", "tampered": "tampered", "inconclusive": "unknown"}
_CLAIM = re.compile(r"^(?:intact|inconclusive|tampered)\b,? ?", re.IGNORECASE)
"""What the badge says already, before the words of `wording.audit_words`."""

UNKNOWN = "unknown"
LATER = "not known yet"
PAUSES = "–"
"""In place of a figure of a run that told some, while there is nothing to tell."""
NEVER = "never"


def dashboard(status: Status, now_ms: int) -> dict[str, Any]:
    """Return everything that the window shows of *status*."""
    failed = status.error is not None
    return {
        "state": status.state.value,
        "kind": _KIND_OF_STATE[status.state],
        "word": wording.state_word(status.state),
        "headline": wording.headline(status, now_ms),
        "sub": "Not current. The colours come back when it can be read again." if failed else "",
        "error": None if status.error is None else _error(status, status.error, now_ms),
        "old": _old(status, now_ms) if failed else "",
        "blank": failed and not (status.jobs or status.runs or status.last),
        "empty": not failed
        and status.state is State.NONE
        and not status.jobs
        and not status.runs
        and status.last is None
        and wording.ALL_FORGOTTEN not in status.notes,
        "runs": [live(run) for run in status.runs],
        "attention": []
        if failed
        else [job(item, now_ms, running=_of(item, status.runs)) for item in wording.bad(status)],
        "jobs": [job(item, now_ms, running=_of(item, status.runs)) for item in status.jobs],
        "last": None if status.last is None else ended(status.last, now_ms),
        "notes": [wording.escape(note) for note in status.notes],
        "repositories": [repository(one, now_ms) for one in status.repositories],
        "audit": standing(status.audit, now_ms) | ({} if not failed else _standing_before(status.audit)),
    }


def standing(audit: AuditStanding | None, now_ms: int) -> dict[str, Any]:
    """Return what is known of the audit log: badge, what was found and when, and the breach while nobody acknowledged it."""
    line = wording.audit_words(audit, now_ms)
    if audit is None:
        return {"kind": "none", "word": "Not verified", "text": "", "whose": "", "why": "", "facts": [], "breach": None}
    known = audit.result in _KIND_OF_RESULT
    kind = "tampered" if audit.breach else _KIND_OF_RESULT.get(audit.result, "unknown")
    word = "Tampered" if audit.breach else audit.result.capitalize() if known else "Not checked"
    if audit.result == "tampered" and not audit.breach:
        word = "Tampered, acknowledged"
    whose = "the system" if audit.instance is Instance.SYSTEM else ""
    return {
        "kind": kind,
        "word": word,
        "text": _CLAIM.sub("", line),
        "whose": whose,
        "why": wording.escape(audit.why),
        "facts": _standing_facts(audit, now_ms),
        "breach": _breach(audit, line, now_ms) if audit.breach else None,
    }


def _standing_before(audit: AuditStanding | None) -> dict[str, Any]:
    """Return what is other about the badge while the status cannot be read: only a breach goes on being one."""
    if audit is None or audit.breach:
        return {}
    return {"kind": "unknown", "word": f"Not known now, before: {audit.result}"}


def _standing_facts(audit: AuditStanding, now_ms: int) -> list[list[str]]:
    part = "" if audit.full else "; only what was new since an earlier check"
    checked = ["Checked", f"{absolute(audit.checked_ms, now_ms)}, {wording.ago(now_ms, audit.checked_ms)}{part}"]
    if audit.result == "tampered":  # it ended there: how much was read before says nothing
        return [checked]
    return [
        checked,
        ["Entries", wording.count(audit.entries)],
        ["Baselines", f"{wording.count(audit.baselines)} agree" if audit.baselines else "none"],
    ]


def _breach(audit: AuditStanding, line: str, now_ms: int) -> dict[str, Any]:
    mine = audit.instance is not Instance.SYSTEM
    name = "Audit log" if mine else "Audit log of the system"
    since = "" if audit.since_ms is None else f"Found {absolute(audit.since_ms, now_ms)}. "
    return {
        "what": f"{name}: {line}",
        "why": f"{since}{wording.escape(audit.why)}",
        "next": "Keep a copy of the log as it is, find out who changed it, then acknowledge it with the reason."
        if mine
        else "An administrator can look and acknowledge it: `sudo backup-tray audit acknowledge --reason TEXT`.",
        "seq": audit.first_bad if mine else None,
        "mine": mine,
    }


def _of(item: JobStatus, runs: tuple[LiveRun, ...]) -> LiveRun | None:
    return next((run for run in runs if item.is_of(run)), None)


def _old(status: Status, now_ms: int) -> str:
    return f"Status as of {absolute(status.as_of_ms, now_ms)}, {wording.ago(now_ms, status.as_of_ms)}"


def _error(status: Status, error: Mapping[str, str], now_ms: int) -> dict[str, str]:
    words = {key: wording.escape(error.get(key, "")) for key in ("code", "what", "why", "next")}
    known = bool(status.jobs or status.runs or status.last)
    words["old"] = f"What you see below is from {absolute(status.as_of_ms, now_ms)}." if known else ""
    return words


def live(run: LiveRun) -> dict[str, Any]:
    """Return one live run: its bar and the figures under it. No figure is made up: what is unknown is said to be."""
    copying = run.phase is not Phase.SCANNING
    tells = run.files_done is not None or run.bytes_done is not None
    return {
        "run": run.run,
        "job": wording.escape(run.job),
        "route": route(run.engine, run.repository),
        "activity": wording.activity(run),
        "line": wording.run_line(run),
        "phase": "" if run.phase is Phase.COPYING or not run.tracked else run.phase.value.capitalize(),
        "halt": _halt(run),
        "origin": origin(run),
        "can": [control.value for control in run.can],
        "ask": _ask(run) if Control.CANCEL in run.can else "",
        "steps": [step(one) for one in run.steps],
        "percent": None if run.fraction is None else int(run.fraction * 100),
        "percent_text": wording.percent(run) or "",
        "tracked": run.tracked,
        "since": f"{clock.local(run.started_ms):%H:%M}",
        "bar": run.source is Source.WRAPPED,
        "facts": _seen(run)
        if run.source is Source.OBSERVED
        else [
            _fact("Files", run.files_done, run.files_total if copying else None, wording.count),
            _fact("Size", run.bytes_done, run.bytes_total if copying else None, wording.size),
            {"label": "Speed", "value": wording.speed(run) or (PAUSES if tells else UNKNOWN), "of": ""},
            {"label": "Time left", "value": _left(run), "of": ""},
        ],
        "tells": tells,
        "current": "" if run.current is None else wording.escape(run.current),
        "problems": wording.plural(run.errors, "problem") + " so far" if run.errors else "",
    }


def _seen(run: LiveRun) -> list[dict[str, str]]:
    """The figures of a run that somebody else started: nobody tells how far it is, so nothing is said of that."""
    return [
        {"label": "Since", "value": f"{clock.local(run.started_ms):%H:%M:%S}", "of": ""},
        {"label": "Speed", "value": wording.speed(run) or UNKNOWN, "of": ""},
    ]


def _halt(run: LiveRun) -> dict[str, str] | None:
    """Why it does not move, as a tag with its text; None if it does, or should."""
    if run.phase is Phase.PAUSED:
        return {"kind": "paused", "word": "Paused", "text": _paused(run)}
    if not run.stalled:
        return None
    since = wording.standstill(run).capitalize()
    return {
        "kind": "stalled",
        "word": "Stalled",
        "text": f"{since}. It still runs; this clears by itself when it goes on.",
    }


def _paused(run: LiveRun) -> str:
    """Say who can let it go on: a run that we only watch was suspended by somebody else."""
    if run.source is Source.OBSERVED:
        return "Its process is suspended. It goes on when that process is continued."
    return "It is paused, and goes on when it is resumed."


def origin(run: LiveRun | EndedRun) -> list[str]:
    """Return what is special about where a run comes from, in a word or two each; nothing about a wrapped one of one's own."""
    words = ["System"] if run.instance is Instance.SYSTEM else []
    if run.user is not None:
        words.append(f"by {wording.escape(run.user)}")
    return [*words, "Observed"] if run.source is Source.OBSERVED else words


def _ask(run: LiveRun) -> str:
    lost = "What it has not finished is not backed up, and the run" if run.kind == "backup" else "The run"
    return f"It is asked to stop and gets time to clean up; then it is ended. {lost} counts as cancelled."


def step(one: Step) -> dict[str, str]:
    """Return one engine that a script called, with what is known of it."""
    kind = "run" if one.outcome is None else _KIND_OF_OUTCOME[one.outcome]
    took = "" if one.finished_ms is None else wording.duration(max(one.finished_ms - one.started_ms, 0) / 1000)
    return {
        "name": route(f"{one.engine} {one.kind}", one.repository),
        "kind": kind,
        "word": "Running" if one.outcome is None else _SHORT_OUTCOME[one.outcome],
        "took": took,
        "why": "" if one.reason is None or one.outcome is Outcome.SUCCEEDED else wording.escape(one.reason),
    }


def repository(state: RepositoryState, now_ms: int) -> dict[str, Any]:
    """Return what a repository says of itself, with the time of that look."""
    newest = state.last_snapshot_ms
    locked = "" if state.locked_by is None else f"Locked by {wording.escape(state.locked_by)}"
    if locked and state.locked_since_ms is not None:
        locked += f" since {absolute(state.locked_since_ms, now_ms)}"
    unlock = (
        "" if state.lock_command is None else f" If nobody needs it any more: `{wording.escape(state.lock_command)}`."
    )
    return {
        "route": route(state.engine, state.repository),
        "system": state.instance is Instance.SYSTEM,
        "snapshots": UNKNOWN if state.snapshots is None else wording.count(state.snapshots),
        "newest": UNKNOWN if newest is None else wording.ago(now_ms, newest),
        "newest_at": "" if newest is None else absolute(newest, now_ms),
        "size": UNKNOWN if state.size is None else wording.size(state.size),
        "locked": f"{locked}.{unlock}" if locked else "",
        "as_of": f"Looked at {wording.ago(now_ms, state.as_of_ms)}, {absolute(state.as_of_ms, now_ms)}",
        "error": None if state.error is None else {key: wording.escape(text) for key, text in state.error.items()},
    }


def _fact(label: str, done: int | None, total: int | None, say: Any) -> dict[str, str]:
    if done is None:
        return {"label": label, "value": UNKNOWN, "of": ""}
    return {"label": label, "value": say(done), "of": f"of {say(total)}" if total else "so far"}


def _left(run: LiveRun) -> str:
    if run.phase is Phase.FINISHING:
        return "almost done"
    if run.stalled:
        return PAUSES
    if run.eta_seconds is None or run.phase is not Phase.COPYING:
        return LATER if run.tracked and run.source is Source.WRAPPED else UNKNOWN
    return wording.time_left(run.eta_seconds, estimate=run.eta_is_estimate).removesuffix(" left")


def route(engine: str, repository: str | None) -> str:
    """Return "restic → /media/backup", or the engine alone where the repository is unknown."""
    return wording.escape(engine) if repository is None else f"{wording.escape(engine)} → {wording.escape(repository)}"


def job(item: JobStatus, now_ms: int, *, running: LiveRun | None = None) -> dict[str, Any]:
    """Return one job with its state and last run."""
    word = wording.job_word(item)
    kind = "none" if wording.acknowledged(item) else _KIND_OF_STATE[item.state]
    if item.state is State.RUNNING and running is not None:
        if running.phase is Phase.PAUSED:
            word, kind = "Paused", "paused"
        word = " ".join(filter(None, (word, wording.percent(running))))
    good, mine = item.last_good, item.instance is not Instance.SYSTEM
    return {
        "job": wording.escape(item.job),
        "forget": item.last.run if mine and running is None and item.last is not None else "",
        "state": item.state.value,
        "kind": kind,
        "word": word,
        "why": wording.why(item, now_ms),
        "system": not mine,
        "last": None if item.last is None else ended(item.last, now_ms),
        "about": None if item.about is None else ended(item.about, now_ms),
        "good": (NEVER if item.known else UNKNOWN) if good is None else wording.ago(now_ms, good.finished_ms),
        "good_at": "" if good is None else absolute(good.finished_ms, now_ms),
        "backup": item.kind == BACKUP,
        "live": None if running is None else running.run,
        "leads": _leads(item, running),
    }


def _leads(item: JobStatus, running: LiveRun | None) -> str | None:
    """The run to which the buttons beside a job lead: a stalled one to itself, else the one that the state is about."""
    if item.state is State.STALLED and running is not None:
        return running.run
    return None if item.about is None else item.about.run


def ended(run: EndedRun, now_ms: int) -> dict[str, Any]:
    """Return one ended run: as the summary of the last one, as a row of the history, as the head of a report."""
    reason = None if run.reason is None else wording.escape(run.reason.strip())
    job, line = wording.escape(run.job), wording.last_line(run, now_ms)
    return {
        "run": run.run,
        "entry": run.entry,
        "job": job,
        "what": wording.escape(run.kind),
        "route": route(run.engine, run.repository),
        "outcome": run.outcome.value,
        "kind": _KIND_OF_OUTCOME[run.outcome],
        "word": _SHORT_OUTCOME[run.outcome],
        "title": f"{job}: {wording.outcome_word(run.outcome)}",
        "line": line,
        "did": line.removeprefix(f"{job}: "),
        "reason": "" if run.outcome is Outcome.SUCCEEDED or not reason else reason,
        "inferred": run.inferred,
        "ms": run.finished_ms,
        "origin": origin(run),
        "steps": [step(one) for one in run.steps],
        "advice": "" if run.advice is None else wording.escape(run.advice),
        "ago": wording.ago(now_ms, run.finished_ms),
        "at": absolute(run.finished_ms, now_ms),
        "duration": UNKNOWN if run.duration_ms is None else wording.duration(run.duration_ms / 1000),
        "size": UNKNOWN if run.bytes_processed is None else wording.size(run.bytes_processed),
        "added": UNKNOWN if run.bytes_added is None else wording.size(run.bytes_added),
        "added_how": "before compression" if run.uncompressed else "",
        "grown": ""
        if run.bytes_added is None
        else f"{'' if run.uncompressed else '+'}{wording.added(run, short=True)}",
        "files": UNKNOWN if run.files is None else wording.count(run.files),
        "errors": wording.problems(run) or UNKNOWN,
    }


def kind_of(outcome: str) -> str:
    """Return the shape of an outcome, also of one that a newer version wrote."""
    try:
        return _KIND_OF_OUTCOME[Outcome(outcome)]
    except ValueError:
        return _KIND_OF_OUTCOME[Outcome.UNKNOWN]


def absolute(ms: int, now_ms: int) -> str:
    """Return *ms* in local time as "today 12:05", "yesterday 23:10", or "2026-11-20 04:30"."""
    moment, now = clock.local(ms), clock.local(now_ms)
    days = (now.date() - moment.date()).days
    day = {0: "today", 1: "yesterday"}.get(days, f"{moment:%Y-%m-%d}")
    return f"{day} {moment:%H:%M}"


def looked(to_ms: int | None, now_ms: int) -> str:
    """Say how far a search got that was ended before it had seen all; nothing if it saw all."""
    if to_ms is None:
        return ""
    return f"There was no time to look at everything: only back to {absolute(to_ms, now_ms)}. Older goes on from there."
