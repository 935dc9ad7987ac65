"""The name of the job that a run without `--job` belongs to.

What is in a backup, where it goes and under whose name makes it a job of its own. What it leaves out does not, nor how fast, how
loud and with which password it is made: a user who adds an `--exclude` goes on with the same job. Where both readings are possible
there are two jobs: the user sees a row too many and can forget it (`backup-tray forget`), but not a failure that is hidden.
"""

import hashlib
import posixpath
import re
from collections.abc import Sequence

from tray.core import clock
from tray.core.redact import Redactor
from tray.engines import nightly

_ANY = "command"  # the engine for every other command
_MAX_NAME = 120
_LONG_NAME = 60  # beyond this the paths are shortened to their last part, and a few digits keep the name unique
_LONG_PATH = 40
_SHOWN_APART = 3
_MOST = 16_384  # so much of a command is searched for dates

_DIGITS = 2  # fewer make no date
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun", "day")
_PASSING = ("/tmp", "/shm/", "/proc/", "/fd/", "/.snapshots/", "ShadowCopy")  # noqa: S108 - nothing is put there
_OURS = re.compile(r"((?:named|listed|connected|recorded) in )(.+)", re.DOTALL)
"""How a source or a place is said that is not named but written down in a file."""
SAID = ("listed by ", "the output of ", "everything backed up before")
"""How a source is said that is no path."""
_ODD = re.compile(r" to |, | with \S+=")
"""What could be read in two ways in a name."""
_WHEN = re.compile(r"\{[^{}]*\}|DATE|PID|[^A-Za-z\d{}]+")
_PLACES = frozenset(("archive", "tag", "stdin-filename"))
"""What tells jobs apart and is a destination, so that a date in it is one: see `nightly`."""
_FILES = re.compile(r"(config|config-file|folder|root|(?:\w+-)*from(?:-\w+)*|include-\w*filelist)=(.+)", re.DOTALL)


def job_name(
    engine: str,
    repository: str | None,
    sources: Sequence[str],
    *,
    kind: str = "backup",
    folder: str | None = None,
    apart: Sequence[str] = (),
    pids: Sequence[int] = (),
) -> str:
    """Return the name of the job that a run without `--job` belongs to: the same command gives the same name every night.

    Two different commands get different names, else the success of one would hide the failure of the other. So paths stay whole
    ("restic /home to /mnt/backup"), and what else makes it another backup follows ("with host=web1"), until the name gets long;
    then their last parts and eight digits of a hash of the whole take their place; of any other command the beginning stays. No
    secret and no control character is in it, and nothing that changes every night: no date, no temporary name
    and no process's number (see `nightly`).

    Args:
        engine: The engine's name.
        repository: Where to, None if unknown.
        sources: What is backed up; the order does not matter.
        kind: What is done, named unless it is a backup.
        folder: The working folder, to tell `backup .` in one folder from `backup .` in another.
        apart: What else tells it from another, see `Plan.apart`; the order does not matter.
        pids: The processes that run it.
    """
    hide = Redactor((), {}).text
    folder, apart = _folder(engine, folder, apart)
    if engine == _ANY:
        whole = [_command(hide(one), folder, pids) for one in sources]
    else:
        base = folder if kind in ("backup", "dry-run") else None
        whole = sorted({_settled(hide(_absolute(source, base)), pids, place=False) for source in sources})
    place = None if repository is None else _settled(hide(_absolute(repository, folder)), pids)
    others = sorted({_apart(hide(one), folder, pids) for one in apart} - {""})
    name = _sentence(engine, kind, whole, place, others)
    odd = any(map(_ODD.search, (*whole, place or ""))) or any(", " in one for one in others)
    if len(name) <= _LONG_NAME and not odd:
        return name
    return _shortened(engine, kind, whole, place, others)


