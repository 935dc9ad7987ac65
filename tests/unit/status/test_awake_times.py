"""Awake time from marks, from the system's records of its starts, and from the clocks of now."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.observe.test_awake_log import Machine
from tray.core import clock
from tray.core.paths import Places, private
from tray.observe import awake_log, boots
from tray.observe.awake_log import BEAT, BOOT, END, OFF, RUN, Keeper, Mark
from tray.rhythm.awake import Awake
from tray.status.awake_times import AwakeTimes, intervals

MINUTE, HOUR, DAY = 60_000, 3_600_000, clock.DAY_MS
T = 1_795_000_000_000


def now(at: int, since: int, slept: int = 0, boot: str = "now") -> Mark:
    """Return the clocks of now."""
    return Mark(BEAT, at, boot, since, slept)


def awake_hours(
    marks: list[Mark], recorded: list[Mark], at: Mark, begin: int, end: int, seen: int | None = None
) -> float:
    """Return the awake hours between two moments."""
    return Awake(*intervals(marks, recorded, at, seen)).between(begin, end) / HOUR


def test_a_boot_without_sleep_is_awake_from_its_start() -> None:
    """A server needs no records for that."""
    assert awake_hours([], [], now(T, 100 * HOUR), T - 100 * HOUR, T) == 100


def test_a_boot_with_sleep_is_awake_for_the_rest_of_it() -> None:
    """Where in it the machine slept is not known without marks, but for how long it did."""
    assert awake_hours([], [], now(T, 100 * HOUR, 70 * HOUR), T - 100 * HOUR, T) == 30
    assert awake_hours([], [], now(T, 100 * HOUR, 70 * HOUR), T - 30 * HOUR, T) == 30


def test_marks_tell_where_in_a_boot_the_sleep_was() -> None:
    """Before and after each night there is one."""
    start = T - 50 * HOUR
    marks = [
        Mark(BEAT, start + 10 * HOUR, "now", 10 * HOUR, 0),
        Mark(BEAT, start + 20 * HOUR, "now", 20 * HOUR, 10 * HOUR),
        Mark(BEAT, start + 30 * HOUR, "now", 30 * HOUR, 10 * HOUR),
    ]
    at = now(T, 50 * HOUR, 30 * HOUR)
    assert awake_hours(marks, [], at, start, T) == 20
    assert awake_hours(marks, [], at, start + 10 * HOUR, start + 20 * HOUR) == 0
    assert awake_hours(marks, [], at, start + 20 * HOUR, start + 30 * HOUR) == 10


def test_the_machine_counts_as_awake_from_now_on() -> None:
    """Until its clocks tell of a sleep."""
    assert awake_hours([], [], now(T, HOUR), T, T + 5 * HOUR) == 5


def watched(kind: str, until: int) -> list[Mark]:
    """Return the marks of an earlier boot that a tracker watched up to its last sign."""
    return [Mark(BEAT, T - 40 * DAY, "old", HOUR, 0), Mark(kind, until, "old", HOUR + until - (T - 40 * DAY), 0)]


def test_a_holiday_with_the_machine_off_is_no_awake_time() -> None:
    """The tracker lived until the power went; three weeks later the machine was started again."""
    marks, at = watched(BEAT, T - 30 * DAY), now(T, HOUR)
    assert awake_hours(marks, [], at, T - 30 * DAY, T) == 1


def test_a_time_that_nothing_tells_of_counts_as_asleep_for_two_weeks_and_then_as_awake() -> None:
    """The tracker ended when the user logged out: an absent watcher must not mean calm for ever."""
    marks, at = watched(END, T - 30 * DAY), now(T, HOUR)
    assert awake_hours(marks, [], at, T - 30 * DAY, T) == 16 * 24


def test_a_recorded_shutdown_tells_when_the_machine_went_off() -> None:
    """The user logged out, the machine went on for a day, then it was off."""
    marks, at = watched(END, T - 30 * DAY), now(T, HOUR)
    recorded = [Mark(OFF, T - 29 * DAY), Mark(BOOT, T - HOUR)]
    assert awake_hours(marks, recorded, at, T - 30 * DAY, T) == 25
    slept = [marks[0], Mark(END, T - 30 * DAY, "old", 10 * DAY + HOUR, 3 * DAY)]
    assert awake_hours(slept, recorded, at, T - 30 * DAY, T) == 1


def test_boots_without_a_watcher_are_awake_from_start_to_shutdown() -> None:
    """As the system recorded them."""
    recorded = [Mark(BOOT, T - 9 * DAY), Mark(OFF, T - 8 * DAY), Mark(BOOT, T - 3 * DAY), Mark(OFF, T - 2 * DAY)]
    assert awake_hours([], recorded, now(T, HOUR), T - 9 * DAY, T) == 24 + 24 + 1


def test_a_virtual_machine_that_was_held_was_not_awake() -> None:
    """Its own clocks stood still, and the wall clock went on."""
    marks = [Mark(RUN, T - 20 * HOUR, "now", 10 * HOUR, 0)]
    at = now(T, 12 * HOUR)
    assert awake_hours(marks, [], at, T - 20 * HOUR, T) == 2
    assert awake_hours(marks, [], at, T - 30 * HOUR, T - 20 * HOUR) == 10


@pytest.mark.parametrize("wrong", [1_000_000, T - 300 * DAY, T - 3 * DAY, T + 400 * DAY])
def test_a_wrong_clock_makes_no_sleep_that_was_none(wrong: int) -> None:
    """The clock was set soon after the start: the machine was awake from its true start on."""
    marks = [Mark(BEAT, wrong, "now", MINUTE, 0), Mark(BEAT, T - 9 * HOUR, "now", HOUR, 0)]
    assert awake_hours(marks, [], now(T, 10 * HOUR), T - 9 * HOUR, T) == 9


def test_marks_of_a_clock_that_was_ahead_are_not_believed() -> None:
    """They lie in the future of another boot."""
    marks = [Mark(BEAT, T + 300 * DAY, "old", HOUR, 0), Mark(BEAT, T + 301 * DAY, "old", DAY + HOUR, DAY)]
    assert awake_hours(marks, [], now(T, HOUR), T - DAY, T) == 24


def test_without_any_record_the_time_after_the_last_run_is_not_known() -> None:
    """The file is damaged or new, and the machine was off for ten days: no false alarm, but no calm for ever either."""
    at = now(T, HOUR)
    assert awake_hours([], [], at, T - 10 * DAY, T, seen=T - 10 * DAY) == 1
    assert awake_hours([], [], at, T - 30 * DAY, T, seen=T - 30 * DAY) == 16 * 24
    assert awake_hours([], [], at, T - 40 * DAY, T - 30 * DAY, seen=T - 30 * DAY) == 240


@given(
    marks=st.lists(
        st.tuples(
            st.sampled_from([BEAT, END, RUN, BOOT, OFF]),
            st.integers(0, 2 * T),
            st.sampled_from(["now", "a", "b"]),
            st.integers(0, 400 * DAY),
            st.integers(0, 400 * DAY),
        ).map(
            lambda row: Mark(row[0], row[1], row[2] if row[0] not in (BOOT, OFF) else "-", row[3], min(row[3], row[4]))
        ),
        max_size=12,
    ),
    since=st.integers(0, 400 * DAY),
    slept=st.integers(0, 400 * DAY),
)
def test_no_marks_make_a_stretch_longer_than_it_is_or_an_awake_boot_asleep(
    marks: list[Mark], since: int, slept: int
) -> None:
    """Whatever the file holds, this moment is awake, and no time is counted twice."""
    at = now(T, since, min(slept, since))
    awake = Awake(*intervals(marks, [], at, None))
    assert awake.between(T, T + HOUR) == HOUR
    for days in (1, 20, 300):
        assert 0 <= awake.between(T - days * DAY, T) <= days * DAY


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Return a machine without a wtmp whose clocks the test moves."""
    monkeypatch.setattr(boots, "recorded", list)
    return Machine(monkeypatch)


