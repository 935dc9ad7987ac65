"""Collect how each job kept its rhythm in the period of a report: runs and skips from the log, rhythms from config.toml.

The rhythm that config.toml states now is taken for that of the past since the job's settings last changed on record; slots before
that are not counted, since another rhythm may have been stated then. So it is with a job without a zone of its own after a journey.
"""

from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter

from tray import wording
from tray.audit.entry import ENDS, Action
from tray.audit.search.conditions import Filter
from tray.audit.store import AuditLog
from tray.config import jobs
from tray.config.jobs import Configured
from tray.core import clock
from tray.core.dataclass import dataclass, field, replace
from tray.core.errors import ConfigError
from tray.core.model import BACKUP, EndedRun, Expectation, State, Word, judge
from tray.core.paths import Places
from tray.housekeeping import config_changes, time_zone
from tray.jobs import editing
from tray.report import basis
from tray.report.basis import Base
from tray.report.on_times import Change, OnTimes, on_times
from tray.rhythm import Past, Rhythm, kept_slots
from tray.rhythm.expect import expect
from tray.rhythm.kept_slots import Met, Stretch
from tray.rhythm.plan import Run
from tray.rhythm.zones import zone
from tray.status.awake_times import AwakeTimes
from tray.status.expected import rhythm_of

_BEFORE = 60
"""Good runs before the period from which lateness and a learnt rhythm are known."""
_RHYTHM_KEYS = ("every", "on", "rhythm", "zone", "delay")
FAULT = "not known: its settings in config.toml have a fault"


@dataclass(frozen=True, slots=True)
class JobRhythm:
    """How one job kept its rhythm.

    Attributes:
        rhythm: The rhythm in words.
        word: How the job stood at the end of the period; None where that is not known.
        overdue: It was overdue then.
        slots: Each slot that was decided; None where no slots are known, as of a learnt rhythm.
        stretches: The slots that were not kept in time, and silences, the oldest first.
        skips: By reason: how often a condition kept it from starting.
        why: By begin of a stretch: which runs were skipped or ended badly in it.
        since_ms: From when on slots were counted, if that is at least a day later than the period's begin; else None.
    """

    job: str
    rhythm: str
    word: Word | None = None
    overdue: bool = False
    slots: Sequence[Met] | None = None
    stretches: Sequence[Stretch] = ()
    skips: Mapping[str, int] = field(default_factory=dict)
    why: Mapping[int, str] = field(default_factory=dict)
    since_ms: int | None = None

    def count(self, *ways: str) -> int:
        """Return how many slots were met in one of these *ways*."""
        return sum(slot.how in ways for slot in self.slots or ())


