"""What the icon looks like for a status, and its picture at any size.

A `Look` is all that the picture depends on, coarse enough that a new one means a visible change: as long as the look stays the same
nothing is redrawn and nothing is sent to the panel.
"""

from functools import lru_cache

from PIL import Image

from tray.core.dataclass import dataclass
from tray.core.model import Phase, State, Status
from tray.icon.shapes import BLUE, SHAPES, TRACK, Canvas, paused

STEPS = 20
"""The ring moves in steps of 5 %; it never shows more than was done."""

SIZES = (16, 22, 24, 32, 48)
"""Pixels at which panels ask for icons; each is drawn for itself, none is scaled."""

_RADIUS, _WIDTH = 10.4, 2.8
_INNER = 0.6  # size of a bad state's icon inside the ring


@dataclass(frozen=True, slots=True)
class Look:
    """All that the picture depends on.

    Attributes:
        state: Whose shape it is.
        running: A ring around it says that a run is live.
        step: Steps of the ring that are done, 0 to `STEPS`; None if nobody knows.
        paused: The live run is paused.
    """

    state: State
    running: bool = False
    step: int | None = None
    paused: bool = False

    @classmethod
    def of(cls, status: Status) -> "Look":
        """Return the look of *status*. With an error there is no ring: what ran when we last knew may be over."""
        if status.error is not None or status.state is State.UNAVAILABLE:
            return cls(State.UNAVAILABLE)
        if not status.own_runs:
            return cls(status.state, status.state is State.RUNNING)
        first = status.own_runs[0]  # the one whose percentage stands in the tooltip
        return cls(status.state, True, step_of(first.fraction), first.phase is Phase.PAUSED)


def step_of(fraction: float | None) -> int | None:
    """Return how many steps of the ring *fraction* fills, rounded down."""
    return None if fraction is None else int(min(max(fraction, 0.0), 1.0) * STEPS + 1e-9)


def icon(state: State, fraction: float | None, running: bool, size: int) -> Image.Image:
    """Return the icon of *state*, with a ring that shows *fraction* if a run is live, at *size* pixels, RGBA."""
    return draw(Look(state, running, step_of(fraction) if running else None), size)


@lru_cache(maxsize=16)
def draw(look: Look, size: int) -> Image.Image:
    """Return the picture of *look* at *size* pixels, RGBA on transparent. It is shared: do not draw on it."""
    ring = look.running or look.state is State.RUNNING
    on = Canvas(size)
    if ring:
        _ring(on, look.step)
    if look.state is State.RUNNING and look.paused:
        paused(on)
    elif look.state is not State.RUNNING and ring:
        inner = Canvas(size, _INNER)
        SHAPES[look.state](inner)
        on.image.alpha_composite(inner.image)
    else:
        SHAPES[look.state](on)
    return on.finish()


def _ring(on: Canvas, step: int | None) -> None:
    """Three arcs while the part done is unknown, so that none can be taken for a percentage."""
    if step is None:
        for third in range(3):
            on.ring(_RADIUS, _WIDTH, BLUE, third / 3 - 0.09, third / 3 + 0.09)
        return
    on.ring(_RADIUS, _WIDTH, TRACK)
    if step:
        on.ring(_RADIUS, _WIDTH, BLUE, 0.0, step / STEPS)


def argb(look: Look, size: int) -> bytes:
    """Return the picture as StatusNotifierItem wants it: ARGB32, network byte order, not premultiplied."""
    red, green, blue, alpha = draw(look, size).split()
    return Image.merge("RGBA", (alpha, red, green, blue)).tobytes()
