"""Copies of the newest checkpoint in further places, as configured: other folders and volumes, repositories, the system's log."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from tray.paths import Places

if TYPE_CHECKING:
    from tray.config import Config


def files(places: Places, config: "Config", problems: list[str]) -> Iterable[Path]:  # noqa: ARG001 - a sketch of what comes
    """Return the copies of this installation's logs in the configured places; a place that cannot be read adds to *problems*."""
    return []
