"""The engines we understand, and which of them a command line starts.

To teach Backup Tray a new engine, write one module with an `Engine` (see `base`) and add its instance to `ENGINES`.
"""

import posixpath
import re
from collections.abc import Mapping, Sequence

from tray.engines.base import API, Engine, Event, Exit, Fed, Plan, Problem, Progress, Result, Session, Stream
from tray.engines.command import COMMAND
from tray.engines.recognise import Inner, program_name, unwrap
from tray.engines.restic import RESTIC
from tray.errors import UnknownEngineError
from tray.redact import Redactor

__all__ = [
    "API",
    "COMMAND",
    "ENGINES",
    "Engine",
    "Event",
    "Exit",
    "Fed",
    "Inner",
    "Plan",
    "Problem",
    "Progress",
    "Result",
    "Session",
    "Stream",
    "job_name",
    "named",
    "recognise",
    "unwrap",
]

ENGINES: tuple[Engine, ...] = (RESTIC, COMMAND)
"""Every engine; the last one takes any command."""

_MAX_NAME = 120
_LONG_NAME = 60  # beyond this the paths are shortened to their last part, and a few digits keep the name unique


def recognise(argv: Sequence[str], environ: Mapping[str, str], engine: str | None = None) -> tuple[Engine, int]:
    """Return the engine that *argv* starts, and the index of its program.

    The engine `command` ("any other command", index 0) is the answer for every program that we do not know, and where a wrapper
    hides the end of the program.

    Args:
        argv: The whole command, wrappers such as `sudo` or `nice` included.
        environ: The environment that it will get.
        engine: Name of the engine to take, whatever the program is called.

    Raises:
        UnknownEngineError: There is no engine of that name.
    """
    inner = unwrap(argv, environ)
    if engine is not None:
        chosen = next((one for one in ENGINES if one.name == engine), None)
        if chosen is None:
            raise UnknownEngineError(engine, tuple(one.name for one in ENGINES))
        return chosen, 0 if chosen is COMMAND else inner.at
    if argv and not inner.opaque:
        program = program_name(argv[inner.at])
        for one in ENGINES:
            if one is not COMMAND and one.recognises(program):
                return one, inner.at
    return COMMAND, 0


def named(name: str) -> Engine:
    """Return the engine of a stored run; one that we do not know (any more) is read as any other command."""
    return next((one for one in ENGINES if one.name == name), COMMAND)


def job_name(
    engine: str, repository: str | None, sources: Sequence[str], *, kind: str = "backup", folder: str | None = None
) -> str:
    """Return the name of the job that a run without `--job` belongs to: the same command gives the same name every night.

    Two different commands get different names, else the success of one would hide the failure of the other. So paths stay whole
    ("restic /home to /mnt/backup") until the name gets long; then their last parts and eight digits of a hash of the whole take
    their place. No secret and no control character is in it.

    Args:
        engine: The engine's name.
        repository: Where to, None if unknown.
        sources: What is backed up; the order does not matter.
        kind: What is done, named unless it is a backup.
        folder: The working folder, to tell `backup .` in one folder from `backup .` in another.
    """
    hide = Redactor((), {}).text
    are_paths = engine != COMMAND.name and kind in ("backup", "dry-run")
    whole = sorted({hide(_absolute(source, folder if are_paths else None)) for source in sources})
    place = None if repository is None else hide(_absolute(repository, folder))
    name = _sentence(engine, kind, whole, place)
    if len(name) <= _LONG_NAME and not any(" to " in part or ", " in part for part in (*whole, place or "")):
        return name
    import hashlib  # only long names pay for it

    digest = hashlib.sha256(
        "\0".join((engine, kind, place or "", *whole)).encode("utf-8", "backslashreplace")
    ).hexdigest()[:8]
    short = [_last(source) for source in whole[:3]] + ([f"{len(whole) - 3} more"] if len(whole) > 3 else [])
    name = _sentence(engine, kind, short, None if place is None else _last(place))
    return _cut(name, _MAX_NAME - len(digest) - 1) + " " + digest


def _sentence(engine: str, kind: str, sources: Sequence[str], place: str | None) -> str:
    what = ", ".join(source for source in sources if source.strip())
    words = [] if engine == COMMAND.name and what else [engine]
    words += [word for word in ("" if kind == "backup" else kind, what) if word]
    words += ["to", place] if place else []
    return _visible(" ".join(words))


def _absolute(path: str, folder: str | None) -> str:
    if folder is None or not _is_path(path) or path == "stdin":
        return path.rstrip("/") or path[:1]
    return posixpath.normpath(posixpath.join(folder, path))


def _is_path(text: str) -> bool:
    """Whether *text* is a local path, no address like `sftp:host:/x` or `C:` drive, and no sentence of ours."""
    return bool(text) and not re.match(r"[\w.+-]+:", text) and not text.startswith(("named in ", "listed in "))


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
