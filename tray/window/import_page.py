"""Fill the page about backups that this machine makes already, and watch the one that the user chooses.

`backup-tray jobs import` does the same in a terminal. The search needs YAML and every tool, loaded once the page is opened.
"""

import threading
from importlib import import_module
from typing import Any

from tray.core.dataclass import replace
from tray.core.errors import UsageError
from tray.core.paths import Places
from tray.wording import escape

_STATES = {
    "new": ("none", "Not watched yet"),
    "idle": ("none", "Nothing starts it"),
    "taken over": ("info", "Watched"),
    "wrapped": ("info", "Runs under Backup Tray"),
    "off": ("paused", "Switched off"),
    "prefix": ("warn", "Needs its line changed"),
    "foreign": ("none", "Another user's"),
    "not understood": ("unknown", "Not understood"),
}
"""By state of a finding: the shape and the words of its tag. None of them is green: no run has been seen."""
_ABLE = ("new", "idle")


class Existing:
    """The backups that the last search found; each has a number, which holds until the next search."""

    def __init__(self, places: Places) -> None:
        self._places, self._lock = places, threading.Lock()
        self._count, self._findings, self._now_ms = 0, list[Any](), 0

    def search(self) -> dict[str, Any]:
        """Search, and return the backups by their source, those first of which one can be watched.

        Raises:
            BackupTrayError: The configuration or the log cannot be read.
        """
        watching = import_module("tray.jobs.watching")
        made = watching.search(self._places)
        with self._lock:
            self._count += 1
            self._findings, self._now_ms = list(made.findings), made.machine.now_ms
            number = self._count
        sources: dict[str, list[dict[str, Any]]] = {}
        for at, finding in enumerate(made.findings):
            sources.setdefault(finding.source, []).append(_row(at, finding, made.machine.now_ms))
        return {
            "search": number,
            "able": sum(finding.state in _ABLE for finding in made.findings),
            "sources": [{"source": escape(_sentence(name, "")), "rows": rows} for name, rows in sources.items()],
            "places": [_sentence(place, "") for place in import_module("tray.takeover.discover").PLACES],
            "seen": watching.SEEN,
        }

    def watch(self, search: int, number: int) -> dict[str, Any]:
        """Have a job watch the backup *number* of *search*, as `backup-tray jobs import N` does; return its new row.

        Raises:
            UsageError: It was searched again since, or that backup cannot be watched.
            JobChangeError: There is such a job.
            ConfigError, OSError: The configuration file is broken, or cannot be written.
        """
        with self._lock:
            if search != self._count or number >= len(self._findings) or self._findings[number].state not in _ABLE:
                raise UsageError("This backup cannot be watched any more.", why="The list is old.", next=_AGAIN)
            finding = self._findings[number]
            job = import_module("tray.jobs.watching").watch(self._places, finding)
            watched = replace(finding, name=job.name, state="taken over", why=f"the job {job.name!r} watches it")
            self._findings[number] = watched
            return _row(number, watched, self._now_ms)


_AGAIN = "Search again, and choose from the new list."


def _sentence(text: str, end: str = ".") -> str:
    """Return words that follow a colon elsewhere as a sentence; "" stays ""."""
    return f"{text[:1].upper()}{text[1:]}{end}" if text else ""


def _row(number: int, finding: Any, now_ms: int) -> dict[str, Any]:
    """Return a finding as the page shows it; every text but `line` is safe to look at."""
    words, watching = import_module("tray.takeover.words"), import_module("tray.jobs.watching")
    kind, word = _STATES[finding.state]
    prefix = watching.prefix(finding)
    line, how = words.line(finding, prefix), finding.how
    if not line and finding.state == "prefix":  # its line holds a secret, or has no single place for our words
        line, how = prefix, "put this before the command of the backup yourself"
    when = words.rhythm(finding, now_ms)
    shown = {
        "title": words.title(finding),
        "place": words.place(finding),
        "command": finding.command,
        "copied": words.copied(finding),
        "rhythm": _sentence(when, ""),
        "why": _sentence(finding.why),
        "how": _sentence(how, ":") if line else "",
    }
    return {
        **{name: escape(text) for name, text in shown.items()},
        "number": number,
        "name": escape(finding.name),
        "kind": kind,
        "word": word,
        "notes": [escape(_sentence(note)) for note in dict.fromkeys(finding.notes)],
        "able": finding.state in _ABLE,
        "line": line,
        "shown_line": "\n".join(map(escape, line.split("\n"))),
    }
