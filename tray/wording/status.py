"""Say how everything together is: tooltip, first lines of the menu, the sentence that answers "am I safe?", the audit log."""

import re
from collections.abc import Iterable

from tray.core.dataclass import replace
from tray.core.model import BACKUP, CHECK, AuditStanding, Instance, JobStatus, LiveRun, State, Status
from tray.wording import jobs as of_jobs
from tray.wording.expectations import is_disabled
from tray.wording.numbers import ago, count, escape, fit, plural, width
from tray.wording.runs import (
    NAME_UNITS,
    activity,
    amount,
    eta,
    figures,
    join,
    live,
    percent,
    phase_word,
    speed,
    state_word,
)

TOOLTIP_UNITS = 127
"""The longest tooltip that Windows shows whole, in UTF-16 units."""

MENU_UNITS = 45
"""The longest line of a menu, in UTF-16 units: a wider menu covers the screen."""

NOTHING = "No backups performed"

ALL_FORGOTTEN = "All jobs were forgotten; each is shown again after its next run"
"""The note of a status without jobs that had some."""

UNFOLLOWED = "config.toml is not followed"
UNSENT = "Messages by "
"""The beginning of a note about a channel that cannot send; its name follows."""
"""The beginning of the note about a broken configuration; tooltip and menu say only this."""

_FINE = (State.OK, State.RUNNING)


def tooltip(status: Status, now_ms: int) -> str:
    """Return the tooltip: one to three lines, at most 127 UTF-16 units in all."""
    first, second = lines(status, now_ms)
    more = "".join(f"\n{short}" for short in _unfollowed(status))
    units = TOOLTIP_UNITS - width(more)
    first = fit(first, units - 40 if second else units)
    return first + (f"\n{fit(second, units - 1 - width(first))}" if second else "") + more


def menu_lines(status: Status, now_ms: int) -> tuple[str, str, str]:
    """Return the top of the menu: how all jobs are, the worst or oldest one, and the rest. The last two may be empty."""
    first, second = _settled(status, now_ms) if _is_settled(status) else lines(status, now_ms)
    worst = _worst(status)
    if worst is not None:
        name = escape(worst.job)
        phrase = of_jobs.phrase(worst, now_ms, brief=True)
        if width(name) + 2 + width(phrase) > MENU_UNITS:
            phrase = of_jobs.abbreviated(phrase)
        second = f"{fit(name, max(MENU_UNITS - 2 - width(phrase), 8))}: {phrase}"
    beside = _beside(status.own_runs) if status.own_runs and _is_settled(status) else ""
    beside = "; ".join(filter(None, (*_unfollowed(status), beside)))
    return _fit_parts(first, MENU_UNITS), fit(second, MENU_UNITS), fit(beside, MENU_UNITS)


def _fit_parts(text: str, units: int) -> str:
    """Return *text* without the parts between commas that have no room, so that no number is cut from its noun."""
    if width(text) <= units:
        return text
    kept = text
    while ", " in kept and width(kept) > units - 3:
        kept = kept.rpartition(", ")[0]
    return fit(kept if kept == text else f"{kept}, …", units)


def menu_audit_line(line: str) -> str:
    """Return a line about the audit log as it fits into the menu: the result and its time, without the figures."""
    result, *more = line.partition(";")[0].split(", ")
    short = ", ".join([result, *more[:1]])
    if more[:1] == ["acknowledged"]:  # the kind of a breach may go, then its place, never that
        plain = re.sub(r" \([^()]*\)", "", short)
        brief = [plain, re.sub(r" at entry [0-9]+(,[0-9]{3})*", "", plain)]
    else:
        brief = [result]
    return next((text for text in (line, short, *brief) if width(text) <= MENU_UNITS), fit(brief[-1], MENU_UNITS))


def lines(status: Status, now_ms: int) -> tuple[str, str]:
    """Return the most important line and the next one, which may be empty.

    A live run stands beside a bad state, never instead of it. An error is shown alone: the rest is old.
    """
    if status.error is not None or status.state is State.UNAVAILABLE:
        return "Backup status unavailable", _why(status, now_ms)
    if not _is_settled(status):
        return _running(status.own_runs)
    first, second = _settled(status, now_ms)
    if not status.own_runs:
        return first, second
    worst = _worst(status)
    return (first if worst is None else f"{first}: {fit(escape(worst.job), NAME_UNITS)}"), _beside(status.own_runs)


def _is_settled(status: Status) -> bool:
    """Whether the jobs are shown: there is no error, and no run that goes on while nothing is wrong."""
    if status.error is not None or status.state is State.UNAVAILABLE:
        return False
    return not (status.own_runs and status.state in (*_FINE, State.NONE))


def _worst(status: Status) -> JobStatus | None:
    """Return the job that the sentence names; None where something else is worse than every job, or nothing is wrong."""
    if not _is_settled(status) or status.state is State.TAMPERED:
        return None
    return next(iter(of_jobs.bad(status)), None)


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
    """Return the live runs in few words, for the second line under a bad state."""
    if len(runs) > 1:
        return f"{_how_many(runs)} running now, {_brief(runs[0])}"
    facts = join(phase_word(runs[0]), percent(runs[0]) or amount(runs[0]), eta(runs[0]) or speed(runs[0]))
    return f"{activity(runs[0], NAME_UNITS)} now" + (f": {facts}" if facts and runs[0].tracked else "")


