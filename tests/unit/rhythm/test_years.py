"""Years of jobs played through `expect`: a small part of `tests/bench/bench_overdue.py`."""

import random
from pathlib import Path

import pytest

from tests.bench import bench_overdue as bench
from tests.bench.overdue_worlds import DAY, RHYTHMS, START, midnight

HISTORIES = sorted(bench.FOLDER.glob("*.txt"))
REGULAR = sorted(name for name in RHYTHMS if "then" not in name and "by hand" not in name)


@pytest.mark.parametrize("name", REGULAR)
def test_a_regular_year_has_no_false_alarm_and_a_stop_is_told(name: str) -> None:
    """Sleep, holidays, outages, failures and both nights of summer time make no job overdue; a dead scheduler does."""
    world = RHYTHMS[name](random.Random(name))
    ours = bench.alarms(world, START, bench.YEAR_END)[bench.OURS]
    assert (ours.alarms, ours.gaps > 10) == (0, True)
    tallies = {rule: bench.Tally() for rule in bench.RULES}
    for day in (130, 200, 270):
        bench.stopped(world, midnight(day), tallies)
    assert tallies[bench.OURS].never == 0
    assert tallies[bench.OURS].wall


@pytest.mark.parametrize("file", HISTORIES, ids=lambda file: file.stem)
def test_a_history_has_no_false_alarm_and_every_stop_in_it_is_told(file: Path) -> None:
    """The same for years that were composed after the habits of people."""
    world = bench.read(file)
    begin, end = world.runs[0].start, world.runs[-1].end
    assert bench.alarms(world, begin, end)[bench.OURS].alarms == 0
    tallies = {rule: bench.Tally() for rule in bench.RULES}
    for stop in range(begin + 90 * DAY, end, 25 * DAY):
        bench.stopped(world, stop, tallies)
    assert tallies[bench.OURS].never == 0
    assert len(tallies[bench.OURS].wall) >= 5


def test_there_are_histories() -> None:
    """An empty folder would prove nothing."""
    assert len(HISTORIES) >= 3
