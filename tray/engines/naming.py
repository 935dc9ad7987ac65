"""The name of the job that a run without `--job` belongs to."""

import posixpath
import re
from collections.abc import Sequence

from tray import clock
from tray.engines.command import COMMAND
from tray.redact import Redactor

_MAX_NAME = 120
_LONG_NAME = 60  # beyond this the paths are shortened to their last part, and a few digits keep the name unique

_DIGITS = 2  # fewer make no date
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun", "day")


def job_name(
    engine: str, repository: str | None, sources: Sequence[str], *, kind: str = "backup", folder: str | None = None
) -> str:
    """Return the name of the job that a run without `--job` belongs to: the same command gives the same name every night.

    Two different commands get different names, else the success of one would hide the failure of the other. So paths stay whole
    ("restic /home to /mnt/backup") until the name gets long; then their last parts and eight digits of a hash of the whole take
    their place; of any other command the beginning stays. No secret and no control character is in it, and no date that changes
    every night.

    Args:
        engine: The engine's name.
        repository: Where to, None if unknown.
        sources: What is backed up; the order does not matter.
        kind: What is done, named unless it is a backup.
        folder: The working folder, to tell `backup .` in one folder from `backup .` in another.
    """
    hide = Redactor((), {}).text
    are_paths = engine != COMMAND.name and kind in ("backup", "dry-run")
    whole = sorted({_undated(hide(_absolute(source, folder if are_paths else None))) for source in sources})
    place = None if repository is None else _undated(hide(_absolute(repository, folder)))
    name = _sentence(engine, kind, whole, place)
    if len(name) <= _LONG_NAME and not any(" to " in part or ", " in part for part in (*whole, place or "")):
        return name
    import hashlib  # only long names pay for it

    digest = hashlib.sha256(
        "\0".join((engine, kind, place or "", *whole)).encode("utf-8", "backslashreplace")
    ).hexdigest()[:8]
    if engine == COMMAND.name:
        return f"{_cut(name, _LONG_NAME)} {digest}"
    short = [_last(source) for source in whole[:3]] + ([f"{len(whole) - 3} more"] if len(whole) > 3 else [])
    name = _sentence(engine, kind, short, None if place is None else _last(place))
    return _cut(name, _MAX_NAME - len(digest) - 1) + " " + digest


def _sentence(engine: str, kind: str, sources: Sequence[str], place: str | None) -> str:
    what = ", ".join(source for source in sources if source.strip())
    words = [] if engine == COMMAND.name and what else [engine]
    words += [word for word in ("" if kind == "backup" or not words else kind, what) if word]
    words += ["to", place] if place else []
    return _visible(" ".join(words))


def _absolute(path: str, folder: str | None) -> str:
    if folder is None or not _is_path(path) or path == "stdin":
        return path.rstrip("/") or path[:1]
    return posixpath.normpath(posixpath.join(folder, path))


def _undated(text: str) -> str:
    """Return *text* without dates that change every night; see `tray.engines.dates`, which few commands need."""
    if sum(map(str.isdigit, text)) < _DIGITS and not any(day in text for day in _DAYS):
        return text
    from tray.engines import dates

    return dates.undated(text, clock.now_ms())


def _is_path(text: str) -> bool:
    """Whether *text* is a local path, no address like `user@host:/x` or `C:` drive, and no sentence of ours."""
    return bool(text) and not re.match(r"[^/\s]+:", text) and not text.startswith(("named in ", "listed in "))


def _last(path: str) -> str:
    return _cut(path.rstrip("/").rpartition("/")[2] or path, 30)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _visible(text: str) -> str:
    """Escape what cannot be shown in one line: control characters, line separators, invalid UTF-8."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escape(char) for char in text)


def _escape(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that was no UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return char.encode("unicode_escape").decode("ascii")