class Rhythms:
    """The rhythms of all jobs, as far as a report on *rests* knows them.

    Attributes:
        fault: Why the configured rhythms are not known; "" if they are.
        names: The present names of jobs, those that belong to another one by config.toml among them.
    """

    def __init__(self, places: Places, log: AuditLog, rests: Base) -> None:
        self._log, self._rests = log, rests
        self._changed_ms, self.fault = 0, ""
        try:
            self._configured = jobs.load(places)
            self._changed_ms = places.config_file.stat().st_mtime_ns // 1_000_000
        except ConfigError as error:
            self._configured, self.fault = Configured(), error.why.rstrip(".")
        except OSError:
            self._configured = Configured()
        self.names = log.names().with_owners(self._configured.owners)
        self._awake = AwakeTimes(places).read(rests.begin_ms)
        self._changes: dict[str, list[Change]] | None = None
        self._zone_ms = time_zone.since_ms(places)

    def of_period(
        self, runs: Sequence[EndedRun], asked: tuple[str, ...] | None, begin_ms: int, end_ms: int
    ) -> list[JobRhythm]:
        """Return how each job with backups kept its rhythm, also one that is expected and has no run in the period.

        Args:
            runs: The ended runs of the period, the newest first.
            asked: The jobs that the user asks for; None for all.
        """
        if self.fault:
            return []
        own = [run for run in runs if run.kind == BACKUP and run.user is None]
        wanted = None if asked is None else {self.names.present(name) for name in asked}
        known = {run.job for run in own} | self._configured.jobs.keys() | self._configured.broken.keys()
        known |= {
            self.names.present(job.job) for job in self._log.jobs() if job.kind == BACKUP and job.last.user is None
        }
        skips = self._skips(begin_ms, end_ms)
        by_job: dict[str, list[EndedRun]] = {}
        for run in reversed(own):
            by_job.setdefault(run.job, []).append(run)
        return [
            rhythm
            for name in sorted(known)
            if wanted is None or name in wanted
            if (rhythm := self._of(name, by_job.get(name, []), skips.get(name, []), begin_ms, end_ms)) is not None
        ]

    def _of(
        self, name: str, runs: list[EndedRun], skips: list[tuple[int, str]], begin_ms: int, end_ms: int
    ) -> JobRhythm | None:
        """Return how the job *name* kept its rhythm; None if it was not known in the period."""
        first_ms = self._first_ms(name)
        if first_ms > end_ms:
            return None
        counted = {reason: sum(why == reason for _, why in skips) for reason in dict.fromkeys(why for _, why in skips)}
        if name in self._configured.broken:
            return JobRhythm(name, FAULT, skips=counted)
        goods = [*self._before(name, begin_ms), *_goods(runs)]
        if name not in self._configured.jobs and not runs and not goods:
            return None
        on = self._on(name, begin_ms, end_ms)
        rhythm = self._rhythm(name, on, begin_ms)
        if (stated_ms := self._stated_ms(name)) > end_ms:
            cause = (
                "its settings were changed"
                if stated_ms != self._moved_ms(name)
                else "this computer's time zone was set"
            )
            return JobRhythm(name, f"not known: {cause} on {clock.local(stated_ms):%Y-%m-%d}", skips=counted)
        judged = expect(rhythm, Past(tuple(goods), first_ms), self._awake, end_ms, moved_ms=self._zone_ms)
        words = wording.expected(rhythm, judged, end_ms, job=name).rhythm or ""
        if on.off:
            words = "; ".join([*([words] if on.stretches else []), wording.off(on.until_ms)])
        from_ms = begin_ms, stated_ms
        slots, since, stretches = self._stretches(rhythm, judged.learnt, goods, first_ms, on, from_ms)
        why = {stretch.first_ms: _why(stretch, end_ms, skips, runs) for stretch in stretches}
        overdue = judged.state is State.OVERDUE and not on.off
        word = Word.DISABLED if on.off else judged.word
        return JobRhythm(name, words, word, overdue, slots, stretches, counted, why, since)

    def _on(self, name: str, begin_ms: int, end_ms: int) -> OnTimes:
        """Return when the job was on in the period, by the changes of its settings on record."""
        job = self._configured.jobs.get(name)
        present = (True, 0) if job is None else (job.enabled, job.off_until_ms or 0)
        of = zone(None if job is None else job.zone)
        enabled, until = self._changed(name, "enabled"), self._changed(name, "off_until")
        return on_times(enabled, until, present, of, begin_ms, end_ms)

    def _rhythm(self, name: str, on: OnTimes, begin_ms: int) -> Rhythm:
        """Return the rhythm that the job has while it is on; it counts from its last return, if that is in the period."""
        job = self._configured.jobs.get(name)
        known = rhythm_of(None if job is None else replace(job, enabled=True, off_until_ms=None), BACKUP, 0)
        assert known is not None
        since = on.stretches[-1][0] if on.stretches else 0
        return replace(known, from_ms=since if since > begin_ms else 0)

    def _stretches(
        self, rhythm: Rhythm, learnt: bool, goods: list[Run], first_ms: int, on: OnTimes, since_ms: tuple[int, int]
    ) -> tuple[list[Met] | None, int | None, list[Stretch]]:
        """Return the decided slots of the stretches in which the job was on, from when on they are counted, and those not kept."""
        if rhythm.kind == "off" or not on.stretches:
            return None, None, []
        begin_ms, stated_ms = since_ms
        slots: list[Met] = []
        late: list[Stretch] = []
        since: int | None = None
        for begin, end in on.stretches:
            known = [run for run in goods if run[1] <= end]
            own = replace(rhythm, from_ms=begin if begin > begin_ms else 0)
            if learnt:
                late += kept_slots.silences(own, known, first_ms, self._awake, begin, end)
                continue
            made = kept_slots.met(own, known, first_ms, self._awake, max(begin, stated_ms), end)
            if made is None:
                return None, None, []
            slots += made[0]
            late += kept_slots.stretches(made[0], known)
            if since is None and made[1] - begin >= clock.DAY_MS:
                since = made[1]
        return None if learnt else slots, since, late

    def of_run(self, run: EndedRun) -> str | None:
        """Return in words how a backup stood against the job's rhythm when it ended; None where nothing can be said."""
        if self.fault or run.kind != BACKUP or run.user is not None or run.job in self._configured.broken:
            return None
        on = self._on(run.job, 0, run.finished_ms)
        rhythm, first_ms = self._rhythm(run.job, on, 0), self._first_ms(run.job)
        if on.off or rhythm.kind == "off" or first_ms > run.finished_ms:
            return None
        goods = self._before(run.job, run.finished_ms, below=run.entry)
        judged = expect(rhythm, Past(tuple(goods), first_ms), self._awake, run.finished_ms, moved_ms=self._zone_ms)
        stated_ms = 0 if judged.learnt else self._stated_ms(run.job)
        if stated_ms > run.finished_ms:
            return None
        words = wording.expected(rhythm, judged, run.finished_ms, job=run.job).rhythm or ""
        return _stood(judged, wording.escape(words), good=judge.is_good(run))

    def _before(self, name: str, moment_ms: int, below: int | None = None) -> list[Run]:
        """Return begin and end of the last good runs of the job before a moment, the oldest first."""
        wanted = Filter(
            until_ms=moment_ms,
            job=self.names.recorded(name),
            action=tuple(map(str, ENDS)),
            outcome=("succeeded", "warning"),
            kind=(BACKUP,),
        )
        runs: list[EndedRun] = []
        for entry in basis.matching(self._log, wanted, self._rests, entries=False, page=_BEFORE):
            run = basis.run_of(entry)
            if run is not None and run.user is None and (below is None or entry.seq < below):
                runs.append(run)
            if len(runs) == _BEFORE:
                break
        return _goods(reversed(runs))

    def _first_ms(self, name: str) -> int:
        """Return when the job became known: by its first entry, else by config.toml."""
        known = self._log.good_runs([self.names.recorded(name)])[0].first_ms
        return known if known is not None else self._changed_ms

    def _skips(self, begin_ms: int, end_ms: int) -> dict[str, list[tuple[int, str]]]:
        """Return time and reason of each skipped run of the period, by job, the oldest first."""
        wanted = Filter(since_ms=begin_ms, until_ms=end_ms + 1, action=(str(Action.RUN_SKIPPED),))
        skips: dict[str, list[tuple[int, str]]] = {}
        for entry in basis.matching(self._log, wanted, self._rests, entries=True):
            job = self.names.present(str(entry.data["job"]))
            skips.setdefault(job, []).insert(0, (clock.from_text(entry.data["time"]), str(entry.data["result"])))
        return skips

    def _stated_ms(self, name: str) -> int:
        """Return when the job's rhythm was last changed on record, or its time zone by a journey; 0 if it never was."""
        changed = (at for key in _RHYTHM_KEYS for at, _, _ in self._changed(name, key))
        return max((self._moved_ms(name), *changed))

    def _moved_ms(self, name: str) -> int:
        """Return when the machine came into its present time zone, by which the job's slots are meant; 0 for any other job."""
        job = self._configured.jobs.get(name)
        return 0 if job is None or job.on is None or job.zone is not None else self._zone_ms

    def _changed(self, name: str, key: str) -> list[Change]:
        """Return the changes of a key of the job on record, the oldest first; another name changes nothing."""
        if self._changes is None:
            self._changes = {}
            wanted = Filter(action=(str(Action.CONFIG_CHANGED),))
            for entry in basis.matching(self._log, wanted, self._rests, entries=True):
                body, at = entry.body or {}, clock.from_text(entry.data["time"])
                changes = body.get("changes") if body.get("change") != editing.RENAMED else None
                for change in changes if isinstance(changes, list) else ():
                    if isinstance(change, dict):
                        before, after = (
                            None if change.get(side) is None else str(change[side]) for side in ("from", "to")
                        )
                        self._changes.setdefault(str(change.get("key")), []).append((at, before, after))
        keys = (f"{config_changes.key_text(('jobs', each))}.{key}" for each in self.names.recorded(name))
        return sorted((change for each in keys for change in self._changes.get(each, ())), key=itemgetter(0))


