"""The pictures of the icon."""

from itertools import combinations

import pytest
from PIL import Image, ImageChops

from assets.draw_icons import NOTICE_SIZE, content_of, draw
from tests.unit.wording.test_wording import ERROR, NOW, RUN, ended
from tray.core import paths
from tray.core.model import JobHistory, LiveRun, Outcome, Phase, State
from tray.core.model.judge import judge
from tray.icon.render import SIZES, STEPS, Look, argb, file_of, pictures, step_of
from tray.notify.desktop.notices import PICTURED, picture

LIGHT, DARK = (236, 239, 243), (35, 38, 43)
PLAIN = [Look(state, state is State.RUNNING, 14 if state is State.RUNNING else None) for state in State]


def silhouette(picture: Image.Image) -> Image.Image:
    """Return where anything is drawn, without colours."""
    return picture.getchannel("A").point(lambda alpha: 255 if alpha > 127 else 0)


def difference(one: Image.Image, other: Image.Image) -> float:
    """Return the share of the picture in which two masks differ."""
    return ImageChops.difference(one, other).histogram()[255] / (one.width * one.height)


def on_panel(picture: Image.Image, panel: tuple[int, int, int]) -> Image.Image:
    """Return the picture as it looks on a panel."""
    ground = Image.new("RGB", picture.size, panel)
    ground.paste(picture, (0, 0), picture)
    return ground


