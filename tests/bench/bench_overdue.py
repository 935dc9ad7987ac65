"""How often a job is called overdue although nothing is wrong, and how soon after a real stop; beside the rules of other programs.

    python tests/bench/bench_overdue.py [--seeds N] [--only TEXT] [--jobs N] [--history FILE ...] [--speed]

Replays years of jobs (`overdue_worlds.py`, and the histories in `tests/data/rhythms`) through the real `expect`. A gap counts as a
false alarm if the job is called overdue before its next run starts. After a recorded failure no alarm counts, because every surface
shows the failure. The stop falls on a random day of each year; its days count from the first run that did not come.
"""

import argparse
import math
import random
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import pairwise
from multiprocessing import Pool
from multiprocessing.pool import Pool as PoolOfProcesses
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from tests.bench.overdue_worlds import BERLIN, DAY, HOUR, MINUTE, RHYTHMS, START, ZONE, Run, World, midnight
from tray.core.dataclass import dataclass, field
from tray.core.model import State
from tray.rhythm import Ask, Past, Rhythm, Word, learn
from tray.rhythm.awake import Awake
from tray.rhythm.expect import expect
from tray.rhythm.slots import calendar
from tray.rhythm.zones import midnights

FOLDER = Path(__file__).parent.parent / "data" / "rhythms"
OURS = "ours"
RULES = (OURS, "7 days", "1.25 x period", "period + 1 day", "1.5 x longest gap")
YEAR_END = midnight(365)
GOAL_DAYS = 3
"""The stop of a daily job is to be told within so many days of use."""

PATIENCE = 200 * DAY
"""A stop that is not told for so long counts as never told."""


@dataclass()
class Tally:
    """Of one rule on one rhythm."""

    alarms: int = 0
    ambers: int = 0
    gaps: int = 0
    years: float = 0
    wall: list[float] = field(default_factory=list)
    awake: list[float] = field(default_factory=list)
    never: int = 0

    def add(self, other: "Tally") -> None:
        """Add the figures of *other*."""
        self.alarms, self.ambers, self.gaps = (
            self.alarms + other.alarms,
            self.ambers + other.ambers,
            self.gaps + other.gaps,
        )
        self.years, self.never = self.years + other.years, self.never + other.never
        self.wall += other.wall
        self.awake += other.awake


Tallies = dict[str, Tally]