def _shortened(engine: str, kind: str, whole: Sequence[str], place: str | None, others: Sequence[str]) -> str:
    """Return a name of the last parts of paths, or the beginning of a command, and a hash of the whole."""
    meant = (engine, kind, place or "", *whole, *(f"\0{one}" for one in others))
    digest = hashlib.sha256("\0".join(meant).encode("utf-8", "backslashreplace")).hexdigest()[:8]
    if engine == _ANY:
        name = _cut(_sentence(engine, kind, [*map(_near, whole)], None, ()), _LONG_NAME)
    else:
        short = [_last(source) for source in whole[:3]] + ([f"{len(whole) - 3} more"] if len(whole) > 3 else [])
        name = _sentence(engine, kind, short, None if place is None else _last(place), ())
    name += _with([*map(_short, others[:_SHOWN_APART])])
    return _cut(name, _MAX_NAME - len(digest) - 1) + " " + digest


def _sentence(engine: str, kind: str, sources: Sequence[str], place: str | None, apart: Sequence[str]) -> str:
    what = ", ".join(source for source in sources if source.strip())
    words = [] if engine == _ANY and what else [engine]
    words += [word for word in ("" if kind == "backup" or not words else kind, what) if word]
    words += ["to", place] if place else []
    return _visible(" ".join(words)) + _with(apart)


def _with(apart: Sequence[str]) -> str:
    return _visible(f" with {', '.join(apart)}") if apart else ""


def _absolute(path: str, folder: str | None) -> str:
    if written := _OURS.fullmatch(path):
        return written[1] + _absolute(written[2], folder)
    if folder is None or not _is_path(path) or path in ("stdin", "-"):
        return path.rstrip("/") or path[:1]
    return posixpath.normpath(posixpath.join(folder, path))


def _folder(engine: str, folder: str | None, apart: Sequence[str]) -> tuple[str | None, Sequence[str]]:
    """Return the folder in which the command begins, and what of *apart* is left to say once paths are whole."""
    given = next((one.removeprefix("folder=") for one in apart if one.startswith("folder=")), None)
    if given is None or given == ".":
        return folder, apart
    others = [one for one in apart if engine == _ANY or not one.startswith("folder=")]
    return posixpath.join(folder or "/", given), others


def _command(text: str, folder: str | None, pids: Sequence[int]) -> str:
    """Return any other command: its program, by its whole path if it was named by a path, and the words behind it, settled."""
    first, blank, rest = text.partition(" ")
    if folder is not None and not first.startswith(("/", "'", "~", "$")) and "/" in first:
        first = posixpath.normpath(posixpath.join(folder, first))
    return _undated(first, place=False) + blank + _settled(rest, pids, place=False)


def _near(text: str) -> str:
    """Return a command whose program's path, if that is long, is cut to the folder and the name."""
    first, blank, rest = text.partition(" ")
    parts = first.split("/")
    return (
        text if len(first) <= _LONG_PATH or len(parts) <= _SHOWN_APART else "…/" + "/".join(parts[-2:]) + blank + rest
    )


def _apart(text: str, folder: str | None, pids: Sequence[int]) -> str:
    """Return one thing that tells a job from another without what changes every night; of files and folders the whole path.

    The name of an archive that says only when, and on which machine, tells nothing: then it is "".
    """
    if found := _FILES.fullmatch(text):
        text = f"{found[1]}={_absolute(found[2], folder)}"
    name = text.partition("=")[0]
    text = _settled(text, pids, place=name in _PLACES or name.startswith("$"))
    return "" if name == "archive" and not _WHEN.sub("", text.removeprefix("archive=")) else text


def _settled(text: str, pids: Sequence[int], *, place: bool = True) -> str:
    """Return *text* without what changes every night; see `nightly`."""
    text, rest = text[:_MOST], text[_MOST:]
    if any(one in text for one in _PASSING) or any(str(pid) in text for pid in pids):
        text = nightly.settled(text, pids)
    return _undated(text, place=place) + rest


def _undated(text: str, *, place: bool) -> str:
    if sum(map(str.isdigit, text)) < _DIGITS and not any(day in text for day in _DAYS):
        return text

    return nightly.undated(text, clock.now_ms(), place=place)


def _is_path(text: str) -> bool:
    """Whether *text* is a local path, no address like `user@host:/x` or `C:` drive, and no sentence of ours."""
    return bool(text) and not re.match(r"[^/\s]+:", text) and not text.startswith(SAID)


def _short(text: str) -> str:
    name, equals, value = text.partition("=")
    return name + equals + _last(value) if equals else _last(name)


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
