"""The colours of a mail can be read, light and dark."""

import re

import pytest

from tray.notify.mail import as_html

LIGHT, DARK = 0, 1


def luminance(colour: str) -> float:
    """The relative luminance of "#rrggbb" (WCAG 2)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, two: str) -> float:
    """The contrast of two colours."""
    low, high = sorted((luminance(one), luminance(two)))
    return (high + 0.05) / (low + 0.05)


def colour(name: str, theme: int, kind: str) -> str | None:
    """The colour of a look, None if it has none."""
    match = re.search(rf"(?:^|;){kind}:(#[0-9a-f]{{6}})", as_html._LOOKS[name][theme])
    return match[1] if match else None


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_every_text_stands_out_from_its_background(theme: int) -> None:
    """4.5 : 1 on page, card and badge, as in the window."""
    behind = [colour(name, theme, "background") for name in ("page", "card")]
    for name in as_html._LOOKS:
        text, own = colour(name, theme, "color"), colour(name, theme, "background")
        for background in () if text is None else [own] if own else behind:
            assert background is not None
            assert contrast(text, background) >= 4.5, (name, text, background)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_the_bar_of_each_tone_is_seen(theme: int) -> None:
    """3 : 1 suffices where there is no text."""
    card = colour("card", theme, "background")
    assert card is not None
    for name in as_html._LOOKS:
        if name.startswith("bar-"):
            bar = colour(name, theme, "background")
            assert bar is not None
            assert contrast(bar, card) >= 3, name


def test_both_themes_name_the_same_looks() -> None:
    """A look with a light background has a dark one too."""
    for light, dark in as_html._LOOKS.values():
        for kind in ("background", "color"):
            assert (f"{kind}:" in light.replace("-color", "")) == (f"{kind}:" in dark.replace("-color", ""))
