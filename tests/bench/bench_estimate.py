"""Measure the estimate of the time left: replay recorded runs and print the error over time, beside `remaining / average`.

    tune    recordings that the estimator's constants were chosen with
    judge   recordings that had no part in choosing the constants

The naive estimate gets the same totals as ours (the engine's once it has counted, else those of the last run), goes by bytes, and
by files where there are no bytes. An error is in percent of the whole run; "-": nothing is said. Goal: half the naive median.

Recordings are made with `record_progress.py` (real runs; `past` are the runs before, in the same chain).
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from statistics import median
from typing import Any

from tray.core.dataclass import dataclass, replace

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from tray import engines
from tray.core.model import Phase
from tray.wrapper.estimate import Counters, Estimate, Estimator, Past

FOLDER = Path(__file__).parent.parent / "data" / "progress"
MARKS = (10, 25, 50, 75, 90)
TICK = 1.0
NAMES = ("ours", "naive", "engine")
Said = tuple[float, float | None, float | None, float | None]
"""A time, and the seconds left by our estimate, the naive one and the engine's."""


@dataclass(frozen=True)
class Recording:
    """One recorded run."""

    name: str
    set: str
    engine: str
    seconds: float
    past: tuple[Past, ...]
    points: tuple[tuple[Counters, int | None], ...]


def main() -> None:
    """Print the table and its summary."""
    recordings = load()
    marks = " ".join(f"{mark:>5}%" for mark in MARKS)
    print(f"{'recording':<32}{'set':>6}{'s':>7}  {'ours at ' + marks:<44}{'naive at ' + marks}")
    errors = {recording.name: at_marks(recording, replay(recording)) for recording in recordings}
    for recording in recordings:
        rows = ["  ".join(_percent(error[place]) for error in errors[recording.name]) for place in (0, 1)]
        print(f"{recording.name:<32}{recording.set:>6}{recording.seconds:>7.0f}  {rows[0]:<44}{rows[1]}")
    print()
    print(f"{'median absolute error':<32}{'ours':>13}{'naive':>15}{'engine':>15}{'where both speak: ours, naive':>34}")
    for name in ("tune", "judge", "all"):
        summary(
            name,
            [error for recording in recordings if name in (recording.set, "all") for error in errors[recording.name]],
        )


def summary(name: str, errors: list[tuple[float | None, ...]]) -> None:
    """Print one line: each estimate's median error (and the number of its values), then ours and naive where both have one."""
    row = ""
    for place in range(3):
        said = [abs(value) for error in errors if (value := error[place]) is not None]
        row += f"{100 * median(said):.1f} % ({len(said)})".rjust(15)
    both = [(abs(ours), abs(naive)) for ours, naive, *_ in errors if ours is not None and naive is not None]
    ours, naive = (median(column) for column in zip(*both, strict=True))
    print(f"{name:<30}{row}   {100 * ours:8.1f} %{100 * naive:8.1f} %  ({len(both)}), {naive / ours:.1f} times smaller")


def load() -> list[Recording]:
    """Return all recordings."""
    return [_recording(path) for path in sorted(FOLDER.glob("*.json"))]


def _recording(path: Path) -> Recording:
    data: dict[str, Any] = json.loads(path.read_text())
    copied = engines.named(data["engine"]).copied_only
    past = tuple(Past(*run, copied=copied) for run in data["past"])
    points = tuple((Counters(now, Phase(phase), *counts), left) for now, phase, *counts, left in data["points"])
    return Recording(path.stem, data["set"], data["engine"], data["seconds"], past, points)


def replay(recording: Recording) -> list[Said]:
    """Return the estimates after each reading, and once a second between them."""
    estimator = Estimator(0.0)
    estimator.look(0.3)
    estimator.know(recording.past)
    said: list[Said] = []
    reading, left = Counters(0.0, Phase.SCANNING), None
    now = 1.0
    for reading_next, left_next in (*recording.points, (replace(reading, now=recording.seconds), None)):
        while now < reading_next.now:
            said.append((now, _seconds(estimator.look(now)), naive(reading, estimator.look(now), now), left))
            now += TICK
        if reading_next.now < recording.seconds:
            reading, left = reading_next, left_next
            now = reading.now
            estimate = estimator.add(reading)
            said.append((now, _seconds(estimate), naive(reading, estimate, now), left))
            now += TICK
    return said


def naive(reading: Counters, estimate: Estimate, now: float) -> float | None:
    """Return the seconds left at the average pace since the start."""
    counting = reading.phase is Phase.SCANNING and not estimate.totals_are_estimate
    if counting or reading.phase is Phase.FINISHING:
        return None
    for done, total in ((reading.bytes_done, estimate.bytes_total), (reading.files_done, estimate.files_total)):
        if done and total:
            return max(total - done, 0) * now / done
    return None


def at_marks(recording: Recording, said: Iterable[Said]) -> list[tuple[float | None, ...]]:
    """Return the errors at the marks, as parts of the whole time."""
    errors, series = [], list(said)
    for mark in MARKS:
        moment = recording.seconds * mark / 100
        known = [item for item in series if item[0] <= moment]
        last = known[-1] if known else (moment, None, None, None)
        truth = recording.seconds - last[0]
        errors.append(tuple(None if value is None else (value - truth) / recording.seconds for value in last[1:]))
    return errors


def _seconds(estimate: Estimate) -> float | None:
    return None if estimate.eta_seconds is None else float(estimate.eta_seconds)


def _percent(error: float | None) -> str:
    if error is None:
        return "     -"
    return f"{100 * error:+6.0f}" if abs(error) < 100 else "  huge"


if __name__ == "__main__":
    main()
