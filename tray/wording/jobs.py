"""Say how all jobs together are: how many are fine, how many are not and in which way, and which one is the worst."""

from collections.abc import Sequence

from tray.core.model import BACKUP, DRY_RUN, JobStatus, Outcome, State, Status, Word
from tray.wording.expectations import is_disabled, is_on_again, next_words, off, word
from tray.wording.numbers import ago, count, escape, fit
from tray.wording.runs import acknowledged, did, ended_word, good_words, join, reason_words

FINE = (State.OK, State.RUNNING, State.NONE)

_VERBS = {
    "failed": ("failed", "failed"),
    "overdue": ("is overdue", "are overdue"),
    "stalled": ("is stalled", "are stalled"),
    "late": ("is late", "are late"),
    "lasting": ("still runs", "still run"),
    "warned": ("has warnings", "have warnings"),
    "old": ("is too old", "are too old"),
    "unclear": ("needs a look", "need a look"),
}
_OF_WORD = {Word.LATE: "late", Word.STILL_RUNNING: "lasting", Word.OLD: "old"}
_OF_STATE = {State.FAILED: "failed", State.OVERDUE: "overdue", State.STALLED: "stalled"}
_CALM_WAYS = ("acknowledged", "never good yet", "never ran", "not expected")
"""The ways of `_calm_way` that come first, in this order."""
_NOUNS = {"check": "check", "restore": "restore", "prune": "prune", "compact": "compact", DRY_RUN: "dry run"}


def bad(status: Status) -> list[JobStatus]:
    """Return the jobs that need a look, the worst first."""
    return [job for job in status.jobs if job.state not in FINE]


def ours(jobs: Sequence[JobStatus]) -> list[JobStatus]:
    """Return the jobs that make backups and are counted: another user's are shown only."""
    return [job for job in jobs if job.kind == BACKUP and (job.last is None or job.last.user is None)]


def tally(jobs: Sequence[JobStatus]) -> str:
    """Return how many of all jobs are not fine: "2 of 6 backups failed, 2 have warnings", "A check failed"."""
    backups = ours(jobs)
    parts: list[str] = []
    for way, number in _counted(backups).items():
        verb = _VERBS[way][number > 1]
        parts.append(f"{count(number)} {verb}" if parts else f"{_of_all(number, len(backups))} {verb}")
    for kind in sorted({job.kind for job in jobs} - {BACKUP}):
        for way, number in _counted([job for job in jobs if job.kind == kind]).items():
            noun = _NOUNS.get(kind, "task")
            much = f"a {noun}" if number == 1 else f"{count(number)} {noun}s"
            parts.append(f"{much} {_VERBS[way][number > 1]}")
    text = join(*parts)
    return text[:1].upper() + text[1:]


def fine(status: Status, now_ms: int, units: int) -> tuple[str, str]:
    """Return how many backups are fine, and the one that was good longest ago: no other of them is older."""
    backups = ours(status.jobs)
    good = [job for job in backups if job.state in (State.OK, State.RUNNING) and _good_ms(job)]
    if not good:
        return "Your backups are fine", ""
    oldest = min(good, key=_good_ms)
    name = fit(escape(oldest.job), units)
    age = ago(now_ms, _good_ms(oldest))
    if len(backups) == 1:
        return "Your backup is fine", join(f"{name}, {age}", _since(oldest, now_ms))
    ways = [way for job in backups if (way := _calm_way(job))]
    first = f"{'Both' if len(backups) == 2 else f'All {count(len(backups))}'} backups are fine"
    if ways:
        number = len(backups) - len(ways)
        rest = join(*(f"{count(ways.count(way))} {way}" for way in sorted(set(ways), key=_by_way)))
        first = f"{count(number)} of {count(len(backups))} backups {'is' if number == 1 else 'are'} fine, {rest}"
    return first, f"Oldest: {name}, {age}"


def unproven(jobs: Sequence[JobStatus], now_ms: int) -> str:
    """Return a sentence about good backups whose check failed."""
    if len(jobs) == 1:
        return f"Its last backup succeeded {ago(now_ms, _good_ms(jobs[0]))}; whether that can be restored is not known."
    return "Their last backups succeeded; whether those can be restored is not known."


def _calm_way(job: JobStatus) -> str:
    """Return why a job that neither alarms nor runs is not called fine: "acknowledged", "off until 2026-12-24"; "" if it is."""
    if acknowledged(job):
        return _CALM_WAYS[0]
    if job.state is not State.NONE:
        return ""
    if is_disabled(job):
        return off(job.off_until_ms)
    if job.word == Word.OFF:
        return "not expected"
    if is_on_again(job):
        return "on again, not run yet"
    return "never ran" if job.last is None else "never good yet"