def _goods(runs: Iterable[EndedRun]) -> list[Run]:
    """Return begin and end of the good ones of *runs*, in the order of their ends."""
    ends = [run for run in runs if judge.is_good(run)]
    return sorted(
        ((min(run.started_ms or run.finished_ms, run.finished_ms), run.finished_ms) for run in ends),
        key=lambda run: run[1],
    )


def _why(stretch: Stretch, end_ms: int, skips: Iterable[tuple[int, str]], runs: Iterable[EndedRun]) -> str:
    """Return the record of a stretch: "skipped 3 times: on battery; 2 runs failed"; "no run on record" if nothing is."""
    until = end_ms if stretch.end_ms is None else stretch.end_ms
    reasons = [reason for at, reason in skips if stretch.first_ms <= at <= until]
    ends = [run.outcome for run in runs if stretch.first_ms <= run.finished_ms <= until and not judge.is_good(run)]
    parts = [wording.skipped_words(reasons.count(reason), reason) for reason in dict.fromkeys(reasons)]
    parts += [
        f"{wording.plural(ends.count(outcome), 'run')} {wording.outcome_word(outcome).partition(':')[0]}"
        for outcome in dict.fromkeys(ends)
    ]
    if stretch.how == kept_slots.LATE and stretch.end_ms is not None:
        parts.append(f"the backup came {clock.local(stretch.end_ms):%Y-%m-%d %H:%M}")
    elif stretch.end_ms is None:
        parts.append("no backup since then")
    return "; ".join(parts) or "no run"


def _stood(judged: Expectation, words: str, *, good: bool) -> str:
    """Return how a run stood against the job's rhythm: "in time: it was due by 2026-11-24 03:30 (every day)"."""
    if judged.word is Word.UNKNOWN or judged.expected_by_ms is None:
        long = ", after too long without a backup" if judged.late_since_ms is not None else ""
        return f"the rhythm of the job was not known yet{long}"
    by = f"{clock.local(judged.expected_by_ms):%Y-%m-%d %H:%M} ({words})"
    if not good:
        return f"a good backup {'was' if judged.state else 'is'} expected by {by}"
    if judged.state is None:
        return f"in time: it was due by {by}"
    missed = f", {wording.plural(judged.missed, 'backup')} missed before it" if judged.missed else ""
    return f"late: expected by {by}{missed}"
