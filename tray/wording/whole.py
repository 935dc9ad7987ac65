"""What is said of everything together: the tooltip, the menu's first line, the one sentence that answers "am I safe?"."""

from collections.abc import Iterable

from tray.model import EndedRun, JobStatus, LiveRun, Outcome, State, Status
from tray.wording.audit import audit_line
from tray.wording.figures import ago, escape, fit, plural, width
from tray.wording.runs import (
    DRY_RUN,
    NAME_UNITS,
    activity,
    amount,
    did,
    ended_words,
    eta,
    figures,
    join,
    live,
    percent,
    phase_word,
    reason_words,
    speed,
    state_word,
)

TOOLTIP_UNITS = 127
"""What Windows shows of a tooltip, in UTF-16 units; longer ones are cut there, so ours never are."""

_FINE = (State.OK, State.RUNNING)


def tooltip(status: Status, now_ms: int) -> str:
    """Return the tooltip: one or two lines, at most 127 UTF-16 units in all."""
    first, second = lines(status, now_ms)
    first = fit(first, TOOLTIP_UNITS - 40 if second else TOOLTIP_UNITS)
    return first + "\n" + fit(second, TOOLTIP_UNITS - 1 - width(first)) if second else first


def menu_line(status: Status, now_ms: int) -> str:
    """Return the tooltip's text on one line, for desktops that show no tooltips."""
    return tooltip(status, now_ms).replace("\n", " · ")


def lines(status: Status, now_ms: int) -> tuple[str, str]:
    """Return what matters most and what comes next; the second may be empty.

    A live run stands beside a bad state, never instead of it. With an error nothing else is said: the rest is old.
    """
    if status.error is not None or status.state is State.UNAVAILABLE:
        return "Backup status unavailable", _why(status, now_ms)
    if status.runs and status.state in (*_FINE, State.NONE):
        return _running(status.runs)
    first, second = _settled(status, now_ms)
    return (first, _beside(status.runs)) if status.runs else (first, second)


def _why(status: Status, now_ms: int) -> str:
    error = status.error or {}
    why = escape((error.get("why") or error.get("what") or "the reason is unknown").strip()).rstrip(".")
    known = status.last is not None or status.jobs or status.runs
    return f"{why}; last known {ago(now_ms, status.as_of_ms)}" if known else why


def _running(runs: tuple[LiveRun, ...]) -> tuple[str, str]:
    if len(runs) == 1:
        return live(runs[0], NAME_UNITS)
    return f"{_how_many(runs)} running", _brief(runs[0])


def _how_many(runs: tuple[LiveRun, ...]) -> str:
    return plural(len(runs), "backup" if all(run.kind == "backup" for run in runs) else "run")


def _brief(run: LiveRun) -> str:
    facts = join(phase_word(run), percent(run) or amount(run), eta(run) or speed(run))
    name = fit(escape(run.job), NAME_UNITS)
    return f"{name}: {facts if run.tracked and facts else 'progress not known'}"


def _beside(runs: tuple[LiveRun, ...]) -> str:
    """A live run in few words, for the second line under a bad state."""
    if len(runs) > 1:
        return f"{_how_many(runs)} running now, {_brief(runs[0])}"
    facts = join(phase_word(runs[0]), percent(runs[0]) or amount(runs[0]), eta(runs[0]) or speed(runs[0]))
    return f"{activity(runs[0], NAME_UNITS)} now" + (f": {facts}" if facts and runs[0].tracked else "")


def _settled(status: Status, now_ms: int) -> tuple[str, str]:
    """The two lines when nothing runs."""
    if status.state is State.TAMPERED:
        return _tampered(status, now_ms), "the history of your backups cannot be trusted"
    worst = status.jobs[0] if status.jobs else None
    if status.state is State.WARNING and (worst is None or worst.state in (*_FINE, State.NONE)):
        note = "".join(_first(status.notes))
        told_of = not note or note.startswith("The audit log was begun anew")
        return "Older history is missing" if told_of else "Not everything is known", note or "which job is unknown"
    if status.state in (State.OK, State.RUNNING):
        ended = status.last
        return (_ended_or_seen(ended, now_ms), _summary(status)) if ended else ("Backups are fine", _summary(status))
    if worst is None:
        if status.state is State.NONE:
            return "No backups performed", "Backup Tray has seen none yet"
        return state_word(status.state), "which job is unknown"
    return _trouble(worst, status, now_ms)


