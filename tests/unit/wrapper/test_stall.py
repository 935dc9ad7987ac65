"""When a run counts as standing still, by a clock of our own."""

from collections.abc import Callable

import pytest

from tray.core.dataclass import dataclass, field
from tray.core.model import LiveRun, Phase
from tray.wrapper.stall import Stall

MINUTE = 60.0


@dataclass()
class Scene:
    """A run under watch, with a clock and processes that do what the test says."""

    limit: float | None = 10 * MINUTE
    now: float = 1000.0
    traffic: dict[int, int] | None = field(default_factory=lambda: {1: 0})
    said: list[str] = field(default_factory=list)
    asked: int = 0

    def __post_init__(self) -> None:
        self.stall = Stall(
            self._limit, lambda: None if self.traffic is None else dict(self.traffic), self.said.append, self.now
        )

    def _limit(self) -> float | None:
        self.asked += 1
        return self.limit

    def go(
        self,
        seconds: float,
        live: LiveRun | Callable[[float], LiveRun],
        *,
        paused: bool = False,
        reads: int = 0,
    ) -> "Scene":
        """Let time pass, with a look at *live* each second, in which its processes read so many bytes."""
        for _ in range(int(seconds)):
            self.now += 1
            if self.traffic is not None:
                self.traffic[1] += reads
            self.stall.tick(self.now, live(self.now) if callable(live) else live, paused=paused)
        return self


def run(**changes: object) -> LiveRun:
    """Return a run that copies and says how far it is."""
    return LiveRun(run="r", job="home", engine="restic", started_ms=0, phase=Phase.COPYING).with_changes(
        **{"bytes_done": 5, **changes}
    )


SILENT = run(bytes_done=None)


def test_a_run_that_goes_on_is_never_stalled() -> None:
    """Every change of a figure or of the current file is progress."""
    for key in ("bytes_done", "files_done"):
        scene = Scene().go(3600, lambda now, key=key: run(**{key: int(now) // 300}))
        assert not scene.stall.stalled
    assert not Scene().go(3600, lambda now: run(current=f"/home/{int(now) // 300}")).stall.stalled


def test_ten_minutes_without_progress_are_a_stall_that_ends_with_the_next_progress() -> None:
    """It is said so at ten minutes, not before, counted in whole minutes, and logged with both its ends."""
    scene = Scene().go(599, run())
    assert not scene.stall.stalled
    scene.go(130, run())
    assert (scene.stall.stalled, scene.stall.minutes) == (True, 12)
    scene.go(1, run(bytes_done=6))
    assert (scene.stall.stalled, scene.stall.minutes, scene.stall.seconds) == (False, None, 729)
    assert scene.said == ["no progress for 10 min", "goes on after 12 min without progress"]


def test_what_an_engine_reads_is_no_progress_while_it_says_how_far_it_is() -> None:
    """An engine that reads the same block again and again stands still."""
    assert Scene().go(700, run(), reads=1_000_000).stall.stalled


@pytest.mark.parametrize("live", [SILENT, run(phase=Phase.SCANNING), run(phase=Phase.FINISHING)])
def test_where_figures_say_nothing_reading_and_writing_is_a_sign_of_life(live: LiveRun) -> None:
    """A command, a long scan, an index that is written at the end."""
    assert not Scene().go(3600, live, reads=10_000).stall.stalled
    assert Scene().go(700, live).stall.stalled


def test_status_lines_that_an_engine_prints_while_it_waits_are_no_sign_of_life() -> None:
    """Its own output is taken off what it writes."""
    scene = Scene()
    for _ in range(700):
        scene.stall.heard(10_000, words=False)
        scene.go(1, run(phase=Phase.SCANNING), reads=10_000)
    assert scene.stall.stalled


def test_words_of_a_command_without_figures_are_a_sign_of_life() -> None:
    """A script that prints a line now and then is at work."""
    scene = Scene()
    for _ in range(20):
        scene.go(300, SILENT)
        scene.stall.heard(10, words=True)
    assert not scene.stall.stalled
    assert scene.go(700, SILENT).stall.stalled


def test_a_new_process_is_a_sign_of_life() -> None:
    """A script that calls one small program after the other reads next to nothing."""
    scene = Scene()
    for number in range(2, 20):
        scene.go(300, SILENT)
        assert scene.traffic is not None
        scene.traffic = {1: 0, number: 10}
    assert not scene.stall.stalled


def test_nothing_is_claimed_where_nobody_can_see() -> None:
    """A command that runs as another user may well be at work."""
    assert not Scene(traffic=None).go(7200, SILENT).stall.stalled
    assert Scene(traffic=None).go(700, run()).stall.stalled  # it says itself how far it is


def test_a_suspended_machine_is_no_stall_whatever_its_clock_counts() -> None:
    """A night in which we did not run is not a night without progress: neither before a stall nor within one."""
    scene = Scene().go(300, run())
    scene.now += 8 * 3600
    assert not scene.go(299, run()).stall.stalled
    assert scene.go(4, run()).stall.stalled
    scene.now += 8 * 3600
    assert scene.go(60, run()).stall.minutes == 11
    assert 600 <= scene.stall.seconds < 720


def test_a_paused_run_is_not_stalled_and_starts_anew_when_it_goes_on() -> None:
    """The user paused it."""
    scene = Scene().go(500, run()).go(7200, run(), paused=True)
    assert not scene.stall.stalled
    assert not scene.go(590, run()).stall.stalled
    assert scene.go(20, run()).stall.stalled
    assert not scene.go(1, run(), paused=True).stall.stalled


@pytest.mark.parametrize("limit", [None, 60.0])
def test_the_configuration_decides_and_is_read_once_and_not_by_short_runs(limit: float | None) -> None:
    """Off is off; and a run that never falls silent costs no look at the file."""
    scene = Scene(limit=limit).go(100, lambda now: run(bytes_done=int(now)))
    assert scene.asked == 0
    scene.go(200, run())
    assert (scene.asked, scene.stall.stalled) == (1, limit is not None)
