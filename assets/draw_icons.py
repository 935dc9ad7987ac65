"""Draw the tray's icons into `assets/icons/*.z`, one file a state, and the pictures of notices. Run it after a change:
`python -m assets.draw_icons`.

Each state has a silhouette of its own, so that grey tells as much as colour. Everything is laid out in a box of 24 x 24 units. A
`Canvas` draws it eight times too large and averages; straight lines are first moved to whole pixels of the final size, so that a
16-pixel icon has sharp edges. The tray reads the files (`tray.icon.render`) and needs no library for pictures.
"""

import zlib
from collections.abc import Callable, Sequence
from itertools import pairwise
from math import cos, pi, sin

from PIL import Image, ImageDraw

from tray.core.model import State
from tray.icon.render import SIZES, STEPS, Look, file_of, looks_of
from tray.notify.desktop.notices import PICTURED, picture

_RADIUS, _WIDTH = 10.4, 2.8
_INNER = 0.6  # size of a bad state's icon inside the ring
BOX = 24.0
NOTICE_SIZE = 64
OVERSAMPLE = 8

Color = tuple[int, int, int, int]
Point = tuple[float, float]

WHITE: Color = (255, 255, 255, 255)
BLUE: Color = (61, 130, 240, 255)
TRACK: Color = (127, 142, 163, 140)
GREEN: Color = (26, 127, 75, 255)
GREEN_EDGE: Color = (95, 199, 150, 255)
RED: Color = (207, 43, 53, 255)
RED_EDGE: Color = (240, 141, 147, 255)
AMBER: Color = (226, 164, 23, 255)
AMBER_EDGE: Color = (143, 98, 0, 255)
SAND: Color = (181, 118, 0, 255)
INK: Color = (27, 20, 0, 255)
GREY: Color = (125, 136, 150, 255)


class Canvas:
    """A transparent square to draw on in units of the 24 x 24 box.

    Args:
        size: Pixels of the finished picture.
        scale: Size of the drawing in the box, 1 for all of it; a smaller one is centred.
    """

    def __init__(self, size: int, scale: float = 1.0) -> None:
        self.size = size
        self.scale = scale
        self.image = Image.new("RGBA", (size * OVERSAMPLE, size * OVERSAMPLE), (0, 0, 0, 0))
        self._draw = ImageDraw.Draw(self.image)

    def finish(self) -> Image.Image:
        """Return the finished picture."""
        return self.image.reduce(OVERSAMPLE)

    def at(self, value: float) -> float:
        """Return where the coordinate *value* lies, in pixels of the finished picture."""
        return ((value - BOX / 2) * self.scale + BOX / 2) * self.size / BOX

    def thick(self, width: float, *, even: bool = False) -> float:
        """Return the stroke *width* in finished pixels, at least 1; *even* makes it 2, 4 … for a sharp centre line."""
        pixels = width * self.scale * self.size / BOX
        if self.tiny:
            return max(1.2, pixels)
        return max(2.0, round(pixels / 2) * 2.0) if even else max(1.0, pixels)

    @property
    def tiny(self) -> bool:
        """Whether there is no room for edges: the icon inside the ring, on the smallest panels."""
        return self.scale * self.size < 12

    def line(self, points: Sequence[Point], width: float, color: Color, *, even: bool = False) -> None:
        """Draw a stroke with round ends and joints."""
        half = self.thick(width, even=even) / 2
        placed = [(self.at(x), self.at(y)) for x, y in points]
        for (x0, y0), (x1, y1) in pairwise(placed):
            length = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5 or 1.0
            dx, dy = (y1 - y0) / length * half, (x0 - x1) / length * half
            self._polygon([(x0 + dx, y0 + dy), (x1 + dx, y1 + dy), (x1 - dx, y1 - dy), (x0 - dx, y0 - dy)], color)
        for x, y in placed:
            self._disc(x, y, half, color)

    def dot(self, x: float, y: float, radius: float, color: Color) -> None:
        """Draw a filled circle."""
        self._disc(self.at(x), self.at(y), max(0.75, self.at(radius) - self.at(0)), color)

    def solid(self, points: Sequence[Point], fill: Color, edge: Color, width: float, *, snap: bool = False) -> None:
        """Draw a filled shape with an edge of *width*, which lies inside it; *snap* moves its corners to whole pixels."""
        placed = [(self.at(x), self.at(y)) for x, y in points]
        if snap:
            placed = [(float(round(x)), float(round(y))) for x, y in placed]
        self._polygon(placed, fill if self.tiny else edge)
        if not self.tiny:
            self._polygon(_shrunk(placed, self.thick(width)), fill)

    def ring(self, radius: float, width: float, color: Color, start: float = 0.0, end: float = 1.0) -> None:
        """Draw a part of a ring clockwise; *start* and *end* are turns from the top."""
        centre, half = self.at(BOX / 2), self.thick(width) / 2
        middle = self.at(BOX / 2 + radius) - centre
        steps = max(2, int(96 * (end - start)))
        turns = [start + (end - start) * step / steps for step in range(steps + 1)]
        outer = [_around(centre, middle + half, turn) for turn in turns]
        inner = [_around(centre, middle - half, turn) for turn in reversed(turns)]
        self._polygon(outer + inner, color)
        if end - start < 1.0:
            for turn in (start, end):
                self._disc(*_around(centre, middle, turn), half, color)

    def _disc(self, x: float, y: float, radius: float, color: Color) -> None:
        x, y, radius = x * OVERSAMPLE, y * OVERSAMPLE, radius * OVERSAMPLE
        self._draw.ellipse((x - radius, y - radius, x + radius - 1, y + radius - 1), fill=color)

    def _polygon(self, placed: Sequence[Point], color: Color) -> None:
        self._draw.polygon([(x * OVERSAMPLE - 0.5, y * OVERSAMPLE - 0.5) for x, y in placed], fill=color)


