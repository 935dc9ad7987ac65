"""Turn the status into the data of the pages, pure: raw numbers for bars and sorting, ready text for people.

The text comes from `tray.wording`, so that window, tray and terminal agree. Everything here is plain JSON; names are escaped,
and the page puts them in as text, never as HTML.
"""

import re
from collections.abc import Mapping, Sequence
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
from tray.report.facts import WORDS

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
_KIND_OF_RESULT = {"intact": "ok", "tampered": "tampered", "inconclusive": "unknown"}
_CLAIM = re.compile(r"^(?:intact|inconclusive|tampered)\b,? ?", re.IGNORECASE)
"""The word of the badge, which `wording.audit_words` begins with too."""

UNKNOWN = "unknown"
LATER = "not known yet"
PAUSES = "–"
"""Stands for a figure that a run told before, while it has none."""
NEVER = "never"


def dashboard(status: Status, now_ms: int) -> dict[str, Any]:
    """Return everything that the window shows of *status*."""
    failed, known = status.error is not None, bool(status.jobs or status.runs or status.last)
    forgotten, as_of = wording.ALL_FORGOTTEN in status.notes, status.as_of_ms
    return {
        "state": status.state.value,
        "kind": _KIND_OF_STATE[status.state],
        "word": wording.state_word(status.state),
        "headline": wording.headline(status, now_ms),
        "sub": "Not current. The colours come back when it can be read again." if failed else "",
        "error": None if status.error is None else _error(status, status.error, now_ms),
        "old": f"Status as of {absolute(as_of, now_ms)}, {wording.ago(now_ms, as_of)}" if failed else "",
        "blank": failed and not known,
        "empty": not failed and status.state is State.NONE and not known and not forgotten,
        "runs": [live(run) for run in status.runs],
        "attention": [] if failed else [job(item, now_ms, status.runs) for item in wording.bad(status)],
        "jobs": [job(item, now_ms, status.runs) for item in status.jobs],
        "last": None if status.last is None else ended(status.last, now_ms),
        "notes": [
            {"text": wording.escape(note), "page": "notifications" if wording.is_about_messages(note) else ""}
            for note in status.notes
        ],
        "repositories": [repository(state, now_ms) for state in status.repositories],
        "audit": standing(status.audit, now_ms, readable=not failed),
    }


def standing(audit: AuditStanding | None, now_ms: int, *, readable: bool = True) -> dict[str, Any]:
    """Return the standing of the audit log: badge, result and time of the last check, and a breach that is not acknowledged.

    While the status is not *readable* the badge claims nothing about now; only a breach goes on being one.
    """
    line = wording.audit_words(audit, now_ms)
    if audit is None:
        return {"kind": "none", "word": "Not verified", "text": "", "whose": "", "why": "", "facts": [], "breach": None}
    known = audit.result in _KIND_OF_RESULT
    kind = "tampered" if audit.breach else _KIND_OF_RESULT.get(audit.result, "unknown")
    word = "Tampered" if audit.breach else audit.result.capitalize() if known else "Not checked"
    if audit.result == "tampered" and not audit.breach:
        word = "Tampered, acknowledged"
    if not readable and not audit.breach:
        kind, word = "unknown", f"Not known now, before: {audit.result}"
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


def _error(status: Status, error: Mapping[str, str], now_ms: int) -> dict[str, str]:
    words = {key: wording.escape(error.get(key, "")) for key in ("code", "what", "why", "next")}
    known = bool(status.jobs or status.runs or status.last)
    words["old"] = f"The status below is from {absolute(status.as_of_ms, now_ms)}." if known else ""
    return words


