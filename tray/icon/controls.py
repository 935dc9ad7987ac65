"""What the menu can do with the run that goes on. A menu cannot ask, so to cancel leads to the window, which does."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tray import wording
from tray.core.model import Control, LiveRun, Status
from tray.icon import backends

if TYPE_CHECKING:
    from pystray import MenuItem

_NAME_UNITS = 30


class Controls:
    """The entries of the menu for the live run; with several of them, one entry that leads to the Dashboard.

    Args:
        status: Gives the newest status.
        ask: Has something done with a run; must not wait.
        open: Opens the window at a page.
    """

    def __init__(
        self, status: Callable[[], Status], ask: Callable[[Control, str], None], open: Callable[[str], None]
    ) -> None:
        self._status, self._ask, self._open = status, ask, open

    def items(self) -> "list[MenuItem]":
        """Return the entries; those that make no sense now are not shown."""
        item = backends.menu().MenuItem
        return [
            item(self._text("Pause"), self._act(Control.PAUSE), visible=self._may(Control.PAUSE)),
            item(self._text("Resume"), self._act(Control.RESUME), visible=self._may(Control.RESUME)),
            item(self._text("Cancel", "…"), self._cancel, visible=self._may(Control.CANCEL)),
            item("Pause or cancel a run…", lambda *_: self._open("dashboard"), visible=lambda _: len(self._able()) > 1),
        ]

    def shown(self) -> tuple[object, ...]:
        """Return what the entries depend on: when it changes, the menu must be drawn anew."""
        return tuple((run.run, run.can) for run in self._able())

    def _able(self) -> list[LiveRun]:
        return [run for run in self._status().runs if run.can]

    def _one(self) -> LiveRun | None:
        able = self._able()
        return able[0] if len(able) == 1 else None

    def _text(self, verb: str, more: str = "") -> Callable[[Any], str]:
        def text(_: Any) -> str:
            run = self._one()
            return verb if run is None else f"{verb} {wording.fit(wording.escape(run.job), _NAME_UNITS)}{more}"

        return text

    def _may(self, control: Control) -> Callable[[Any], bool]:
        def may(_: Any) -> bool:
            run = self._one()
            return run is not None and control in run.can

        return may

    def _act(self, control: Control) -> Callable[..., None]:
        def act(*_: Any) -> None:
            if (run := self._one()) is not None:
                self._ask(control, run.run)

        return act

    def _cancel(self, *_: Any) -> None:
        if (run := self._one()) is not None:
            self._open(f"cancel/{run.run}")