def _around(centre: float, radius: float, turn: float) -> Point:
    return centre + radius * sin(2 * pi * turn), centre - radius * cos(2 * pi * turn)


def _shrunk(points: Sequence[Point], by: float) -> list[Point]:
    """Move every edge of a convex shape, given clockwise, inwards by *by*."""
    moved = []
    count = len(points)
    for index, (x, y) in enumerate(points):
        (ax, ay), (bx, by_) = _inward(points[index - 1], (x, y)), _inward((x, y), points[(index + 1) % count])
        share = by / (1 + ax * bx + ay * by_)
        moved.append((x + (ax + bx) * share, y + (ay + by_) * share))
    return moved


def _inward(start: Point, end: Point) -> Point:
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = (dx * dx + dy * dy) ** 0.5 or 1.0
    return -dy / length, dx / length


def curve(a: Point, b: Point, c: Point, d: Point, steps: int = 12) -> list[Point]:
    """Return points of the cubic Bezier curve from *a* to *d*."""
    return [
        tuple(  # type: ignore[misc]  # of two, which mypy cannot count
            (1 - t) ** 3 * a[i] + 3 * (1 - t) ** 2 * t * b[i] + 3 * (1 - t) * t * t * c[i] + t**3 * d[i] for i in (0, 1)
        )
        for t in (step / steps for step in range(steps + 1))
    ]


def circle(radius: float) -> list[Point]:
    """Return the points of a circle around the centre, clockwise."""
    return [_around(BOX / 2, radius, turn / 72) for turn in range(72)]


def _ok(on: Canvas) -> None:
    on.solid(circle(10.4), GREEN, GREEN_EDGE, 0.9)
    on.line([(7, 12.5), (10.4, 15.9), (17, 9)], 2.6, WHITE)


def _running(on: Canvas) -> None:
    on.line([(12, 16.4), (12, 8.2)], 2.4, BLUE, even=True)
    on.line([(8.4, 11.4), (12, 7.8), (15.6, 11.4)], 2.2, BLUE)


def _paused(on: Canvas) -> None:
    """Draw two bars inside the ring."""
    for side in (-1, 1):
        width = on.thick(2.4, even=True)
        x = BOX / 2 + side * (width * 0.5 + max(1.0, on.size / 24)) * BOX / on.size
        on.line([(x, 8.8), (x, 15.2)], 2.4, BLUE, even=True)


def _stalled(on: Canvas) -> None:
    left = curve((7.3, 3), (7.3, 7.5), (12, 8.5), (12, 12)) + curve((12, 12), (12, 15.5), (7.3, 16.5), (7.3, 21))
    on.line(left, 2.2, SAND)
    on.line([(BOX - x, y) for x, y in left], 2.2, SAND)
    for y in (2.6, 21.4):
        on.line([(6, y), (18, y)], 2.4, SAND, even=on.size >= 32)
    on.solid([(12, 15.4), (15.6, 20.4), (8.4, 20.4)], SAND, SAND, 1)


