"""Choose the look of the icon for a status, and give its picture at every size that panels ask for.

A `Look` is all that the picture depends on, coarse enough that a new one means a visible change: as long as the look stays the same
nothing is read and nothing is sent to the panel. `assets/draw_icons.py` drew all pictures beforehand.
"""

import zlib
from pathlib import Path

from tray.core.dataclass import dataclass
from tray.core.model import Phase, State, Status
from tray.core.paths import assets

STEPS = 20
"""The ring moves in steps of 5 %; it never shows more than was done."""

SIZES = (16, 22, 24, 32, 48)
"""Pixels at which panels ask for icons; each is drawn for itself, none is scaled."""


@dataclass(frozen=True, slots=True)
class Look:
    """All that the picture depends on.

    Attributes:
        state: The state whose shape is shown.
        running: Whether a ring around it says that a run is live.
        step: Steps of the ring that are done, 0 to `STEPS`; None if that is not known.
        paused: Whether the live run is paused.
    """

    state: State
    running: bool = False
    step: int | None = None
    paused: bool = False

    @property
    def ring(self) -> bool:
        """Whether there is a ring."""
        return self.running or self.state is State.RUNNING

    @classmethod
    def of(cls, status: Status) -> "Look":
        """Return the look of *status*. With an error there is no ring: a run that was live before may be over."""
        if status.error is not None or status.state is State.UNAVAILABLE:
            return cls(State.UNAVAILABLE)
        if not status.own_runs:
            return cls(status.state, status.state is State.RUNNING)
        first = status.own_runs[0]  # the one whose percentage stands in the tooltip
        return cls(status.state, True, step_of(first.fraction), first.phase is Phase.PAUSED)


def step_of(fraction: float | None) -> int | None:
    """Return how many steps of the ring *fraction* fills, rounded down."""
    return None if fraction is None else int(min(max(fraction, 0.0), 1.0) * STEPS + 1e-9)


def looks_of(state: State) -> list[Look]:
    """Return every look of *state* that has a picture of its own, in the order of its file."""
    steps = (None, *range(STEPS + 1))
    if state is State.RUNNING:
        return [Look(state, True, step, paused) for paused in (False, True) for step in steps]
    return [Look(state), *(Look(state, True, step) for step in steps)]


def file_of(state: State) -> Path:
    """Return the file that holds the pictures of *state*: of each size, of each look, the pixels (RGBA), all compressed."""
    return assets() / "icons" / f"{state.value}.z"


def pictures(look: Look) -> dict[int, bytes]:
    """Return the pixels of *look* at each of `SIZES`, RGBA on transparent."""
    of_running = look.state is State.RUNNING
    looks = looks_of(look.state)
    at = looks.index(Look(look.state, look.ring, look.step if look.ring else None, look.paused and of_running))
    pixels, begin, made = zlib.decompress(file_of(look.state).read_bytes()), 0, {}
    for size in SIZES:
        length = 4 * size * size
        made[size] = pixels[begin + at * length : begin + (at + 1) * length]
        begin += len(looks) * length
    return made


def argb(rgba: bytes) -> bytes:
    """Return pixels as StatusNotifierItem wants them: ARGB32, network byte order, not premultiplied."""
    turned = bytearray(len(rgba))
    for at in range(4):
        turned[at::4] = rgba[(at + 3) % 4 :: 4]
    return bytes(turned)
