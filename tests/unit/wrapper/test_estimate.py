"""The estimator: what it says of the time left, and what it never says."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.bench.bench_estimate import Recording, load, replay
from tray.core.model import Phase
from tray.wrapper.estimate import Counters, Estimate, Estimator, Past
from tray.wrapper.pace import MOST_GROWTH, MOST_LOSS, PATIENCE_SECONDS, SOON_FOR_SECONDS, STEADY_SECONDS, Costs, Rate

MB = 1_000_000
COPYING, SCANNING, FINISHING = Phase.COPYING, Phase.SCANNING, Phase.FINISHING


def copy(
    estimator: Estimator,
    jobs: list[tuple[int, int, float]],
    *,
    began: float = 0.0,
    totals: tuple[int | None, int | None] | None = None,
    step: float = 0.5,
) -> list[tuple[float, Estimate]]:
    """Feed a run that copies *jobs*, each (files, bytes, seconds) at a steady pace; return (seconds left in truth, estimate)."""
    files_total, bytes_total = totals or (sum(job[0] for job in jobs), sum(job[1] for job in jobs))
    whole, now, files, size = sum(job[2] for job in jobs), 0.0, 0.0, 0.0
    found = []
    for more_files, more_bytes, seconds in jobs:
        steps = max(round(seconds / step), 1)
        for _ in range(steps):
            now += seconds / steps
            files, size = files + more_files / steps, size + more_bytes / steps
            reading = Counters(began + now, COPYING, int(files), files_total, int(size), bytes_total)
            found.append((whole - now, estimator.add(reading)))
    return found


def worst(found: list[tuple[float, Estimate]], *, after: float = 0.0) -> float:
    """The largest error in seconds of all that was said once *after* seconds had passed."""
    whole = found[0][0]
    errors = [
        abs(one.eta_seconds - left) for left, one in found if one.eta_seconds is not None and whole - left >= after
    ]
    assert errors
    return max(errors)


def test_a_steady_run_is_estimated_to_the_second() -> None:
    """Where nothing is hard, nothing is wrong."""
    assert worst(copy(Estimator(0.0), [(1000, 6000 * MB, 60)])) <= 1.5


def test_many_small_files_at_the_end_are_foreseen() -> None:
    """Their bytes are nothing, but each of them takes its time; `remaining / average` would say that all is done."""
    mixed = (3000, 600 * MB, 18.0)  # shows what a file costs: 4 ms, and 6 s for the bytes
    found = copy(Estimator(0.0), [mixed, (0, 3000 * MB, 30.0), mixed, (20_000, 20 * MB, 80.0)])
    said = [one.eta_seconds for left, one in found if abs(left - 80) < 1]
    assert all(eta is not None and 50 <= eta <= 110 for eta in said), said


def test_a_rate_that_changes_is_followed() -> None:
    """A fast beginning (a cache, a burst) does not promise anything for the rest."""
    found = copy(Estimator(0.0), [(100, 1000 * MB, 5.0), (900, 1000 * MB, 95.0)])
    assert worst(found, after=60) <= 15


@pytest.mark.parametrize("phase", [SCANNING, FINISHING])
def test_nothing_is_said_while_nothing_can_be_known(phase: Phase) -> None:
    """While the engine counts what there is, and after the last byte, a time would be made up."""
    estimator = Estimator(0.0)
    said = [estimator.add(Counters(t, phase, t * 10, 1000, t * MB, 100 * MB)) for t in range(60)]
    assert [one.eta_seconds for one in said] == [None] * 60
    assert (said[-1].files_total, said[-1].totals_are_estimate) == (1000, False)


def test_totals_of_the_last_run_stand_in_where_the_engine_has_none() -> None:
    """borg and tar do not count before they copy; the last run did."""
    estimator = Estimator(0.0, [Past(60, 1000, 6000 * MB), Past(90, 500, 10 * MB)])
    first = estimator.add(Counters(1.0, COPYING, 10, None, 60 * MB, None))
    assert (first.files_total, first.bytes_total, first.totals_are_estimate) == (1000, 6000 * MB, True)
    found = copy(Estimator(0.0, [Past(60, 1000, 6000 * MB)]), [(1000, 6000 * MB, 60)], totals=(None, None))
    assert worst(found) <= 2


def test_totals_while_scanning_are_those_of_the_last_run_until_the_scan_knows_better() -> None:
    """The larger one counts, and it is marked; after the scan the engine's own are right."""
    estimator = Estimator(0.0, [Past(60, 1000, 500)])
    one = estimator.add(Counters(1.0, SCANNING, 1, 20, 10, 2000))
    assert (one.files_total, one.bytes_total, one.totals_are_estimate) == (1000, 2000, True)
    one = estimator.add(Counters(2.0, COPYING, 1, 20, 10, 2000))
    assert (one.files_total, one.bytes_total, one.totals_are_estimate) == (20, 2000, False)