def _settled(status: Status, now_ms: int) -> tuple[str, str]:
    """Return the two lines when nothing runs."""
    if status.state is State.TAMPERED:
        return _tampered(status, now_ms), "the history of your backups cannot be trusted"
    bad = of_jobs.bad(status)
    if bad:
        words = f"{fit(escape(bad[0].job), NAME_UNITS)}: {of_jobs.phrase(bad[0], now_ms)}"
        return of_jobs.tally(status.jobs), ": ".join(filter(None, (words, of_jobs.reason(bad[0]))))
    if status.state is State.WARNING:
        note = "".join(_first(status.notes))
        if not note and any(text.startswith(UNFOLLOWED) for text in status.notes):
            return "Not everything is known", "the jobs in config.toml cannot be read"
        anew = not note or note.startswith("The audit log was begun anew")
        return "Older history is missing" if anew else "Not everything is known", note or "which job is not known"
    if status.state in _FINE:
        first, second = of_jobs.fine(status, now_ms, NAME_UNITS)
        backups = of_jobs.ours(status.jobs)
        about = backups[0].about if len(backups) == 1 else None  # not the figures of one that was cancelled since
        last = None if about is None else figures(about)
        notes = _first(status.notes)  # before the figures, which may be cut
        return first, "; ".join(part for part in (second, *notes, last) if part) if notes else join(second, last)
    if status.state is State.NONE:
        return _none(status, now_ms)
    return state_word(status.state), "which job is not known"


def _none(status: Status, now_ms: int) -> tuple[str, str]:
    """Return the two lines where there is neither an alarm nor a good backup."""
    backups = [job for job in of_jobs.ours(status.jobs) if job.about is not None]
    ended = backups or [job for job in status.jobs if job.about is not None and job.about.user is None]
    if not ended and ALL_FORGOTTEN in status.notes:
        return "No backup is shown", ALL_FORGOTTEN
    if not ended:
        return NOTHING, "Backup Tray has seen none yet"
    first = "No recent backup is known" if backups else "There is no backup yet"
    if backups and all(map(is_disabled, backups)):
        first = "No backup is expected now"
    words = f"{fit(escape(ended[0].job), NAME_UNITS)}: {of_jobs.calm(ended[0], now_ms)}"
    return first, words if backups else f"{words}, which is no backup"


def _tampered(status: Status, now_ms: int) -> str:
    if status.audit is None or not status.audit.breach:  # an older system-wide instance says no more
        return "The audit log was altered"
    return audit_line(status.audit, now_ms)


def _unfollowed(status: Status) -> tuple[str, ...]:
    faults = [note for note in status.notes if note.startswith(UNFOLLOWED)]
    if not faults:
        return ()
    numbers = [
        sum(note.startswith(f"{UNFOLLOWED} for {thing}") for note in faults) for thing in ("a job", "the channel")
    ]
    if sum(numbers) < len(faults):
        return (UNFOLLOWED,)
    things = (plural(number, thing) for number, thing in zip(numbers, ("job", "channel"), strict=True) if number)
    return (f"{UNFOLLOWED} for {' and '.join(things)}",)


def is_about_messages(note: str) -> bool:
    """Whether a note of the status is about channels of messages, of which the page of notifications shows more."""
    return note.startswith((UNSENT, f"{UNFOLLOWED} for the channel", f"{UNFOLLOWED} for messages"))


def _first(notes: Iterable[str]) -> list[str]:
    return [escape(note).rstrip(".") for note in notes if not note.startswith(UNFOLLOWED)][:1]


def _at_a_glance(runs: tuple[LiveRun, ...]) -> str:
    """Return activity, percentage and time left; the other figures stand beside it and would make a big line flicker."""
    if len(runs) > 1:
        return ", ".join(_running(runs))
    run = runs[0]
    facts = join(phase_word(run), percent(run), eta(run)) if run.tracked else "progress unknown"
    return f"{activity(run)}: {facts}" if facts else activity(run)


def headline(status: Status, now_ms: int) -> str:
    """Return one sentence that answers "am I safe?" before anything else: it speaks of all jobs and names the worst one."""
    if status.error is not None or status.state is State.UNAVAILABLE:
        return f"It is not known now whether your backups are fine: {_why(status, now_ms)}."
    if not _is_settled(status):
        return f"{_at_a_glance(status.own_runs)}."
    first, second = _settled(replace(status, notes=()) if status.state in _FINE else status, now_ms)
    moving = tuple(run for run in status.own_runs if not run.stalled)
    running = f" {_how_many(moving)} running now." if moving else ""
    if status.state is State.TAMPERED:
        return f"The history of your backups cannot be trusted. {first}.{running}"
    bad = of_jobs.bad(status)
    if bad:
        return f"{_alarm(bad, status, now_ms)}{running}"
    if status.state in _FINE:
        joint = ". " if second.startswith("Oldest") else ": "
        return f"{first}{joint if second else ''}{second}."
    return f"{first}{'. ' if status.state is State.NONE and first != NOTHING else ': '}{second}.{running}"


