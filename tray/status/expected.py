"""Tell by when each job should be backed up again: rhythms from the configuration, the past from log and spool, the awake time.

A judgement is made again only when something of that changed, or at the moment that it names itself; its words once a minute.
"""

from collections.abc import Iterable, Mapping, Sequence

from tray import wording
from tray.audit.search.good_runs import Run
from tray.config.jobs import Job
from tray.core import clock
from tray.core.clock import SLACK_MS
from tray.core.dataclass import dataclass, replace
from tray.core.model import BACKUP, CHECK, DRY_RUN, EndedRun, Expectation, Expected, JobHistory, LiveRun, Word, judge
from tray.core.paths import Places
from tray.rhythm import Past, Rhythm
from tray.rhythm.awake import Awake
from tray.rhythm.expect import expect
from tray.status.awake_times import AwakeTimes
from tray.status.job_histories import History
from tray.status.kept_files import Settings

_MINUTE_MS = 60_000
_LEARNT = Rhythm()
_UNJUDGED = "Backup Tray made a mistake of its own, so it is not known when the next backup is due"

Key = tuple[str, str]
"""A job and the kind of its runs."""

Terms = tuple[Rhythm, Past, int | None, int | None]
"""The facts that a judgement rests on: rhythm, past, begin of the run that goes on, and time of the acknowledgement."""

Skipped = tuple[int, str]
"""How often a job's conditions kept it from starting, and why the last time."""


@dataclass(slots=True)
class _Kept:
    """A judgement with everything that it was made of, and its words; or why it could not be made."""

    of: Terms
    awake: Awake
    at_ms: int
    expectation: Expectation
    fault: str = ""
    about: object = None
    words: Expected | None = None


class Expectations:
    """By when each job should be backed up again."""

    def __init__(self, places: Places) -> None:
        self._awake = AwakeTimes(places)
        self._kept: dict[Key, _Kept] = {}
        self._zone: tuple[object, int] = None, 0

    def of(
        self,
        jobs: Sequence[JobHistory],
        history: History,
        settings: Settings,
        live: Iterable[LiveRun],
        now_ms: int,
    ) -> dict[Key, Expected]:
        """Return it by job and kind; configured jobs that never ran are among them.

        Args:
            jobs: Every job with a run.
            history: The past of log and spool.
            settings: The configuration. A job of which nothing is on record is known since its last change; the user may have
                forgotten it after that.
            live: The runs that go on.
            now_ms: Now.

        Raises:
            BackupTrayError: The log cannot be read.
        """
        if (zone := (clock.zone(), clock.zone_set_ms())) != self._zone:  # the machine has travelled
            self._kept, self._zone = {}, zone
        configured = settings.configured
        known = {(job.job, job.kind): job for job in jobs if job.last.user is None and job.kind != DRY_RUN}
        rhythms = {key: rhythm_of(configured.jobs.get(_owner(key)), key[1], now_ms) for key in known}
        for name, job in configured.jobs.items():
            for key in ((name, BACKUP), (f"{name} ({CHECK})", CHECK)):
                if key not in rhythms and not history.is_forgotten(name, settings.changed_ms):
                    rhythms[key] = rhythm_of(job, key[1], now_ms)
        begun: dict[Key, int] = {}
        for run in live:
            if run.user is None:
                key = run.job, run.kind
                begun[key] = min(run.started_ms, begun.get(key, run.started_ms))
        awake = self._awake.read(max((job.last.finished_ms for job in jobs), default=None))
        pasts = _pasts(rhythms, known, history, settings)
        self._kept = {
            key: self._judged(
                key,
                (rhythm, pasts[key][0], begun.get(key), _seen_ms(key, known.get(key), history, now_ms)),
                awake,
                now_ms,
            )
            for key, rhythm in rhythms.items()
            if rhythm is not None
        }
        words = {key: _worded(key, kept, pasts[key][1], now_ms) for key, kept in self._kept.items()}
        faults = settings.concerns().items()
        return words | {key: _broken(why, now_ms) for name, why in faults if (key := (name, BACKUP)) not in known}

    def _judged(self, key: Key, of: Terms, awake: Awake, now_ms: int) -> _Kept:
        kept = self._kept.get(key)
        if kept is not None and kept.awake is awake and kept.of == of:
            if kept.at_ms <= now_ms < (kept.expectation.valid_until_ms or now_ms):
                return kept
        rhythm, past, begun, seen = of
        try:
            judged = expect(rhythm, past, awake, now_ms, running_since_ms=begun, seen_ms=seen, moved_ms=self._zone[1])
            return _Kept(of, awake, now_ms, judged)
        except Exception as error:  # a mistake of ours about one job must not hide the others
            return _Kept(of, awake, now_ms, _unknown(now_ms), fault=f"{type(error).__name__}: {error}")


def _owner(key: Key) -> str:
    """Return the name of the job in the configuration; its checks are on record as "home (check)"."""
    return key[0].removesuffix(f" ({CHECK})") if key[1] == CHECK else key[0]