def test_an_old_total_that_was_passed_by_far_is_dropped() -> None:
    """More than the last run had: the total is unknown then. A little more is usual, and stays below the whole."""
    estimator = Estimator(0.0, [Past(60, 1000, 1000)])
    assert estimator.add(Counters(1.0, COPYING, 1, None, 1020, None)).bytes_total == 1020
    assert estimator.add(Counters(2.0, COPYING, 1, None, 1100, None)).bytes_total is None


def test_figures_of_what_was_copied_are_no_totals() -> None:
    """rclone and rsync count only the bytes that they copy: last night's are not tonight's. How long it took still counts."""
    estimator = Estimator(0.0, [Past(60, 1000, 1000, copied=True)])
    one = estimator.add(Counters(1.0, COPYING, 1, 1200, 10, None))
    assert (one.files_total, one.bytes_total, one.totals_are_estimate) == (1200, None, False)
    assert Estimator(0.0, [Past(60, 10, added=1000, copied=True)] * 2).look(1.0).eta_seconds == 59
    assert Estimator(0.0, [Past(60, 10, added=1000, copied=True)]).look(1.0).eta_seconds is None  # perhaps the first


def test_files_alone_say_nothing() -> None:
    """Where the engine does not count bytes and nothing is known of earlier runs, one of the files left may be huge."""
    estimator = Estimator(0.0)
    said = [estimator.add(Counters(t, COPYING, t * 10, 1000, t * MB, None)).eta_seconds for t in range(60)]
    assert said == [None] * 60


def test_a_total_that_still_grows_is_none() -> None:
    """rclone copies while it counts, and does not say so."""
    estimator = Estimator(0.0)
    said = [
        estimator.add(Counters(t, COPYING, t * 10, 100 + t * 20, t * MB, 10 * MB + 2 * t * MB)).eta_seconds
        for t in range(60)
    ]
    assert said == [None] * 60


def test_a_command_that_says_nothing_is_expected_to_take_as_long_as_before() -> None:
    """pg_dump has no progress, but the last three nights are known."""
    estimator = Estimator(100.0)
    estimator.look(101.0)
    estimator.know([Past(60), Past(64), Past(58)])
    said = [estimator.look(100.0 + second).eta_seconds for second in range(2, 120)]
    assert said[0] == 58
    assert said[28] == 30
    assert said[-1] is None  # it has taken longer than ever
    assert all(one is None or one > 0 for one in said)


def test_a_first_run_says_nothing_of_the_second() -> None:
    """It stored everything; the next one stores what has changed. Its totals are good all the same."""
    estimator = Estimator(0.0, [Past(3600, 1000, 1000, added=900)])
    one = estimator.look(1.0)
    assert (one.eta_seconds, one.bytes_total) == (None, 1000)
    assert Estimator(0.0, [Past(60, 1000, 1000, added=90)]).look(1.0).eta_seconds == 59


