"""Say by when a job should be backed up again, how it stands against that, and the arithmetic behind it."""

import shlex
from typing import TYPE_CHECKING

from tray.core import clock
from tray.core.model import Expectation, Expected, JobStatus, State, Word
from tray.core.model.expectation import Ask
from tray.wording.numbers import ago, elapsed, escape, plural

if TYPE_CHECKING:
    from tray.rhythm import Rhythm

WORDS = {
    Word.DUE: "Due",
    Word.LATE: "Late",
    Word.STILL_RUNNING: "Still running",
    Word.OLD: "Too old",
    Word.OVERDUE: "Overdue",
    Word.NEVER_RAN: "Never ran",
    Word.UNDATED: "Age not known",
    Word.OFF: "Not expected",
    Word.DISABLED: "Disabled",
}
"""How a job stands against its rhythm, as a badge; a job that is fine, or whose rhythm is not known, has its state's word."""

_UNKNOWN = "not known yet"
_OF_CHECKS = (
    ("backup", "check"),
    ("It has never made a good check.", "It was never proven that a backup can be restored."),
    ("ts last good check ended", "ts last proof ended"),
)
"""Words about backups, and those about checks in their place."""

_UNITS = (("week", 7 * clock.DAY_MS), ("day", clock.DAY_MS), ("hour", 3_600_000), ("minute", 60_000))


def expected(
    rhythm: "Rhythm",
    known: Expectation,
    now_ms: int,
    *,
    job: str = "JOB",
    check: bool = False,
    skipped: tuple[int, str] = (0, ""),
) -> Expected:
    """Return *known* with its words.

    Args:
        rhythm: The job's rhythm.
        known: The judgement.
        now_ms: Now.
        job: The job's name, for the command that states its rhythm.
        check: It is about the checks of the job, which prove that its backup can be restored.
        skipped: How often its conditions kept it from starting since the last good run, and why the last time.
    """
    if known.word is Word.DISABLED:
        end = known.off_until_ms
        again = "" if end is None else " before that day"
        return Expected(known, off(end), None, f"The job is {off(end)}, so no backup is expected{again}.")
    concern, why, often = _concern(known, now_ms), _why(rhythm, known, now_ms), skipped_words(*skipped)
    for words, of_checks in _OF_CHECKS if check else ():
        why = why.replace(words, of_checks)
    if often:
        concern = None if concern is None else f"{concern.rstrip('.')}, {often}."
        why = f"{why} It was {often}."
    if known.ask is not None and not check:
        why = f"{why} {_question(known.ask)}: `backup-tray jobs edit {shlex.quote(job)} --every {_days(known)}`."
    return Expected(known, _rhythm(rhythm, known), concern, why)


def off(until_ms: int | None) -> str:
    """Return how a job is turned off: "disabled", or "off until 2026-12-24"."""
    return "disabled" if until_ms is None else f"off until {day(until_ms)}"


def day(ms: int) -> str:
    """Return the day that begins at *ms*, with the time if that is not midnight in the user's zone."""
    then = clock.local(ms)
    return f"{then:%Y-%m-%d}" if (then.hour, then.minute) == (0, 0) else f"{then:%Y-%m-%d %H:%M}"


def is_disabled(item: JobStatus) -> bool:
    """Whether the user has turned the job off, and it neither runs nor alarms."""
    return item.word == Word.DISABLED and item.state is State.NONE


def is_on_again(item: JobStatus) -> bool:
    """Whether the job was off until a date that has come, and has made no good run since."""
    return item.off_until_ms is not None and item.word != Word.DISABLED


def _question(ask: Ask) -> str:
    if ask is Ask.RARE:
        return "It runs too rarely to learn when the next one is due. State it"
    return "Its last gaps are longer than those before. If its rhythm changed, state it"


def _days(known: Expectation) -> str:
    """Return the job's usual distance of two runs as the configuration writes it."""
    return f"{max(1, round((known.period_ms or clock.DAY_MS) / clock.DAY_MS))}d"