def _seen_ms(key: Key, job: JobHistory | None, history: History, now_ms: int) -> int | None:
    """Return when the user acknowledged how *job* stands; a time that a wrong clock gave is put to the end of the run."""
    if job is None:
        seen = history.seen_ms(*key)
        return None if seen is None or seen > now_ms + SLACK_MS else seen
    if not job.seen:
        return None
    end = job.about.finished_ms
    return end if job.seen_ms is None or job.seen_ms > now_ms + SLACK_MS else max(job.seen_ms, end)


def rhythm_of(job: Job | None, kind: str, now_ms: int) -> Rhythm | None:
    """Return the rhythm of a job's runs of this *kind*; None if nothing is expected of them."""
    off = job is not None and job.is_off(now_ms)
    if kind == CHECK:
        check = None if job is None or off else job.check
        if job is None or check is None or check.rhythm == "off":
            return None
        return Rhythm(
            check.rhythm,
            check.every_ms,
            check.on,
            check.zone or job.zone,
            check.max_age_ms,
            check.max_age_off,
            check.delay_ms,
            from_ms=job.off_until_ms or 0,
        )
    if kind != BACKUP:
        return None
    if job is None:
        return _LEARNT
    if off:
        return Rhythm("disabled", from_ms=job.off_until_ms or 0 if job.enabled else 0)
    return Rhythm(
        job.rhythm,
        job.every_ms,
        job.on,
        job.zone,
        job.max_age_ms,
        job.max_age_off,
        job.delay_ms,
        job.off_until_ms or 0,
        job.watched,
    )


def _pasts(
    rhythms: Mapping[Key, Rhythm | None],
    known: Mapping[Key, JobHistory],
    history: History,
    settings: Settings,
) -> dict[Key, tuple[Past, Skipped]]:
    """Return the past of every job with a rhythm, and how often it was skipped since its last good run."""
    pasts: dict[Key, tuple[Past, Skipped]] = {}
    for kind in {key[1] for key, rhythm in rhythms.items() if rhythm is not None}:
        names = [name for name, of in rhythms if of == kind]
        for name, past in zip(names, history.good_runs(map(history.names.recorded, names), kind), strict=True):
            job = known.get((name, kind))
            first_ms = past.first_ms or _first_ms(job, settings.changed_ms)
            goods = _proofs(past.runs, job) if kind == CHECK else _with_waiting(past.runs, job)
            pasts[name, kind] = Past(goods, first_ms), (past.skips, past.reason or "")
    return pasts


def _first_ms(job: JobHistory | None, changed_ms: int) -> int:
    return changed_ms if job is None else job.last.started_ms or job.last.finished_ms


def _proofs(goods: tuple[Run, ...], job: JobHistory | None) -> tuple[Run, ...]:
    """Return the good checks up to the last proof: a later one that compared nothing does not put off the next."""
    proof = None if job is None else job.proven
    if proof is None:
        return ()
    return (*(run for run in goods if run[1] < proof.at_ms), (proof.at_ms, proof.at_ms))


def _with_waiting(goods: tuple[Run, ...], job: JobHistory | None) -> tuple[Run, ...]:
    """Return *goods* with the last good run if that waits for the log, and without it if its time is not true."""
    good: EndedRun | None = None if job is None else job.last_good
    if job is None or good is None:
        return goods
    if not job.dated:
        return goods[:-1] if goods and goods[-1][1] == good.finished_ms else goods
    if good.entry is None and judge.is_good(good):
        return (*goods, (min(good.started_ms or good.finished_ms, good.finished_ms), good.finished_ms))
    return goods


def _worded(key: Key, kept: _Kept, skipped: Skipped, now_ms: int) -> Expected:
    """Return the judgement in words, with the awake time of now."""
    if kept.fault:
        return Expected(kept.expectation, None, f"{_UNJUDGED} ({kept.fault}).", f"{_UNJUDGED} ({kept.fault}).")
    about = now_ms // _MINUTE_MS, skipped
    if kept.words is None or kept.about != about:
        rhythm, past, *_ = kept.of
        known = kept.expectation
        since = past.first_ms if known.last_good_ms is None else known.last_good_ms
        now = replace(known, awake_ms=kept.awake.between(since, now_ms) // _MINUTE_MS * _MINUTE_MS)
        kept.about = about
        try:
            words = wording.expected(rhythm, now, now_ms, job=_owner(key), check=key[1] == CHECK, skipped=skipped)
        except Exception as error:  # as above
            kept.expectation, kept.fault = _unknown(now_ms), f"{type(error).__name__}: {error}"
            return _worded(key, kept, skipped, now_ms)
        kept.words = replace(words, seen=kept.of[3] is not None)
    return kept.words


def _unknown(now_ms: int) -> Expectation:
    return Expectation(Word.UNKNOWN, late_since_ms=now_ms, valid_until_ms=now_ms + _MINUTE_MS)


def _broken(why: str, now_ms: int) -> Expected:
    """Return the judgement of a job without runs whose settings have a fault: it is not fine."""
    return Expected(Expectation(Word.UNKNOWN, late_since_ms=now_ms), None, why, why)