def test_a_run_that_has_less_to_do_is_expected_to_be_done_earlier() -> None:
    """The time of the last run is that of its size."""
    estimator = Estimator(0.0, [Past(100, 1000, 1000 * MB)])
    for second in range(1, 12):
        one = estimator.add(Counters(second, COPYING, 0, 100, 0, 100 * MB))
    assert one.eta_seconds is None or one.eta_seconds <= 10


def test_pauses_do_not_count() -> None:
    """After a pause of an hour the rest takes as long as before it."""
    estimator = Estimator(0.0)
    before = copy(estimator, [(100, 1000 * MB, 20)], totals=(200, 2000 * MB))[-1][1].eta_seconds
    assert estimator.look(21.0, paused=True).eta_seconds is None
    assert estimator.look(3600.0, paused=True).eta_seconds is None
    assert estimator.look(3620.0).eta_seconds is None or True
    after = estimator.add(Counters(3620.5, COPYING, 103, 200, 1025 * MB, 2000 * MB)).eta_seconds
    assert before is not None
    assert after is not None
    assert abs(after - before) <= 3


def test_a_suspended_machine_is_no_slow_one() -> None:
    """The clock may run on while the machine sleeps; one look does not make the run an hour longer."""
    estimator = Estimator(0.0)
    copy(estimator, [(100, 1000 * MB, 100)], totals=(200, 2000 * MB))
    after = [
        estimator.add(Counters(4000 + t, COPYING, 100 + t, 200, (1000 + 10 * t) * MB, 2000 * MB)) for t in range(40)
    ]
    assert after[-1].eta_seconds is not None
    assert after[-1].eta_seconds < 200


def test_a_run_that_stands_still_is_never_about_to_end_for_minutes() -> None:
    """The last file may take an hour: then the time left grows, or nothing is said."""
    estimator = Estimator(0.0)
    copy(estimator, [(100, 1000 * MB, 100)], totals=(101, 1010 * MB))
    said = [estimator.look(100.0 + tick / 2).eta_seconds for tick in range(1, 600)]
    soon = [tick for tick, eta in enumerate(said) if eta is not None and eta <= 2]
    assert len(soon) <= 2 * (SOON_FOR_SECONDS + 3)


def test_the_rate_sinks_when_nothing_comes() -> None:
    """A silent engine does not go on at its last rate."""
    estimator = Estimator(0.0)
    rate = copy(estimator, [(100, 1000 * MB, 10)], totals=(200, 2000 * MB))[-1][1].bytes_per_second
    assert rate is not None
    assert rate == pytest.approx(100 * MB, rel=0.1)
    rates = [estimator.look(second).bytes_per_second or 0 for second in range(11, 60)]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] == 0


