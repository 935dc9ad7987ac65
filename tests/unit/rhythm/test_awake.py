"""How much of a stretch of time the machine was awake."""

from hypothesis import given
from hypothesis import strategies as st

from tray.core.clock import DAY_MS
from tray.rhythm.awake import Awake

edges = st.integers(0, 60 * DAY_MS)
intervals = st.lists(st.tuples(edges, edges), max_size=8)


def test_without_any_record_the_machine_counts_as_awake() -> None:
    """An instance that has just been installed judges by the wall clock."""
    assert Awake().between(5, 105) == 100
    assert Awake().at(5, 100, 50) == 105


def test_sleep_does_not_count() -> None:
    """Only the awake part of a stretch counts, and the moment for an awake duration lies after the sleep."""
    awake = Awake([(0, 100), (500, 600)], [(100, 500)])
    assert awake.between(50, 550) == 100
    assert awake.at(50, 60, 600) == 510
    assert awake.at(50, 50, 600) == 100
    assert awake.awake_from(200) == 500
    assert awake.awake_from(550) == 550


def test_an_absent_watcher_does_not_mean_calm_for_ever() -> None:
    """A stretch of which nothing is known counts as asleep for 14 days, then as awake; each stretch has 14 days of its own."""
    awake = Awake([(0, 100), (20 * DAY_MS, 20 * DAY_MS + 100)])
    assert awake.between(100, 14 * DAY_MS) == 0
    assert awake.between(100, 20 * DAY_MS) == 6 * DAY_MS - 100
    assert awake.between(20 * DAY_MS + 100, 30 * DAY_MS) == 0
    assert awake.between(20 * DAY_MS + 100, 40 * DAY_MS) == 6 * DAY_MS - 100


def test_a_known_year_of_sleep_stays_sleep() -> None:
    """The limit of 14 days is for the unknown only."""
    assert Awake([(0, 100)], [(100, 365 * DAY_MS)]).between(0, 365 * DAY_MS) == 100


def test_awake_wins_where_records_disagree() -> None:
    """A process of ours ran then."""
    assert Awake([(10, 20)], [(0, 100)]).between(0, 100) == 10


@given(intervals, intervals, edges, edges, edges)
def test_the_parts_add_up(awake: list[tuple[int, int]], asleep: list[tuple[int, int]], a: int, b: int, c: int) -> None:
    """No stretch is counted twice, lost, negative or longer than it is."""
    known = Awake(awake, asleep)
    a, b, c = sorted((a, b, c))
    assert known.between(a, b) + known.between(b, c) == known.between(a, c)
    assert 0 <= known.between(a, b) <= b - a
    assert known.between(b, a) == 0
    assert known.each([a, b, c]) == [known.between(a, b), known.between(b, c)]


@given(intervals, intervals, edges, st.integers(1, 40 * DAY_MS), edges)
def test_the_moment_of_an_awake_duration_is_exact(
    awake: list[tuple[int, int]], asleep: list[tuple[int, int]], a: int, duration: int, now: int
) -> None:
    """`at` and `between` agree: that moment is the first at which the duration is reached."""
    known = Awake(awake, asleep)
    moment = known.at(a, duration, now)
    if moment <= now:
        assert known.between(a, moment) == duration
        assert known.between(a, moment - 1) == duration - 1
    else:
        assert moment == max(a, now) + duration - known.between(a, now)