def _tampered(status: Status, now_ms: int) -> str:
    if status.audit is None or not status.audit.breach:  # told by a system-wide instance that says no more
        return "The audit log was altered"
    return audit_line(status.audit, now_ms)


def _ended_or_seen(ended: EndedRun, now_ms: int) -> str:
    seen = "" if ended.outcome is Outcome.SUCCEEDED or ended.kind == DRY_RUN else ", acknowledged"
    return ended_words(ended, now_ms, NAME_UNITS) + seen


def _trouble(worst: JobStatus, status: Status, now_ms: int) -> tuple[str, str]:
    name = fit(escape(worst.job), NAME_UNITS)
    ended = worst.last
    others = [job for job in status.jobs[1:] if job.state not in (*_FINE, State.NONE)]
    more = f"{plural(len(others), 'more job')} not fine" if others else None
    if worst.state in (State.OVERDUE, State.STALLED):
        last = None if ended is None else f"its last run {did(ended, now_ms)}"
        if worst.state is State.STALLED and worst.concern:
            last = join(worst.concern[:1].lower() + worst.concern[1:].rstrip("."), last)
        return f"{name}: {state_word(worst.state).lower()}", join(last, more)
    if ended is None:
        return f"{name}: {state_word(worst.state).lower()}", more or ""
    if worst.state is State.NONE:
        return _ended_or_seen(ended, now_ms), "no recent success is known"
    if worst.concern and worst.state is State.WARNING:
        return f"{name}: {state_word(worst.state).lower()}", "; ".join(
            filter(None, (more, escape(worst.concern).rstrip(".")))
        )
    if ended.outcome is Outcome.SUCCEEDED:
        return f"{name}: last success {ago(now_ms, ended.finished_ms)}", join("no backup since then", more)
    reason = reason_words(ended) or ("the reason is unknown" if ended.outcome is Outcome.FAILED else None)
    return ended_words(ended, now_ms, NAME_UNITS), "; ".join(part for part in (more, reason) if part)


def _summary(status: Status) -> str:
    """The second line when all is fine: figures of the last run, how many jobs, and a note if there is one."""
    seen = sum(job.state is State.NONE for job in status.jobs)
    jobs = None
    if seen:
        jobs = f"{plural(len(status.jobs), 'job')}: {len(status.jobs) - seen} fine, {seen} acknowledged"
    elif len(status.jobs) > 1:
        jobs = f"all {len(status.jobs)} jobs fine"
    return join(*_first(status.notes), jobs, None if status.last is None else figures(status.last))


def _first(notes: Iterable[str]) -> list[str]:
    return [escape(note).rstrip(".") for note in notes][:1]


def _at_a_glance(runs: tuple[LiveRun, ...]) -> str:
    """What runs, how far it is and how long it takes; the other figures stand beside it and would make a big line flicker."""
    if len(runs) > 1:
        return ", ".join(_running(runs))
    run = runs[0]
    facts = join(phase_word(run), percent(run), eta(run)) if run.tracked else "progress unknown"
    return f"{activity(run)}: {facts}" if facts else activity(run)


def headline(status: Status, now_ms: int) -> str:
    """Return one sentence that answers "am I safe?" before anything else."""
    if status.error is not None or status.state is State.UNAVAILABLE:
        return f"Nobody can say now whether your backups are fine: {_why(status, now_ms)}."
    if status.runs and status.state in (*_FINE, State.NONE):
        return f"{_at_a_glance(status.runs)}."
    first, second = _settled(status, now_ms)
    running = f" {_how_many(status.runs)} running now." if status.runs else ""
    match status.state:
        case State.OK | State.RUNNING:
            return f"Your backups are fine ({first})."
        case State.NONE:
            return f"{first}: {second}."
        case State.TAMPERED:
            return f"The history of your backups cannot be trusted. {first}.{running}"
        case State.WARNING:
            return f"Your backups need a look ({first}).{running}"
        case _:
            return f"Your backups are not fine ({first}).{running}"