def luminance(colour: tuple[int, ...]) -> float:
    """Return the relative luminance (WCAG 2.2)."""
    parts = [value / 255 for value in colour[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: tuple[int, ...], other: tuple[int, ...]) -> float:
    """Return the contrast ratio (WCAG 2.2)."""
    bright, dim = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


@pytest.mark.parametrize("size", SIZES)
def test_each_state_has_a_shape_of_its_own(size: int) -> None:
    """In grey, or for the colour-blind, states are still told apart: by outline, or by what is drawn inside."""
    pictures = {look.state: on_panel(draw(look, size), (255, 255, 255)).convert("L") for look in PLAIN}
    for one, other in combinations(pictures, 2):
        apart = ImageChops.difference(pictures[one], pictures[other]).point(lambda grey: 255 if grey > 40 else 0)
        assert apart.histogram()[255] / size**2 > 0.08, f"{one} and {other} look alike at {size} px"


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("bad", [State.FAILED, State.WARNING, State.OVERDUE, State.STALLED])
def test_fine_never_has_the_outline_of_trouble(size: int, bad: State) -> None:
    """Even the outline alone tells fine from trouble."""
    assert difference(silhouette(draw(Look(State.OK), size)), silhouette(draw(Look(bad), size))) > 0.02


@pytest.mark.parametrize("panel", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("look", PLAIN, ids=[look.state.value for look in PLAIN])
def test_icons_stand_out_on_light_and_dark_panels(look: Look, panel: tuple[int, int, int]) -> None:
    """A good part of every icon has 3 : 1 against either panel (WCAG 2.2, 1.4.11)."""
    picture = on_panel(draw(look, 24), panel)
    seen = sum(number for number, colour in picture.getcolors(24 * 24) or () if contrast(colour, panel) >= 3)
    assert seen / 24**2 > 0.08


@pytest.mark.parametrize("state", State)
def test_the_files_hold_what_is_drawn(state: State) -> None:
    """A change of the shapes reaches the tray only with new files: `python -m assets.draw_icons`."""
    assert file_of(state).read_bytes() == content_of(state)
    if state in PICTURED:
        with Image.open(picture(state)) as drawn:
            assert drawn.tobytes() == draw(Look(state), NOTICE_SIZE).tobytes()


@pytest.mark.parametrize("look", [*PLAIN, Look(State.FAILED, True, 7), Look(State.RUNNING, True, 3, paused=True)])
def test_the_tray_reads_the_picture_of_each_look_at_each_size(look: Look) -> None:
    """Each size is drawn for itself: nothing is scaled by the panel."""
    assert pictures(look) == {size: draw(look, size).tobytes() for size in SIZES}


def test_pixels_reach_the_bus_as_argb() -> None:
    """StatusNotifierItem wants alpha first, in network byte order."""
    middle = (12 * 24 + 3) * 4
    alpha, red, green, blue = argb(pictures(Look(State.OK))[24])[middle : middle + 4]
    assert (alpha, green > red, green > blue) == (255, True, True)


@pytest.mark.parametrize(
    ("fraction", "step"),
    [(None, None), (0.0, 0), (0.049, 0), (0.05, 1), (0.7, 14), (0.999, 19), (1.0, 20), (1.7, 20), (-1, 0)],
)
def test_the_ring_never_shows_more_than_was_done(fraction: float | None, step: int | None) -> None:
    """Steps are rounded down: a full ring means that all is copied."""
    assert step_of(fraction) == step


def blue(picture: Image.Image) -> int:
    """Count the pixels of the ring that is done."""
    return sum(number for number, (r, g, b, a) in picture.getcolors(100_000) or () if a > 200 and b > 200 and r < 120)


def test_the_ring_grows_with_every_step() -> None:
    """Progress is visible in the icon itself."""
    grown = [blue(draw(Look(State.RUNNING, True, step), 48)) for step in range(STEPS + 1)]
    assert grown == sorted(set(grown))


def test_an_unknown_part_looks_like_no_percentage() -> None:
    """Three equal arcs: the ring is the same from each of three sides, which no percentage is."""
    picture = draw(Look(State.RUNNING, True, None), 48)
    ring = Image.new("L", (48, 48), 0)
    ring.paste(silhouette(picture))
    turned = ring.rotate(120)
    inner = (14, 14, 34, 34)
    for mask in (ring, turned):
        mask.paste(0, inner)
    assert difference(ring, turned) < 0.03
    assert difference(silhouette(draw(Look(State.RUNNING, True, 6), 48)), silhouette(picture)) > 0.1


@pytest.mark.parametrize("state", [State.FAILED, State.WARNING, State.OVERDUE, State.TAMPERED, State.STALLED])
@pytest.mark.parametrize("size", SIZES)
def test_a_live_run_adds_a_ring_to_a_bad_state(state: State, size: int) -> None:
    """The bad state stays visible inside, in its own colour and smaller."""
    plain, ringed, running = (
        draw(look, size) for look in (Look(state), Look(state, True, 14), Look(State.RUNNING, True, 14))
    )
    assert blue(plain) == 0
    assert blue(ringed) > 0
    assert ringed.getpixel((size // 2, size // 2)) != running.getpixel((size // 2, size // 2))


def test_a_paused_run_has_a_face_of_its_own() -> None:
    """Paused is not running."""
    assert draw(Look(State.RUNNING, True, 14, paused=True), 24) != draw(Look(State.RUNNING, True, 14), 24)


def test_the_look_follows_the_status() -> None:
    """One function decides what the icon shows."""
    assert Look.of(judge(NOW, (), ())) == Look(State.NONE)
    assert Look.of(judge(NOW, (RUN,), ())) == Look(State.RUNNING, True, 8)
    scanning = RUN.with_changes(phase=Phase.SCANNING)
    assert Look.of(judge(NOW, (scanning,), ())) == Look(State.RUNNING, True, None)
    assert Look.of(judge(NOW, (RUN.with_changes(phase=Phase.PAUSED),), ())).paused
    failed = [JobHistory("home", ended(outcome=Outcome.FAILED))]
    assert Look.of(judge(NOW, (RUN,), failed)) == Look(State.FAILED, True, 8)
    untracked = LiveRun("r", "j", "restic", NOW, tracked=False)
    assert Look.of(judge(NOW, (untracked,), ())) == Look(State.RUNNING, True, None)


def test_with_an_error_there_is_no_ring() -> None:
    """The last known runs may be over: nothing on the icon claims otherwise."""
    assert Look.of(judge(NOW, (RUN,), [JobHistory("home", ended())], error=ERROR)) == Look(State.UNAVAILABLE)


@pytest.mark.parametrize("size", [48, 128])
def test_the_icon_of_the_menu_entry_is_drawn_by_the_same_code(size: int) -> None:
    """The committed pictures are `draw(Look(State.OK, True, 15), size)`; a change of the shapes reaches them too."""
    with Image.open(paths.assets() / "icons" / f"backup-tray-{size}.png") as committed:
        assert committed.convert("RGBA").tobytes() == draw(Look(State.OK, True, 15), size).tobytes()