def _by_way(way: str) -> tuple[int, str]:
    return (_CALM_WAYS.index(way) if way in _CALM_WAYS else len(_CALM_WAYS)), way


def detail(job: JobStatus, now_ms: int) -> str:
    """Return what is wrong with *job*, without the verb, which stands before: "3 times, last good 3 days ago", "2 hours ago"."""
    words = phrase(job, now_ms)
    for verb in ("failed ", "finished with warnings ", "was "):
        words = words.removeprefix(verb)
    return words


def phrase(job: JobStatus, now_ms: int, *, brief: bool = False) -> str:
    """Return what is wrong with *job* and when it was last good: "failed 3 times, last good 3 days ago".

    Args:
        brief: Make it fit into a line of a menu.
    """
    ended = job.about
    good = good_words(job, now_ms)
    if job.concern:
        concern = escape(job.concern.strip()).rstrip(".")
        dated = job.state is State.STALLED or job.word in (Word.LATE, Word.OVERDUE, Word.STILL_RUNNING)
        return join(concern[:1].lower() + concern[1:], good if dated and ended is not None else None)
    if ended is None:
        return _VERBS[_way(job)][0]
    if ended.outcome is Outcome.SUCCEEDED:
        return join(good or did(ended, now_ms), None if brief else "no backup since then")
    if job.streak > 1:
        times = f"{count(job.streak)}×" if brief else f"{count(job.streak)} times"
        unclear = "how is not known" if ended.outcome is Outcome.UNKNOWN else None
        return join(f"{ended_word(ended)} {times}", unclear, good)
    return join(did(ended, now_ms), good)


def abbreviated(text: str) -> str:
    """Return *text* with its ages as short as a menu has them: "3 h ago"."""
    for long, short in (("minute", "min"), ("hour", "h"), ("day", "d")):
        text = text.replace(f" {long}s ago", f" {short} ago").replace(f" {long} ago", f" {short} ago")
    return text.removeprefix("was ")


def reason(job: JobStatus) -> str | None:
    """Return why the run that a job's state is about ended as it did, if that is known and not said by `phrase`."""
    if job.about is None or job.concern:
        return None
    unknown = "the reason is not known" if job.about.outcome is Outcome.FAILED else None
    return reason_words(job.about) or unknown


def calm(job: JobStatus, now_ms: int) -> str:
    """Return how a job is that neither alarms nor has a recent good backup: "failed 2 hours ago, acknowledged"."""
    if job.about is None:
        seen = "acknowledged" if acknowledged(job) else next_words(job, now_ms)
        return join((word(job) or "no backup yet").lower(), seen or None)
    good = None if job.about.outcome is Outcome.SUCCEEDED and job.about == job.last_good else good_words(job, now_ms)
    end = next_words(job, now_ms) or "disabled" if is_disabled(job) else None
    return join(did(job.about, now_ms), "acknowledged" if acknowledged(job) else None, good, end)


def _since(job: JobStatus, now_ms: int) -> str | None:
    """Return how the run after the last good one of a job that is fine ended; None if there is none."""
    if job.last is None or job.last == job.last_good or not job.known or job.state is State.RUNNING:
        return None
    return f"its last run {did(job.last, now_ms)}" + (", acknowledged" if job.seen and job.last == job.about else "")


def _good_ms(job: JobStatus) -> int:
    good = job.last_good or (None if job.known else job.last)  # an older instance tells only the last run
    return 0 if good is None else good.finished_ms


def _of_all(number: int, total: int) -> str:
    if total == 1:
        return "A backup"
    if number == total:
        return "Both backups" if total == 2 else f"All {count(total)} backups"
    return f"{count(number)} of {count(total)} backups"


def _counted(jobs: Sequence[JobStatus]) -> dict[str, int]:
    ways = [_way(job) for job in jobs if job.state not in FINE]
    return {way: ways.count(way) for way in _VERBS if way in ways}


def _way(job: JobStatus) -> str:
    """Return the way in which a job is not fine."""
    if job.state in _OF_STATE:
        return _OF_STATE[job.state]
    if job.word is not None and job.word in _OF_WORD:
        return _OF_WORD[Word(job.word)]
    if job.concern or job.about is None:
        return "unclear"
    return {Outcome.WARNING: "warned", Outcome.SUCCEEDED: "old"}.get(job.about.outcome, "unclear")