def main() -> None:
    """Print one line for each rhythm and rule."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--only", default="")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--curve", action="store_true", help="print false alarms against stops told within three days")
    parser.add_argument("--speed", action="store_true", help="measure time instead")
    parser.add_argument("--history", type=Path, nargs="*", help="replay these files; their form: see read")
    parser.add_argument("--stops", type=int, default=200, help="stops in each history")
    options = parser.parse_args()
    if options.speed:
        speed()
        return
    if options.curve:
        curve(options.seeds, options.jobs)
        return
    print(f"{'':<36}{'':<19}{'false alarms a year':>27}{'':>7}   days until told")
    print(
        f"{'rhythm':<36}{'rule':<19}{'(95 %)':>27}{'amber':>7}{'in use':>8}{'worst':>8}{'wall':>9}{'worst':>8}"
        f"{'<= 3':>7}{'never':>7}"
    )
    with Pool(options.jobs) as pool:
        for name in RHYTHMS if options.history is None else ():
            if options.only in name:
                show(name, simulated(pool, name, options.seeds))
        files = sorted(FOLDER.glob("*.txt")) if options.history is None else options.history
        for file in files:
            if options.only in file.stem:
                works = [(file, place, options.stops) for place in range(options.stops)]
                show(file.stem, summed(pool.imap_unordered(_history, works, chunksize=5)))


def simulated(pool: PoolOfProcesses, name: str, seeds: int) -> Tallies:
    """Return the figures of so many years of one rhythm."""
    return summed(pool.imap_unordered(_seed, [(name, seed) for seed in range(seeds)], chunksize=10))


def curve(seeds: int, jobs: int) -> None:
    """Print price and gain of the rule for missed days of daily jobs, from never to at any price."""
    daily = [name for name in RHYTHMS if name.endswith("learnt") and RHYTHMS[name](random.Random(0)).period == DAY]
    print(
        f"{'two, three misses if rarer than':<34}" + "".join(f"{name.removesuffix(', learnt'):>30}" for name in daily)
    )
    for rarer in ((0.0, 0.0), (0.0, 0.1), (0.1, 0.5), (0.1, 2.0), (0.5, 2.0), (9.9, 9.9)):
        learn.ENOUGH_MISSES = tuple(zip((2, 3), rarer, strict=True))
        with Pool(jobs) as pool:
            rows = [simulated(pool, name, seeds)[OURS] for name in daily]
        print(
            f"{rarer[0]:>16} {rarer[1]:>4} a year{'':<7}"
            + "".join(f"{row.alarms / row.years:>14.3f} a year {within(row):>5.1f} %" for row in rows),
            flush=True,
        )


def within(tally: Tally) -> float:
    """Return which percentage of the stops was told within three days of use."""
    return 100 * sum(days <= GOAL_DAYS for days in tally.awake) / max(1, len(tally.awake) + tally.never)


def _seed(work: tuple[str, int]) -> Tallies:
    name, seed = work
    rng = random.Random(f"{name} {seed}")
    world = RHYTHMS[name](rng)
    first, last = (250, 310) if "then" in name else (120, 300)
    tallies = alarms(world, START, YEAR_END)
    return stopped(world, midnight(rng.randrange(first, last)), tallies)


def _history(work: tuple[Path, int, int]) -> Tallies:
    """Return the figures of one stop in a history; those of the false alarms come with the first."""
    file, place, stops = work
    world = read(file)
    begin, end = world.runs[0].start, world.runs[-1].end
    tallies = alarms(world, begin, end) if place == 0 else {rule: Tally() for rule in RULES}
    return stopped(world, begin + (end - begin) * (stops * 3 // 10 + place) // (stops * 4 // 3), tallies)


def alarms(world: World, begin: int, end: int) -> Tallies:
    """Count the false alarms of each rule between *begin* and *end*."""
    tallies = {rule: Tally(years=(end - begin) / (365 * DAY)) for rule in RULES}
    goods: list[tuple[int, int]] = []
    runs = [run for run in world.runs if run.end <= end]
    gaps: list[int] = []
    for number, run in enumerate(runs[:-1]):
        if not run.good:
            continue
        if goods:
            gaps.append(run.end - goods[-1][1])
        goods.append((run.start, run.end))
        until = runs[number + 1].start - 1
        for rule in RULES[1:]:
            tallies[rule].gaps += 1
            tallies[rule].alarms += world.awake.awake_from(run.end + limit(rule, world.period, gaps)) <= until
        ours = tallies[OURS]
        ours.gaps += 1
        if not quiet(world, run, until):
            answer = expect(world.rhythm, Past(tuple(goods[-400:]), runs[0].start), world.awake, until)
            ours.alarms += answer.word is Word.OVERDUE
            ours.ambers += answer.state is State.WARNING
    return tallies


def quiet(world: World, run: Run, until: int) -> bool:
    """Whether no rule of ours can speak before *until*: A needs half an hour awake after a slot, B more than a whole unit."""
    rhythm = world.rhythm
    if rhythm.on:
        slot = calendar(rhythm.on, ZONE).after(run.end)
        return not slot or world.awake.between(slot[0], until) < 10 * MINUTE
    if rhythm.every_ms:
        return world.awake.between(run.start + rhythm.every_ms, until) < 10 * MINUTE
    return until - run.end < min(world.period, DAY)


def limit(rule: str, period: int, gaps: Sequence[int]) -> int:
    """Return the age at which a rule of others speaks."""
    match rule:
        case "7 days":
            return 7 * DAY
        case "1.25 x period":
            return period * 5 // 4
        case "period + 1 day":
            return period + DAY
        case _:
            return max(gaps[-60:], default=5 * DAY) * 3 // 2


def stopped(world: World, stop: int, tallies: Tallies) -> Tallies:
    """Add to *tallies* how long each rule takes to notice that no run came after *stop*."""
    before = [run for run in world.runs if run.start < stop]
    missed = next((run.start for run in world.runs if run.start >= stop), None)
    goods = [(run.start, run.end) for run in before if run.good]
    if missed is None or len(goods) < 2 or not before[-1].good:
        return tallies  # the failure before the stop is shown already
    gaps = [later[1] - earlier[1] for earlier, later in pairwise(goods)]
    until = missed + PATIENCE
    for rule in RULES:
        if rule == OURS:
            noticed = told_by_us(world, Past(tuple(goods[-400:]), goods[0][0]), until)
        else:
            noticed = world.awake.awake_from(goods[-1][1] + limit(rule, world.period, gaps))
        if noticed is None or noticed >= until:
            tallies[rule].never += 1
        else:
            noticed = max(noticed, missed)
            tallies[rule].wall.append((noticed - missed) / DAY)
            tallies[rule].awake.append(days_in_use(world, missed, noticed))
    return tallies


def told_by_us(world: World, past: Past, until: int) -> int | None:
    """Return when the job became overdue, or worth a warning where it never can; a step goes to the next change."""
    now = past.goods[-1][1] + 1
    while now < until:
        answer = expect(world.rhythm, past, world.awake, now)
        if answer.overdue_since_ms is not None:
            return answer.overdue_since_ms
        if (answer.word is Word.UNKNOWN or answer.ask is Ask.RARE) and answer.late_since_ms is not None:
            return world.awake.awake_from(answer.late_since_ms)
        now = world.awake.awake_from(answer.valid_until_ms)
    return None


def days_in_use(world: World, begin: int, end: int) -> float:
    """Return the time from *begin* to *end* in days of use: the job's days with an hour awake, their parts by awake time."""
    count, between = 0.0, world.awake.between
    for (start, weekday), (stop, _) in pairwise(midnights(ZONE, begin)):
        if start >= end:
            break
        if weekday in world.weekdays and (used := between(start, stop)) >= HOUR:
            count += between(max(start, begin), min(stop, end)) / used
    return count