def skipped_words(number: int, reason: str) -> str:
    """Return "skipped 3 times: on battery", "" if it was not."""
    return f"skipped {'once' if number == 1 else f'{number} times'}: {escape(reason)}" if number else ""


def _rhythm(rhythm: "Rhythm", known: Expectation) -> str:
    """Return "every day", "Mon..Fri 20:30, crontab of ann", "every 2 days or so, by its past" or "not known yet"."""
    if known.word is Word.OFF:
        return "off"
    if not known.learnt and rhythm.on and rhythm.on in (rhythm.from_text or ""):
        return f"{rhythm.from_text}"  # such as "crontab of ann: 15 2 * * *"
    source = f", {rhythm.from_text}" if rhythm.from_text else ""
    if not known.learnt and rhythm.on:
        zone = f" in {rhythm.zone}" if rhythm.zone else ""
        return f"{times(rhythm.on)}{zone}{source}"
    if not known.learnt and rhythm.every_ms:
        return f"every {length(rhythm.every_ms)}{source}"
    if known.learnt and known.period_ms is not None and known.word is not Word.UNKNOWN:
        return f"every {_roughly(known.period_ms)} or so, by its past"
    return _UNKNOWN


def times(on: str | None) -> str:
    """Return the times at which a job is expected on one line: "Mon 20:00 or Sat 08:00"."""
    return " or ".join((on or "").split("\n"))