def _alarm(bad: list[JobStatus], status: Status, now_ms: int) -> str:
    """Return the sentence about jobs that are not fine, and about the backups where only something else is not.

    A backup whose check failed is not called fine: it may be damaged.
    """
    tally, worst = of_jobs.tally(status.jobs), bad[0]
    name = escape(worst.job)
    if len(bad) > 1:
        text = f"{tally}. Worst: {name}, {of_jobs.phrase(worst, now_ms)}."
    else:
        text = f"{tally}: {name}, {of_jobs.detail(worst, now_ms)}."
    good = [job for job in of_jobs.ours(status.jobs) if job.state is State.OK]
    if any(job.kind == BACKUP for job in bad) or not good:
        return text
    doubted = {job.job.removesuffix(f" ({CHECK})") for job in bad if job.kind == CHECK and job.state is State.FAILED}
    if doubtful := [job for job in good if job.job in doubted]:
        return f"{text} {of_jobs.unproven(doubtful, now_ms)}"
    first, second = of_jobs.fine(status, now_ms, 1000)
    return f"{text} {first}{'. ' if second.startswith('Oldest') else ': '}{second}."


# -- the audit log

_CLAIMS = ("intact", "tampered", "inconclusive")


def audit_line(standing: AuditStanding | None, now_ms: int) -> str:
    """Return "Audit log: intact, checked 2 hours ago, 1,204 entries, 2 kept checkpoints agree", or "Audit log: TAMPERED (altered)".

    It gives the result of the last verification and its time; None is a log that was never verified.
    """
    whose = "Audit log (system)" if standing is not None and standing.instance is Instance.SYSTEM else "Audit log"
    return f"{whose}: {audit_words(standing, now_ms)}"


def audit_line_now(standing: AuditStanding | None, now_ms: int, *, readable: bool) -> str:
    """Return the same line; while the status is not *readable* the result of before says nothing about now."""
    if readable or (standing is not None and standing.breach):
        return audit_line(standing, now_ms)
    known = standing is not None and standing.result in _CLAIMS
    return "Audit log: not known now" + (f"; before it was {audit_words(standing, now_ms)}" if known else "")


def audit_words(standing: AuditStanding | None, now_ms: int) -> str:
    """Return the same without the name in front."""
    if standing is None:
        return "not verified yet"
    if standing.breach:
        return _breach(standing, now_ms)
    checked = f"checked {ago(now_ms, standing.checked_ms)}"
    if not standing.full:
        checked = f"newest entries {checked}"
    match standing.result:
        case "intact" | "inconclusive":
            return ", ".join((standing.result, checked, *_figures(standing)))
        case "tampered":
            return f"tampered{_where(standing)}, acknowledged, {checked}"
        case _:
            why = escape(standing.why.strip()).rstrip(".") or "the reason is unknown"
            return f"could not be checked {ago(now_ms, standing.checked_ms)}: {why}"


def overdue_note(standing: AuditStanding | None, now_ms: int, every_ms: int | None, begun_ms: int | None) -> str | None:
    """Return a note that the log has not been verified for long, None if it has.

    Args:
        every_ms: How often it should be; None: the user does not want it to happen by itself, so nothing is late.
        begun_ms: When the log began, None where nothing was ever recorded.
    """
    if every_ms is None or begun_ms is None:
        return None
    checked = standing is not None and standing.result in _CLAIMS
    last = standing.checked_ms if checked and standing is not None else begun_ms
    if now_ms - last <= 2 * every_ms:
        return None
    if not checked:
        return "The audit log has not been verified yet; `backup-tray audit verify` does it"
    return f"The audit log was last verified {ago(now_ms, last)}; `backup-tray audit verify` does it again"


def _breach(standing: AuditStanding, now_ms: int) -> str:
    if standing.result == "tampered":
        return f"TAMPERED{_where(standing)}"
    since = "earlier" if standing.since_ms is None else ago(now_ms, standing.since_ms)
    return f"TAMPERED{_where(standing)}, found {since} and not acknowledged"


def _where(standing: AuditStanding) -> str:
    place = "" if standing.first_bad is None else f" at entry {count(standing.first_bad)}"
    return place + (f" ({escape(standing.kind)})" if standing.kind else "")


def _figures(standing: AuditStanding) -> tuple[str, str]:
    """Return how much was checked, and against how many kept checkpoints: without one no log is called intact."""
    entries = "1 entry" if standing.entries == 1 else f"{count(standing.entries)} entries"
    if not standing.baselines:
        return entries, "no kept checkpoint to compare with"
    agree = "" if standing.result != "intact" else " agrees" if standing.baselines == 1 else " agree"
    return entries, plural(standing.baselines, "kept checkpoint") + agree