def live(run: LiveRun) -> dict[str, Any]:
    """Return one live run: its bar and the figures under it. No figure is made up: an unknown one is called so."""
    tells = run.files_done is not None or run.bytes_done is not None
    return {
        "run": run.run,
        "job": wording.escape(run.job),
        "what": wording.escape(run.kind),
        "route": route(run.engine, run.repository),
        "activity": wording.activity(run),
        "phase": "" if run.phase is Phase.COPYING or not run.tracked else run.phase.value.capitalize(),
        "halt": _halt(run),
        "origin": origin(run),
        "can": [control.value for control in run.can],
        "ask": _ask(run) if Control.CANCEL in run.can else "",
        "steps": list(map(step, run.steps)),
        "percent": None if run.fraction is None else int(run.fraction * 100),
        "percent_text": wording.percent(run) or "",
        "tracked": run.tracked,
        "since": f"{clock.local(run.started_ms):%H:%M}",
        "bar": run.source is Source.WRAPPED,
        "facts": _figures(run, tells=tells),
        "tells": tells,
        "current": "" if run.current is None else wording.escape(run.current),
        "problems": wording.plural(run.errors, "problem") + " so far" if run.errors else "",
    }


def _figures(run: LiveRun, *, tells: bool) -> list[dict[str, str]]:
    """Return the figures under a bar. Of an observed run nothing tells how far it is, so only its begin and speed are given."""
    speed = {"label": "Speed", "value": wording.speed(run) or (PAUSES if tells else UNKNOWN), "of": ""}
    if run.source is Source.OBSERVED:
        since = {"label": "Since", "value": f"{clock.local(run.started_ms):%H:%M:%S}", "of": ""}
        return [since, {**speed, "value": wording.speed(run) or UNKNOWN}]
    copying = run.phase is not Phase.SCANNING
    return [
        _fact("Files", run.files_done, run.files_total if copying else None, wording.count),
        _fact("Size", run.bytes_done, run.bytes_total if copying else None, wording.size),
        speed,
        {"label": "Time left", "value": _left(run), "of": ""},
    ]


def _halt(run: LiveRun) -> dict[str, str] | None:
    """Return why a run stands still, as a tag with its text; None if it does not."""
    if run.phase is Phase.PAUSED:
        own = "It is paused, and goes on when it is resumed."
        other = "Its process is suspended. It goes on when that process is continued."
        return {"kind": "paused", "word": "Paused", "text": other if run.source is Source.OBSERVED else own}
    if not run.stalled:
        return None
    text = f"{wording.standstill(run).capitalize()}. It still runs; this clears by itself when it goes on."
    return {"kind": "stalled", "word": "Stalled", "text": text}


def origin(run: LiveRun | EndedRun) -> list[str]:
    """Return the origin of a run: system, another user, observed; nothing for a wrapped run of the user's own."""
    words = ["System"] if run.instance is Instance.SYSTEM else []
    if run.user is not None:
        words.append(f"by {wording.escape(run.user)}")
    return [*words, "Observed"] if run.source is Source.OBSERVED else words


def _ask(run: LiveRun) -> str:
    lost = "Files that it has not finished are not backed up, and the run" if run.kind == "backup" else "The run"
    return f"It is asked to stop and gets time to clean up; then it is ended. {lost} counts as cancelled."


def step(called: Step) -> dict[str, str]:
    """Return one engine that a script called, and how its part ended."""
    kind = "run" if called.outcome is None else _KIND_OF_OUTCOME[called.outcome]
    took = "" if called.finished_ms is None else wording.elapsed(max(called.finished_ms - called.started_ms, 0))
    return {
        "name": route(f"{called.engine} {called.kind}", called.repository),
        "kind": kind,
        "word": "Running" if called.outcome is None else WORDS[called.outcome],
        "took": took,
        "why": "" if called.reason is None or called.outcome is Outcome.SUCCEEDED else wording.escape(called.reason),
    }