def length(ms: int) -> str:
    """Return a whole length of time as "day", "2 weeks" or "90 minutes"."""
    for name, size in _UNITS:
        if ms >= size and ms % size == 0:
            return name if ms == size else plural(ms // size, name)
    return elapsed(ms)


def _roughly(ms: int) -> str:
    """Return a length of time that is not exact: "day", "3 days", "4 hours"."""
    for name, size in _UNITS[1:]:
        if ms >= size * 0.8:
            number = round(ms / size) or 1
            return name if number == 1 else plural(number, name)
    return "minute"


def moment(ms: int, now_ms: int) -> str:
    """Return a moment in the user's time zone: "02:00" today, "Mon 02:00" within six days, else "2026-11-24 02:00"."""
    then, now = clock.local(ms), clock.local(now_ms)
    if then.date() == now.date():
        return f"{then:%H:%M}"
    return f"{then:%a %H:%M}" if abs(ms - now_ms) < 6 * clock.DAY_MS else f"{then:%Y-%m-%d %H:%M}"


def word(item: JobStatus) -> str | None:
    """Return how a job stands against its rhythm as a badge; None where its state's word says more."""
    said = None if item.word is None else WORDS.get(Word(item.word)) if item.word in WORDS else None
    match item.state:
        case State.OK:
            return said if item.word == Word.DUE else None
        case State.NONE:
            if item.word in (Word.NEVER_RAN, Word.OFF, Word.DISABLED):
                return said
            return "On again" if is_on_again(item) else None
        case State.OVERDUE:
            return said
        case State.WARNING:
            return said if item.word in (Word.LATE, Word.OLD, Word.STILL_RUNNING, Word.UNDATED) else None
    return None


def next_words(item: JobStatus, now_ms: int) -> str:
    """Return when the next run of a job that is not late is expected: "next 02:15", "due since 02:15", "off until 2026-12-24"."""
    if item.word == Word.DISABLED:
        return "" if item.off_until_ms is None else off(item.off_until_ms)
    if item.word == Word.OFF:
        return "no next one is expected"
    again = f"was off until {day(item.off_until_ms)}" if item.off_until_ms is not None else ""
    at = "" if item.next_ms is None else moment(item.next_ms, now_ms)
    if not at or item.next_ms is None:
        return again
    if item.last is None:
        at = f"expected {at}"
    else:
        at = f"due since {at}" if item.next_ms <= now_ms else f"next {at}"
    return f"{again}, {at}" if again else at


def _concern(known: Expectation, now_ms: int) -> str | None:
    """Return one short sentence if the job is late, overdue, never ran or still runs; None if its last run says enough."""
    if known.state is None:
        return None
    by = "" if known.expected_by_ms is None else f"expected by {moment(known.expected_by_ms, now_ms)}"
    match known.word:
        case Word.NEVER_RAN:
            return f"Never ran, {by}." if by else "Never ran."
        case Word.STILL_RUNNING if known.running_since_ms is not None:
            return f"Still running since {moment(known.running_since_ms, now_ms)}."
        case Word.LATE | Word.OVERDUE:
            return f"{by[:1].upper()}{by[1:]}." if by else None
    return None


def _why(rhythm: "Rhythm", known: Expectation, now_ms: int) -> str:
    """Return the arithmetic: last good run, expected time, tolerance, awake time since then."""
    parts = [_last(known, now_ms), _next(rhythm, known, now_ms), _awake(known, now_ms), _ceiling(known, now_ms)]
    return " ".join(part for part in parts if part)


def _last(known: Expectation, now_ms: int) -> str:
    if known.word is Word.UNDATED:
        return "The clock was wrong when its last good backup ended, so its age is not known."
    again = "" if known.off_until_ms is None else f" It was off until {day(known.off_until_ms)}."
    if known.last_good_ms is None:
        return f"It has never made a good backup.{again}"
    return f"Its last good backup ended {moment(known.last_good_ms, now_ms)}, {ago(now_ms, known.last_good_ms)}.{again}"


def _next(rhythm: "Rhythm", known: Expectation, now_ms: int) -> str:
    """Return when the next run was or is expected, and how much is tolerated."""
    if known.word is Word.OFF:
        return "No next one is expected: its rhythm is off."
    if known.expected_by_ms is None:
        late = "" if known.late_since_ms is not None else ", so it is not judged by one yet"
        return f"Its rhythm is not known{late}."
    how_often = _rhythm(rhythm, known)
    if how_often == _UNKNOWN:
        verb = "was" if known.expected_by_ms <= now_ms else "is"
        at = moment(known.expected_by_ms, now_ms)
        return f"Its rhythm is not known yet; a good backup {verb} expected by {at} at the latest."
    slot = known.expected_by_ms if known.next_ms is None else known.next_ms
    verb, late = ("was" if at <= now_ms else "is" for at in (slot, known.expected_by_ms))
    which = "first" if known.word is Word.NEVER_RAN else "next"
    text = f"The {which} {verb} expected {moment(slot, now_ms)} ({escape(how_often)})"
    allowed = "" if known.tolerance_ms is None else f": {elapsed(known.tolerance_ms)} of awake time may pass"
    return f"{text}, and {late} late after {moment(known.expected_by_ms, now_ms)}{allowed}."


def _awake(known: Expectation, now_ms: int) -> str:
    """Return how long the computer was awake since, how much was missed, and since when the job is overdue."""
    since = "then" if known.last_good_ms is not None else "it is known"
    much = elapsed(known.awake_ms) if known.awake_ms else "less than a minute"
    parts = [f"Since {since} this computer was awake for {much}"]
    if known.missed:
        parts.append(f"and {plural(known.missed, 'backup')} {'was' if known.missed == 1 else 'were'} missed")
    elif known.score is not None and known.limit is not None:
        parts.append(
            f"in which {known.score:.1f} backups would have come by its past; {known.limit:.1f} are too many to miss"
        )
    text = f"{' '.join(parts)}." if len(parts) == 1 or known.missed else f"{', '.join(parts)}."
    if known.running_since_ms is not None:
        limit = (
            "" if known.running_limit_ms is None else f"; it may take {elapsed(known.running_limit_ms)} of awake time"
        )
        text += f" A run goes on since {moment(known.running_since_ms, now_ms)}{limit}."
    return text


def _ceiling(known: Expectation, now_ms: int) -> str:
    if known.overdue_since_ms is not None:
        return f"It is overdue since {moment(known.overdue_since_ms, now_ms)}."
    if known.word is Word.OLD and known.old_after_ms is not None:
        return f"A backup is too old after {moment(known.old_after_ms, now_ms)}, awake or not."
    if known.late_since_ms is not None:
        return f"It deserves a look since {moment(known.late_since_ms, now_ms)}."
    return ""
