"""Rule B: learn a job's rhythm from its past, and judge it by that.

The gap since the last good run is measured in expected successes: each awake day counts for the share of such weekdays that had a
success. A job is overdue when this score exceeds nearly all that its past explains. README.md beside this file has the formula.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import tzinfo
from itertools import islice, pairwise
from math import inf, log, sqrt

from tray.core.clock import DAY_MS
from tray.core.dataclass import dataclass, replace
from tray.core.model.expectation import Ask, Expectation, Word
from tray.rhythm.awake import Awake
from tray.rhythm.plan import HOUR_MS, Run
from tray.rhythm.zones import midnights

FEW_GAPS = 5
"""With fewer gaps between good runs the rhythm is not known."""

UNKNOWN_MS, UNKNOWN_LONGEST, NEVER_MS = 8 * DAY_MS, 2.5, 7 * DAY_MS
"""A job whose rhythm is not known is worth a warning after 8 days or 2.5 times its longest gap, and after 7 days without a gap."""

RARE_MS = 14 * DAY_MS
"""A job with a longer median gap is not learnt: a year shows too few of its gaps."""

HOURLY_BELOW_MS = 12 * HOUR_MS
"""With a shorter median gap the unit is an hour, else a day."""

FALSE_ALARMS = 0.25
"""How many false alarms a year the threshold allows a job whose gaps follow a Gamma distribution."""

ENOUGH_MISSES = ((2, 0.1), (3, 0.5))
"""A daily job is overdue after so many days without a success, if as many by chance are rarer than that in a year."""

PSEUDO_MISSES = 10
"""So many missed days are taken to be followed by another one as often as any day is missed."""

MOST_SCORES = 60
HALF_LIFE_DAYS = 90
LEARN_FROM_UNITS, LEARN_FROM_MS = 1200, 400 * DAY_MS
PSEUDO_UNITS = 2
MARGIN = 1.15
"""The threshold lies so far above the largest score of the past."""

OUTAGE = 2.0
"""A longer gap than so many times the threshold of its time counts as one of that length."""

LATENESS_MS = 900_000
"""A success may come so much later in a day than ever before, a quarter of the unit at most."""

_DUE = 0.9
_EXPECTED = 0.5
_ROW = 3
_MOST_AHEAD = 1000


@dataclass(frozen=True, slots=True)
class Unit:
    """The unit in which a job is observed: days of its zone, or hours.

    Attributes:
        length_ms: Its usual length.
        buckets: Kinds of it whose shares are learnt apart: 7 weekdays, or 24 hours of the day.
        awake_ms: It counts if the machine was awake for so long in it, or for half as long as usual in those with a success.
        zone: The time zone of the days.
    """

    length_ms: int
    buckets: int
    awake_ms: int
    zone: tzinfo

    @property
    def fading(self) -> float:
        """The weight of a unit in parts of the weight of the next one."""
        return float(0.5 ** (self.length_ms / (HALF_LIFE_DAYS * DAY_MS)))

    @property
    def learn_from_ms(self) -> int:
        """How far back the past says anything about the rhythm."""
        return min(LEARN_FROM_UNITS * self.length_ms, LEARN_FROM_MS)

    def since(self, at_ms: int) -> Iterator[tuple[int, int]]:
        """Return the begin and the bucket of each unit, without end, from the one that *at_ms* lies in."""
        return midnights(self.zone, at_ms) if self.buckets == 7 else _hours(at_ms)

    def until(self, at_ms: int, last_ms: int) -> tuple[list[int], list[int]]:
        """Return the begins of the units from *at_ms* to the first one after *last_ms*, and the buckets of all but that one."""
        if self.length_ms == HOUR_MS:
            hours = range(at_ms // HOUR_MS, last_ms // HOUR_MS + 1)
            return [hour * HOUR_MS for hour in (*hours, hours.stop)], [hour % 24 for hour in hours]
        begins, buckets = list[int](), list[int]()
        for begin, bucket in self.since(at_ms):
            begins.append(begin)
            if begin > last_ms:
                break
            buckets.append(bucket)
        return begins, buckets


@dataclass(frozen=True, slots=True)
class Learnt:
    """A job's rhythm at its last good run.

    Attributes:
        shares: By bucket, the share of awake units with a success.
        scores: Score at each success, oldest first, at most `MOST_SCORES`.
        ends_ms: Time of each of those successes.
        unit: The unit.
        awake_ms: A unit counts if the machine was awake for so long in it.
        usual_ms: How long the machine was awake in a unit when the first success of the unit came, in nine of ten.
        open_ms: End of the unit of the last success; the next gap counts from here.
        missed: Share of the expected units without a success, and the share of these that follow another one.
    """

    shares: tuple[float, ...]
    scores: tuple[float, ...]
    ends_ms: tuple[int, ...]
    unit: Unit
    awake_ms: int
    usual_ms: int
    open_ms: int
    missed: tuple[float, float]

    def limits(self) -> list[float]:
        """Return the threshold at each of `scores` but the first `FEW_GAPS`, from those before it, and last the one of now.

        An outage that the user was told of is no part of the rhythm: it counts as `OUTAGE` times its threshold at most.
        Otherwise a job that was dead for a month could die again for a month without a word.
        """
        a_year = max(2.0, 365 * DAY_MS / self.unit.length_ms * sum(self.shares) / len(self.shares))
        most = self._most(a_year)
        normal, least = _normal_quantile(FALSE_ALARMS / a_year), 2.0 if a_year > 100 else 1.5
        limits, number, total, squares, largest = list[float](), 0, 0.0, 0.0, 0.0
        for score in (*self.scores, 0.0):
            if number >= FEW_GAPS:
                mean = total / number
                variation = max(0.0, squares / number / (mean * mean) - 1)
                quantile = _gamma_quantile(1 / max(variation * (1 + 5 / number), 0.02), normal)
                limits.append(min(most, max(least, mean * quantile, MARGIN * largest)))
                score = min(score, OUTAGE * limits[-1])
            number, total, squares, largest = number + 1, total + score, squares + score * score, max(largest, score)
        return limits

    def _most(self, a_year: float) -> float:
        """Return the score that two or three missed days reach, if the past of a daily job hardly has as many in a row."""
        expected = [share for share in self.shares if share >= _EXPECTED]
        for misses, rarer in ENOUGH_MISSES if expected and self.unit.length_ms == DAY_MS else ():
            if a_year * self.missed[0] * self.missed[1] ** (misses - 1) <= rarer:
                return (misses - 0.5) * sum(expected) / len(expected)
        return inf

    def changed_since(self, limits: Sequence[float]) -> int | None:
        """Return when a row of at least three gaps over half the threshold of their time began, None if there is none."""
        began, row = None, 0
        for at_ms, score, limit in reversed(
            list(zip(self.ends_ms[FEW_GAPS:], self.scores[FEW_GAPS:], limits, strict=False))
        ):
            if score <= limit / 2:
                break
            began, row = at_ms, row + 1
        return began if row >= _ROW else None


def judge(
    zone: tzinfo, goods: Sequence[Run], first_ms: int, awake: Awake, now_ms: int, after_ms: int = 0
) -> Expectation:
    """Judge a job by the rhythm of its good runs.

    Args:
        zone: Tells the days apart.
        goods: The good runs in order of their ends, none in the future.
        first_ms: When the job became known.
        awake: Of the machine, until *now_ms*.
        now_ms: The moment to judge at.
        after_ms: The silence counts from then on, if the last good run was earlier.
    """
    since = max(goods[-1][1] if goods else first_ms, after_ms)
    gaps = [later[1] - before[1] for before, later in pairwise(goods)]
    period = middle(gaps)
    if len(gaps) < FEW_GAPS or period > RARE_MS:
        return _not_known(goods, gaps, since, now_ms)
    if period < HOURLY_BELOW_MS:
        unit = Unit(HOUR_MS, 24, HOUR_MS // 2, zone)
    else:
        unit = Unit(DAY_MS, 7, HOUR_MS, zone)
    learnt = learn(unit, goods, awake)
    if len(learnt.scores) < FEW_GAPS:
        return _not_known(goods, gaps, since, now_ms)
    if after_ms >= learnt.open_ms:
        _, (tomorrow, _) = islice(unit.since(after_ms), 2)
        learnt = replace(learnt, open_ms=tomorrow)
    return _judged(learnt, period, awake, now_ms)


def learn(unit: Unit, goods: Sequence[Run], awake: Awake) -> Learnt:
    """Learn the shares from *goods*, up to the last of them, and score each gap of the past with these shares."""
    begins, buckets, hits = _observed(unit, goods)
    times = awake.each(begins)
    usual = middle([time_awake for time_awake, hit in zip(times, hits, strict=True) if hit][-MOST_SCORES:])
    awake_ms = min(unit.awake_ms, usual // 2) or unit.awake_ms
    counted = [
        (bucket, hit)
        for bucket, time_awake, hit in zip(buckets, times, hits, strict=True)
        if hit or time_awake >= awake_ms
    ]
    shares = _shares(unit, counted)
    score, scores, ends_ms = 0.0, list[float](), list[int]()
    for bucket, hit in counted[1:]:  # no gap ends with the first success
        score += shares[bucket]
        if hit:
            scores.append(score)
            ends_ms.append(hit)
            score = 0.0
    firsts = [(begin, hit) for begin, hit in zip(begins, hits, strict=False) if hit][-MOST_SCORES:]
    took = sorted(awake.between(*stretch) for stretch in firsts)
    return Learnt(
        shares,
        tuple(scores[-MOST_SCORES:]),
        tuple(ends_ms[-MOST_SCORES:]),
        unit,
        awake_ms,
        took[len(took) * 9 // 10],
        begins[-1],
        _missed(unit, shares, counted),
    )


def _shares(unit: Unit, counted: Sequence[tuple[int, int]]) -> tuple[float, ...]:
    """Return by bucket the share of awake units with a success, drawn to the mean of all; older ones weigh less."""
    total, had = [0.0] * unit.buckets, [0.0] * unit.buckets
    weight, fading = 1.0, unit.fading
    for bucket, hit in reversed(counted):
        total[bucket] += weight
        if hit:
            had[bucket] += weight
        weight *= fading
    mean = sum(had) / sum(total)
    return tuple((good + PSEUDO_UNITS * mean) / (units + PSEUDO_UNITS) for good, units in zip(had, total, strict=True))


def _missed(unit: Unit, shares: Sequence[float], counted: Sequence[tuple[int, int]]) -> tuple[float, float]:
    """Return which share of the expected units had no success, and which share of those that follow such a unit."""
    total, misses, rows, weight, later, fading = 1.0, 0.5, 0.0, 1.0, 1, unit.fading
    for bucket, hit in reversed(counted):
        if shares[bucket] >= _EXPECTED:
            total += weight
            misses += 0 if hit else weight
            rows += 0 if hit or later else weight
            later = hit
        weight *= fading
    share = misses / total
    return share, (rows + PSEUDO_MISSES * share) / (misses + PSEUDO_MISSES)


def _observed(unit: Unit, goods: Sequence[Run]) -> tuple[list[int], list[int], list[int]]:
    """Return the begin of each unit and one more, the bucket of each, and the end of the first success in it, 0 without one."""
    last = goods[-1][1]
    ends = [end for _, end in goods if end > last - unit.learn_from_ms]
    begins, buckets = unit.until(ends[0], last)
    hits = [0] * len(buckets)
    for end in reversed(ends):
        hits[bisect_right(begins, end) - 1] = end
    return begins, buckets, hits


def _judged(learnt: Learnt, period: int, awake: Awake, now_ms: int) -> Expectation:
    limits = learnt.limits()
    limit = limits[-1]
    due_score = min(_DUE * sum(learnt.scores) / len(learnt.scores), limit)
    now_score, due, overdue, upcoming = 0.0, 0, 0, 0
    for score, counts_ms in _open_scores(learnt, awake, now_ms):
        now_score = score if counts_ms <= now_ms else now_score
        upcoming = upcoming or (counts_ms if counts_ms > now_ms else 0)
        due = due or (counts_ms if score >= due_score else 0)
        if score >= limit:
            overdue = counts_ms
            break
    changed = learnt.changed_since(limits)
    return Expectation(
        Word.OVERDUE if 0 < overdue <= now_ms else Word.DUE if 0 < due <= now_ms else Word.FINE,
        expected_by_ms=overdue or None,
        next_ms=due or None,
        overdue_since_ms=overdue if 0 < overdue <= now_ms else None,
        period_ms=period,
        learnt=True,
        score=now_score,
        limit=limit,
        ask=None if changed is None else Ask.CHANGED,
        ask_since_ms=changed,
        valid_until_ms=upcoming,
    )


def _open_scores(learnt: Learnt, awake: Awake, now_ms: int) -> Iterator[tuple[float, int]]:
    """Return the score since the last success with each awake unit, and the moment from which that unit counts.

    A unit counts once the machine was awake in it for longer than nine of ten successes took to come, or at its end. The units to
    come, and the rest of the present one, are taken to be awake.
    """
    unit, score, at_ms, ahead = learnt.unit, 0.0, learnt.open_ms, 0
    enough = max(learnt.awake_ms, learnt.usual_ms + min(LATENESS_MS, unit.length_ms // 4))
    while ahead < _MOST_AHEAD:
        (begin, bucket), (end, _) = islice(unit.since(at_ms), 2)
        if end > now_ms or awake.between(begin, end) >= learnt.awake_ms:
            score += learnt.shares[bucket]
            moment = min(end, awake.at(begin, enough, now_ms))
            yield score, awake.awake_from(moment) if moment <= now_ms else moment
            at_ms = end
        else:
            at_ms = max(end, min(awake.awake_from(end), now_ms))
        ahead += end > now_ms


def _not_known(goods: Sequence[Run], gaps: Sequence[int], since: int, now_ms: int) -> Expectation:
    patience = max(UNKNOWN_MS, int(UNKNOWN_LONGEST * max(gaps))) if gaps else NEVER_MS
    limit = since + patience
    rare = len(gaps) > 1 and middle(gaps) > RARE_MS
    return Expectation(
        Word.UNKNOWN if goods else Word.NEVER_RAN,
        expected_by_ms=limit,
        late_since_ms=limit if limit <= now_ms else None,
        period_ms=middle(gaps) if rare else None,
        learnt=True,
        ask=Ask.RARE if rare else None,
        ask_since_ms=goods[2][1] if rare else None,
        valid_until_ms=limit if limit > now_ms else 0,
    )


def middle(values: Sequence[int]) -> int:
    """Return the median of *values*, the lower one of two; 0 without any; `statistics` would load a dozen modules."""
    return sorted(values)[(len(values) - 1) // 2] if values else 0


def _hours(at_ms: int) -> Iterator[tuple[int, int]]:
    number = at_ms // HOUR_MS
    while True:
        yield number * HOUR_MS, number % 24
        number += 1


def _gamma_quantile(shape: float, normal: float) -> float:
    """Return the quantile of a Gamma variable of mean 1 from the *normal* one of the same probability (Wilson and Hilferty)."""
    return max(0.0, 1 - 1 / (9 * shape) + normal / (3 * sqrt(shape))) ** 3


def _normal_quantile(tail: float) -> float:
    """Return the value that a standard normal variable exceeds with the probability *tail* (Abramowitz and Stegun 26.2.23)."""
    t = sqrt(-2 * log(tail))
    return t - (2.515517 + 0.802853 * t + 0.010328 * t * t) / (1 + 1.432788 * t + 0.189269 * t * t + 0.001308 * t**3)
