"""What a file and a byte cost in time, learned while the run goes on.

A run of nothing but bytes is rare: each file costs a fixed time besides its bytes, so that twenty thousand small files at the end
take long although they weigh little. Both costs are fitted to what was seen,

    time = files x cost of a file + bytes x cost of a byte,

by least squares, the recent past counting more, and so that the fitted times add up to the time that really passed. What the run
has not shown yet (nothing but big files so far) stays at what a common disk needs.
"""

FILE_SECONDS = 0.0002
BYTE_SECONDS = 1e-8
"""Where we begin: five thousand files a second, 100 MB a second. All sums below are in these units."""
STEP_SECONDS = 1.0
STEP_PART = 0.01
"""Progress comes in bursts, so the fit looks at steps of at least this length, or this part of the run."""
MEMORY_SECONDS = 10.0
MEMORY_PART = 0.3
"""After so many seconds, or so much of the run if that is longer, what was seen counts half."""
RIDGE = 0.003
"""How strongly both costs are held at those of a common disk, against what a step shows: only where little else is known."""


class Costs:
    """The two costs of one run."""

    def __init__(self) -> None:
        self._clock = 0.0
        self._step = (0.0, 0.0, 0.0)  # seconds, files and bytes of the step that is not long enough yet
        self._sums = (0.0, 0.0, 0.0)  # the same of all steps
        self._products = (0.0, 0.0, 0.0, 0.0, 0.0)  # files², files·bytes, bytes², files·seconds, bytes·seconds

    def add(self, seconds: float, files: int, size: int) -> None:
        """Take what was done in the last *seconds*."""
        self._clock += seconds
        t, f, b = self._step
        t, f, b = t + seconds, f + files * FILE_SECONDS, b + size * BYTE_SECONDS
        self._step = (t, f, b)
        if t >= max(STEP_SECONDS, STEP_PART * self._clock):
            keep = 0.5 ** (t / max(MEMORY_SECONDS, MEMORY_PART * self._clock))
            now = (f * f, f * b, b * b, f * t, b * t)
            self._products = (
                self._products[0] * keep + now[0],
                self._products[1] * keep + now[1],
                self._products[2] * keep + now[2],
                self._products[3] * keep + now[3],
                self._products[4] * keep + now[4],
            )
            self._sums = (self._sums[0] * keep + t, self._sums[1] * keep + f, self._sums[2] * keep + b)
            self._step = (0.0, 0.0, 0.0)

    def factors(self) -> tuple[float, float]:
        """Return how many times the common cost a file and a byte have here."""
        t, f, b = self._all()
        if f + b <= 0:
            return 1.0, 1.0
        ff, fb, bb, ft, bt = self._products
        ridge = RIDGE * max(STEP_SECONDS, STEP_PART * self._clock) ** 2
        # The sums are one more equation, as heavy as all steps together: what was fitted must add up.
        ff, fb, bb = ff + f * f + ridge, fb + f * b, bb + b * b + ridge
        ft, bt = ft + f * t + ridge, bt + b * t + ridge
        det = ff * bb - fb * fb
        if det <= 0:
            return 1.0, 1.0
        file, byte = (ft * bb - bt * fb) / det, (bt * ff - ft * fb) / det
        if file < 0:
            return 0.0, bt / bb
        return (file, byte) if byte >= 0 else (ft / ff, 0.0)

    def seconds(self, files: int | None, size: int) -> float:
        """Return how long so many files and bytes take; *files* None: not counted, so the bytes stand for everything."""
        if files is None:
            t, _, b = self._all()
            return size * BYTE_SECONDS * (t / b if b > 0 else 1.0)
        file, byte = self.factors()
        return files * FILE_SECONDS * file + size * BYTE_SECONDS * byte

    def _all(self) -> tuple[float, float, float]:
        t, f, b = self._sums
        return t + self._step[0], f + self._step[1], b + self._step[2]


def work(files: int | None, size: int | None) -> float:
    """Return the seconds that so many files and bytes take on a common disk."""
    return (files or 0) * FILE_SECONDS + (size or 0) * BYTE_SECONDS