def test_a_short_pause_is_no_rate_of_zero() -> None:
    """An engine that writes in bursts has a speed between them; one that has not begun has none yet, not 0 B/s."""
    rate = Rate()
    said = [rate.add(second, (second // 9) * 100 * MB) for second in range(90)]
    assert said[:9] == [None] * 9
    assert all(one for one in said[9:])
    rate = Rate()
    assert [rate.add(second, 0) for second in range(13)] == [None] * 10 + [0] * 3


@pytest.mark.parametrize("one", load(), ids=lambda one: one.name)
def test_the_time_left_of_real_runs_does_not_jump(one: Recording) -> None:
    """Replayed, second for second: it runs down, and where it must grow it grows slowly; it comes and goes at most once."""
    said = [(now, eta) for now, eta, _, _ in replay(one)]
    for (then, before), (now, after) in pairwise(said):
        if before is not None and after is not None:
            seconds = now - then
            assert after <= before * MOST_GROWTH**seconds + 1, (now, before, after)
            assert after >= (before - seconds) / MOST_LOSS**seconds - 2, (now, before, after)
    for ten, (now, after) in zip(said, said[10:], strict=False):
        if ten[1] is not None and after is not None:
            assert after + 10 <= 2 * (ten[1] + 10), (now, ten, after)
    assert sum((before is None) != (after is None) for (_, before), (_, after) in pairwise(said)) <= 3


def test_costs_of_files_and_bytes_are_told_apart() -> None:
    """5 ms a file and 20 MB a second, in changing mixture."""
    costs = Costs()
    for step in range(60):
        files, size = (300, MB) if step % 3 == 0 else (10, 30 * MB)
        costs.add(files * 0.005 + size / (20 * MB), files, size)
    assert costs.seconds(1000, 0) == pytest.approx(5, rel=0.1)
    assert costs.seconds(0, 200 * MB) == pytest.approx(10, rel=0.1)


counts = st.none() | st.integers(0, 2**63 - 1) | st.integers(0, 100_000)
readings = st.builds(
    Counters, st.floats(-1e9, 1e9) | st.floats(0, 100), st.sampled_from(list(Phase)), counts, counts, counts, counts
)
pasts = st.lists(st.builds(Past, st.floats(0, 1e9), counts, counts, counts), max_size=4)


@given(st.lists(readings | st.tuples(st.floats(-1e9, 1e9), st.booleans()), max_size=30), pasts)
@settings(max_examples=300, deadline=None)
def test_no_reading_makes_it_raise_or_say_nonsense(
    steps: list[Counters | tuple[float, bool]], past: list[Past]
) -> None:
    """Counters that jump, fall or overflow and clocks that go backwards are at worst a time that is not told."""
    estimator = Estimator(0.0, past)
    for step in steps:
        one = estimator.add(step) if isinstance(step, Counters) else estimator.look(step[0], paused=step[1])
        assert one.eta_seconds is None or 1 <= one.eta_seconds < 2**40
        assert one.bytes_per_second is None or 0 <= one.bytes_per_second < 2**200
        for total in (one.files_total, one.bytes_total):
            assert total is None or 0 <= total < 2**63


rates = st.lists(
    st.tuples(st.integers(0, 5000), st.integers(0, 200 * MB), st.sampled_from([0.25, 0.5, 1.0])),
    min_size=5,
    max_size=120,
)


@given(rates, pasts)
@settings(max_examples=200, deadline=None)
def test_neighbours_differ_by_a_bounded_factor(steps: list[tuple[int, int, float]], past: list[Past]) -> None:
    """Whatever the engine does, the time left runs down or changes slowly, and it never says that it is over."""
    estimator = Estimator(0.0, past)
    totals = sum(step[0] for step in steps) + 1, sum(step[1] for step in steps) + 1
    now, files, size = 0.0, 0, 0
    said: list[tuple[float, int | None]] = []
    for more_files, more_bytes, seconds in steps:
        now, files, size = now + seconds, files + more_files, size + more_bytes
        said.append((now, estimator.add(Counters(now, COPYING, files, totals[0], size, totals[1])).eta_seconds))
    for (then, before), (later, after) in pairwise(said):
        if before is not None and after is not None:
            assert after <= before * MOST_GROWTH ** (later - then) + (later - then) + 2
            assert after >= (before - (later - then)) / MOST_LOSS ** (later - then) - 2


def test_the_first_word_is_no_guess() -> None:
    """In the first minute nothing is shown until the predictions of some seconds agree; then a guess is better than nothing."""
    steady = copy(Estimator(0.0), [(1000, 6000 * MB, 60)])
    begins = next(60 - left for left, one in steady if one.eta_seconds is not None)
    assert STEADY_SECONDS < begins < STEADY_SECONDS + 5
    estimator = Estimator(0.0)
    said = [
        estimator.add(Counters(t, COPYING, t, 1000, t**3 * MB, 40 * 60**3 * MB)).eta_seconds for t in range(1, 100)
    ]  # ever faster
    assert said[: int(PATIENCE_SECONDS) - 1] == [None] * (int(PATIENCE_SECONDS) - 1)
    assert all(said[int(PATIENCE_SECONDS) + 1 :])