def summed(parts: Iterator[Tallies]) -> Tallies:
    """Return the sum of *parts*."""
    total = {rule: Tally() for rule in RULES}
    for part in parts:
        for rule, tally in part.items():
            total[rule].add(tally)
    return total


def show(name: str, tallies: Tallies) -> None:
    """Print the figures of one rhythm."""
    for rule, tally in tallies.items():
        low, high = wilson(tally.alarms, tally.gaps)
        a_year = tally.gaps / tally.years if tally.years else 0
        rate = f"{tally.alarms / tally.years if tally.years else 0:8.3f} ({low * a_year:.3f}-{high * a_year:.3f})"
        amber = f"{tally.ambers / tally.years:7.2f}" if rule == OURS else " " * 7
        wall, used = sorted(tally.wall), sorted(tally.awake)
        noticed, soon = "-", f"{within(tally):>6.0f}%"
        if wall:
            noticed = f"{median(used):>8.1f}{used[-1]:>8.1f}{median(wall):>9.1f}{wall[-1]:>8.1f}"
        print(
            f"{name if rule == OURS else '':<36}{rule:<19}{rate:>27}{amber}{noticed:>33}{soon}{tally.never:>7}",
            flush=True,
        )


def speed() -> None:
    """Print how long 50 jobs take to judge anew, and one of them; a poll keeps all answers that are still valid."""
    world = RHYTHMS["laptop, when in use, learnt"](random.Random(1))
    past = Past(tuple((run.start, run.end) for run in world.runs if run.good)[-400:], START)
    now = past.goods[-1][1] + 5 * HOUR
    for name, rhythm in (
        ("learnt", world.rhythm),
        ("stated, OnCalendar", Rhythm("stated", on="Mon..Fri 20:30", zone=BERLIN)),
        ("stated, every", Rhythm("stated", every_ms=DAY)),
    ):
        took = []
        for _ in range(50):
            begin = time.perf_counter()
            expect(rhythm, past, world.awake, now)
            took.append(time.perf_counter() - begin)
        print(f"{name:<20} 50 jobs anew {sum(took) * 1000:6.1f} ms, one {median(took) * 1000:5.2f} ms")


def wilson(hits: int, trials: int) -> tuple[float, float]:
    """Return the 95 % interval of a share."""
    if not trials:
        return 0.0, 0.0
    z, share = 1.96, hits / trials
    middle = share + z * z / (2 * trials)
    around = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    whole = 1 + z * z / trials
    return max(0.0, (middle - around) / whole), (middle + around) / whole


def read(file: Path) -> World:
    """Read lines "period HOURS", "zone NAME", "on LINE" if stated, "awake FROM TO", "run FROM TO ok|failed|missed", and comments.

    A run that was missed is one that never came: an alarm about it is right, and not counted. The runs may stand in any order.
    """
    awake, runs, rhythm, period = list[tuple[int, int]](), list[Run](), Rhythm(zone=BERLIN), DAY
    for line in file.read_text().splitlines():
        match line.split():
            case ["period", hours]:
                period = int(hours) * HOUR
            case ["on", *words]:
                rhythm = Rhythm("stated", on=" ".join(words), zone=rhythm.zone)
            case ["zone", zone]:
                rhythm = Rhythm(zone=zone)
            case ["awake", begin, end]:
                awake.append((int(begin) * 1000, int(end) * 1000))
            case ["run", begin, end, word]:
                runs.append(Run(int(begin) * 1000, int(end) * 1000, word == "ok"))
    runs.sort(key=lambda run: run.start)
    if not awake:
        return World(Awake(), runs, rhythm, period)
    again = 364 * DAY  # after its end the same machine goes on, and a stop near the end can be told
    awake += [(begin + again, end + again) for begin, end in awake if begin + again >= runs[-1].end]
    return World(Awake(awake, [(runs[0].start, max(awake)[1])]), runs, rhythm, period)


if __name__ == "__main__":
    main()