def test_the_same_answer_is_given_while_nothing_changes(places: Places, machine: Machine) -> None:
    """A judgement that was made with it stays right."""
    times = AwakeTimes(places)
    known = times.read(None)
    for _ in range(50):
        machine.work(MINUTE)
        assert times.read(None) is known
    begin = machine.wall
    machine.sleep(8 * HOUR)
    machine.work(MINUTE)
    assert times.read(None) is not known
    assert times.read(None).between(begin, machine.wall) == MINUTE
    assert times.read(None).between(begin - HOUR, begin) == HOUR


def test_a_reader_without_a_tracker_remembers_each_sleep_itself(places: Places, machine: Machine) -> None:
    """It asks each second, so it knows when each one began and ended."""
    times = AwakeTimes(places)
    times.read(None)
    starts = []
    for _ in range(5):
        machine.work(10 * MINUTE)
        times.read(None)
        starts.append(machine.wall)
        machine.sleep(10 * HOUR)
        times.read(None)
    known = times.read(None)
    assert [known.between(start, start + 10 * HOUR) for start in starts] == [0] * 5
    assert [known.between(start - 10 * MINUTE, start) for start in starts] == [10 * MINUTE] * 5


def test_a_new_process_knows_the_sleep_from_the_marks_of_the_tracker(places: Places, machine: Machine) -> None:
    """The night before is known in the morning."""
    keeper = Keeper(places)
    keeper.begin()
    machine.work(5 * MINUTE)
    keeper.beat()
    evening = machine.wall
    machine.sleep(9 * HOUR)
    machine.work(4 * MINUTE)
    keeper.beat()
    machine.work(3 * HOUR)
    known = AwakeTimes(places).read(None)
    assert known.between(evening, evening + 9 * HOUR) == 0
    assert known.between(evening, machine.wall) == 3 * HOUR + 4 * MINUTE


def test_damage_and_a_clock_that_is_set_raise_nothing(places: Places, machine: Machine) -> None:
    """Of a damaged time nothing is known."""
    private(places.state)
    places.awake_log.write_bytes(b"\xff" * 1000 + Mark(BEAT, T, "x", 5, 5).line()[:-4])
    places.awake_beat.mkdir()
    times = AwakeTimes(places)
    known = times.read(machine.wall - 3 * DAY)
    assert known.between(machine.wall - 3 * DAY, machine.wall) == HOUR
    machine.wall += 40 * DAY
    assert times.read(None) is not known
    assert awake_log.read(places) == []