def _warning(on: Canvas) -> None:
    on.solid([(12, 1.4), (23.4, 21.8), (0.6, 21.8)], AMBER, AMBER_EDGE, 1.4, snap=True)
    on.line([(12, 9.2), (12, 14.2)], 2.4, INK, even=True)
    on.dot(12, 18.2, 1.45, INK)


def _failed(on: Canvas) -> None:
    corners = [(7.6, 1.5), (16.4, 1.5), (22.5, 7.6), (22.5, 16.4), (16.4, 22.5), (7.6, 22.5), (1.5, 16.4), (1.5, 7.6)]
    on.solid(corners, RED, RED_EDGE, 0.9, snap=True)
    for points in ([(8.4, 8.4), (15.6, 15.6)], [(15.6, 8.4), (8.4, 15.6)]):
        on.line(points, 2.6, WHITE)


def _overdue(on: Canvas) -> None:
    on.solid([(3, 4.5), (21, 4.5), (21, 22), (3, 22)], AMBER, AMBER_EDGE, 1.4, snap=True)
    on.line([(4, 8.6), (20, 8.6)], 1.8, AMBER_EDGE)
    for x in (7.5, 16.5):
        on.line([(x, 2.8), (x, 6)], 2.2, AMBER_EDGE)
    on.line([(12, 11.6), (12, 15.2), (14.8, 17)], 2.2, INK)


def _tampered(on: Canvas) -> None:
    right = [(12, 1.2), (21, 4.8), (21, 11.5), *curve((21, 11.5), (21, 17), (17.2, 20.8), (12, 23))]
    left = [(BOX - x, y) for x, y in reversed(right[1:-1])]
    on.solid(right + left, RED, RED_EDGE, 0.9)
    on.line([(13.4, 2.5), (10.4, 9), (14.4, 11.5), (11, 15.5), (12.4, 21.4)], 2, WHITE)


def _none(on: Canvas) -> None:
    for dash in range(8):
        on.ring(9.6, 2.6, GREY, dash / 8 - 0.026, dash / 8 + 0.026)
    on.line([(12, 8.4), (12, 15.6)], 2.4, GREY, even=True)
    on.line([(8.4, 12), (15.6, 12)], 2.4, GREY, even=True)


def _unavailable(on: Canvas) -> None:
    on.line([(12, 1.9), (22.1, 12), (12, 22.1), (1.9, 12), (12, 1.9)], 2.2, GREY)
    hook = curve((9.5, 9.6), (9.8, 6.6), (14.6, 6.6), (14.4, 9.8)) + curve(
        (14.4, 9.8), (14.2, 11.6), (12, 11.8), (12, 13.6)
    )
    on.line(hook, 2.0, GREY)
    on.dot(12, 17, 1.3, GREY)


SHAPES: dict[State, Callable[[Canvas], None]] = {
    State.OK: _ok,
    State.RUNNING: _running,
    State.WARNING: _warning,
    State.STALLED: _stalled,
    State.FAILED: _failed,
    State.OVERDUE: _overdue,
    State.TAMPERED: _tampered,
    State.NONE: _none,
    State.UNAVAILABLE: _unavailable,
}
"""How each state is drawn; the one of `RUNNING` stands inside a ring."""


def draw(look: Look, size: int) -> Image.Image:
    """Return the picture of *look* at *size* pixels, RGBA on transparent."""
    on = Canvas(size)
    if look.ring:
        _ring(on, look.step)
    if look.state is State.RUNNING and look.paused:
        _paused(on)
    elif look.state is not State.RUNNING and look.ring:
        inner = Canvas(size, _INNER)
        SHAPES[look.state](inner)
        on.image.alpha_composite(inner.image)
    else:
        SHAPES[look.state](on)
    return on.finish()


def _ring(on: Canvas, step: int | None) -> None:
    """Draw three arcs while the part done is unknown, so that none can be taken for a percentage."""
    if step is None:
        for third in range(3):
            on.ring(_RADIUS, _WIDTH, BLUE, third / 3 - 0.09, third / 3 + 0.09)
        return
    on.ring(_RADIUS, _WIDTH, TRACK)
    if step:
        on.ring(_RADIUS, _WIDTH, BLUE, 0.0, step / STEPS)


def content_of(state: State) -> bytes:
    """Return the content of the file of *state*: the pixels of every look, at every size, compressed."""
    return zlib.compress(b"".join(draw(look, size).tobytes() for size in SIZES for look in looks_of(state)), 9)


if __name__ == "__main__":
    for each in State:
        file_of(each).write_bytes(content_of(each))
    for each in PICTURED:
        draw(Look(each), NOTICE_SIZE).save(picture(each), optimize=True)
