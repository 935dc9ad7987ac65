"""Draw a progress bar in the terminal: one line, redrawn in place, gone when other text must pass."""

import os
from collections.abc import Sequence

from tray import wording
from tray.core import files
from tray.core.model import LiveRun

BAR = 24
_CLEAR = "\r\x1b[K"


def bar(run: LiveRun, width: int = BAR) -> str:
    """Return a bar of *width* cells; without a known total it stays empty and unmarked."""
    filled = 0 if run.fraction is None else int(run.fraction * width)
    return "[" + "#" * filled + "-" * (width - filled) + "]"


def line(runs: Sequence[LiveRun], width: int) -> str:
    """Return one line for the live *runs*, at most *width* wide: a bar for one, words for several."""
    if not runs:
        return ""
    text = wording.run_line(runs[0])
    if len(runs) == 1:
        if BAR + 3 + len(text) >= width:
            text = wording.short_line(runs[0])
        text = f"{bar(runs[0])} {text}"
    else:
        text = f"{len(runs)} runs; {text}"
    return text if len(text) < width else text[: max(0, width - 2)] + "…"


def columns() -> int:
    """Return the width of the terminal, 80 where it is not known."""
    try:
        return int(os.environ["COLUMNS"])
    except (KeyError, ValueError):
        pass
    for fd in (1, 2):
        try:
            return os.get_terminal_size(fd).columns or 80
        except OSError:
            continue
    return 80


def folded(text: str, indent: int = 0) -> str:
    """Return *text* broken between words at the width of the terminal; lines after the first begin *indent* cells in."""
    room = max(columns(), 40)
    first, *words = text.split(" ")
    lines = [first]
    for word in words:
        if lines[-1].strip() and len(lines[-1]) + 1 + len(word) > room:
            lines.append(" " * indent + word)
        else:
            lines[-1] += f" {word}"
    return "\n".join(lines)


def coloured() -> bool:
    """Whether colours are wanted on a terminal (https://no-color.org)."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM", "dumb") != "dumb"


class Display:
    """The bar on a terminal descriptor, which it never waits for; nothing if that is no terminal."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self.active = os.isatty(fd) and os.environ.get("TERM", "dumb") != "dumb"
        self._shown = ""

    def show(self, runs: Sequence[LiveRun]) -> None:
        """Draw *runs*, if they look different from the line that is shown."""
        if not self.active:
            return
        text = line(runs, columns())
        if text != self._shown and self._write(_CLEAR + text):
            self._shown = text

    def clear(self) -> None:
        """Take the line away, so that other text starts on a clean one."""
        if self._shown and self._write(_CLEAR):
            self._shown = ""

    def _write(self, text: str) -> bool:
        if not files.writable(self._fd):
            return False
        try:
            os.write(self._fd, text.encode("utf-8", "replace"))
        except OSError:
            self.active = False
        return True