def repository(state: RepositoryState, now_ms: int) -> dict[str, Any]:
    """Return the state of a repository, with the time of the look at it."""
    newest = state.last_snapshot_ms
    locked = "" if state.locked_by is None else f"Locked by {wording.escape(state.locked_by)}"
    if locked and state.locked_since_ms is not None:
        locked += f" since {absolute(state.locked_since_ms, now_ms)}"
    command = state.lock_command
    unlock = "" if command is None else f" If no backup needs it any more: `{wording.escape(command)}`."
    return {
        "route": route(state.engine, state.repository),
        "system": state.instance is Instance.SYSTEM,
        "snapshots": wording.known(state.snapshots, wording.count, UNKNOWN),
        "newest": UNKNOWN if newest is None else wording.ago(now_ms, newest),
        "newest_at": "" if newest is None else absolute(newest, now_ms),
        "size": wording.known(state.size, wording.size, UNKNOWN),
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


def job(item: JobStatus, now_ms: int, runs: Sequence[LiveRun] = ()) -> dict[str, Any]:
    """Return one job with its state and last run, and the one of the live *runs* that is its own."""
    running = next((run for run in runs if item.is_of(run)), None)
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
        "rhythm": "" if item.rhythm is None else wording.escape(item.rhythm),
        "next": wording.next_words(item, now_ms),
        "arithmetic": item.why or "",
        "system": not mine,
        "last": None if item.last is None else ended(item.last, now_ms),
        "about": None if item.about is None else ended(item.about, now_ms),
        "good": (NEVER if item.known else UNKNOWN) if good is None else wording.ago(now_ms, good.finished_ms),
        "good_at": "" if good is None else absolute(good.finished_ms, now_ms),
        "proven": wording.proven_words(item, now_ms) if item.kind == BACKUP else "",
        "proof": "" if item.proven is None else wording.proof_words(item.proven),
        "backup": item.kind == BACKUP,
        "live": None if running is None else running.run,
        "leads": _leads(item, running),
    }


def _leads(item: JobStatus, running: LiveRun | None) -> str | None:
    """Return the run to which the buttons beside a job lead: the live one if stalled, else the one that the state is about."""
    if item.state is State.STALLED and running is not None:
        return running.run
    return None if item.about is None else item.about.run


def ended(run: EndedRun, now_ms: int) -> dict[str, Any]:
    """Return one ended run: as the summary of the last one, as a row of the history, as the head of a report."""
    reason = None if run.reason is None else wording.escape(run.reason.strip())
    job = wording.escape(run.job)
    return {
        "run": run.run,
        "entry": run.entry,
        "job": job,
        "what": wording.escape(run.kind),
        "route": route(run.engine, run.repository),
        "outcome": run.outcome.value,
        "kind": _KIND_OF_OUTCOME[run.outcome],
        "word": WORDS[run.outcome],
        "title": f"{job}: {wording.outcome_word(run.outcome)}",
        "reason": "" if run.outcome is Outcome.SUCCEEDED or not reason else reason,
        "inferred": run.inferred,
        "origin": origin(run),
        "steps": list(map(step, run.steps)),
        "advice": "" if run.advice is None else wording.escape(run.advice),
        "ago": wording.ago(now_ms, run.finished_ms),
        "at": absolute(run.finished_ms, now_ms),
        "duration": wording.known(run.duration_ms, wording.elapsed, UNKNOWN),
        "size": wording.known(run.bytes_processed, wording.size, UNKNOWN),
        "added": wording.known(run.bytes_added, wording.size, UNKNOWN),
        "added_how": "before compression" if run.uncompressed else "",
        "grown": ""
        if run.bytes_added is None
        else f"{'' if run.uncompressed else '+'}{wording.added(run, short=True)}",
        "files": wording.known(run.files, wording.count, UNKNOWN),
        "errors": wording.problems(run) or UNKNOWN,
    }


def kind_of(outcome: str) -> str:
    """Return the shape of an outcome, also of one that a newer version wrote."""
    return _KIND_OF_OUTCOME[Outcome(outcome) if outcome in list(Outcome) else Outcome.UNKNOWN]


def absolute(ms: int, now_ms: int) -> str:
    """Return *ms* in local time as "today 12:05", "yesterday 23:10", or "2026-11-20 04:30"."""
    moment, now = clock.local(ms), clock.local(now_ms)
    days = (now.date() - moment.date()).days
    day = {0: "today", 1: "yesterday"}.get(days, f"{moment:%Y-%m-%d}")
    return f"{day} {moment:%H:%M}"
