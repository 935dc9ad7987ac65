"""Name the job that a run without `--job` belongs to.

The content of a backup, its destination and the name under which it is made make it a job of its own. Exclusions do not, nor its
speed, messages and password: a user who adds an `--exclude` goes on with the same job. Where both readings are possible there are
two jobs: the user sees a row too many and can forget it (`backup-tray forget`), but not a failure that is hidden.
"""

import posixpath
import re
from collections.abc import Sequence
from importlib import import_module

from tray.core import clock, regex
from tray.core.redact import Redactor
from tray.engines import nightly
from tray.engines.base import Plan
from tray.engines.text import valid

_ANY = "command"  # the engine for any other command
_MAX_NAME = 120
_LONG_NAME = 60  # beyond this the paths are shortened to their last part, and a few digits keep the name unique
_LONG_PATH = 40
_SHOWN_APART = 3
_OURS = regex.compile(r"((?:named|listed|connected|recorded) in )(.+)", re.DOTALL)
"""Our words for a source or a destination that stands in a file instead of the command."""
SAID = ("listed by ", "the output of ", "everything backed up before")
"""Our words for a source that is no path."""
_ODD = regex.compile(r" to |, | with \S+=")
"""Parts of a path that a name could be misread by."""
_WHEN = regex.compile(r"\{[^{}]*\}|DATE|PID|[^A-Za-z\d{}]+")
_PLACES = frozenset(("archive", "tag", "stdin-filename"))
"""Facts that tell jobs apart and are a destination, so that a date in them is one: see `nightly`."""
_FILES = regex.compile(r"(config|config-file|folder|root|(?:\w+-)*from(?:-\w+)*|include-\w*filelist)=(.+)", re.DOTALL)


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
    ("restic /home to /mnt/backup"), and the facts that make it another backup follow ("with host=web1"), until the name gets long;
    then the last parts of paths and eight digits of a hash of the whole take their place; of any other command the beginning stays.
    No secret and no control character is in it, and nothing that changes every night: no date, temporary name or process's number.

    Args:
        engine: The engine's name.
        repository: Destination, None if unknown.
        sources: Paths that are backed up; their order does not matter.
        kind: Kind of run, named unless it is a backup.
        folder: The working folder, to tell `backup .` in one folder from `backup .` in another.
        apart: Further facts that tell it from other jobs, see `Plan.apart`; their order does not matter.
        pids: The processes that run it.
    """
    hide, now = Redactor((), {}).text, clock.now_ms()
    folder, apart = _folder(engine, folder, apart)

    def settled(text: str, *, place: bool) -> str:
        return nightly.settled(text, pids, now, place=place)

    def fact(text: str) -> str:
        """Return a fact; "" for the name of an archive that says only when, and on which machine: it tells nothing."""
        if match := _FILES.fullmatch(text):
            text = f"{match[1]}={_absolute(match[2], folder)}"
        name = text.partition("=")[0]
        text = settled(text, place=name in _PLACES or name.startswith("$"))
        return "" if name == "archive" and not _WHEN.sub("", text.removeprefix("archive=")) else text

    if engine == _ANY:
        whole = [_command(hide(text), folder, pids, now) for text in sources]
    else:
        base = folder if kind in ("backup", "dry-run") else None
        whole = sorted({settled(hide(_absolute(source, base)), place=False) for source in sources})
    place = None if repository is None else settled(hide(_absolute(repository, folder)), place=True)
    facts = sorted({fact(hide(text)) for text in apart} - {""})
    name = _sentence(engine, kind, whole, place, facts)
    odd = any(map(_ODD.search, (*whole, place or ""))) or any(", " in text for text in facts)
    return name if len(name) <= _LONG_NAME and not odd else _shortened(engine, kind, whole, place, facts)


def is_shared(plan: Plan) -> bool:
    """Whether another backup may have the same name: a part that would tell them apart is in a file that each run has anew."""
    texts = [*plan.sources, *(fact for fact in plan.apart if _FILES.fullmatch(fact))]
    return any(nightly.passing(text) for text in texts if "=" in text or _OURS.fullmatch(text))


def _shortened(engine: str, kind: str, whole: Sequence[str], place: str | None, facts: Sequence[str]) -> str:
    """Return a name of the last parts of paths, or the beginning of a command, and a hash of the whole."""
    parts = (engine, kind, place or "", *whole, *(f"\0{fact}" for fact in facts))
    sha256 = import_module("hashlib").sha256  # it loads OpenSSL, and a backup with a short name starts before that
    digest: str = sha256("\0".join(parts).encode("utf-8", "backslashreplace")).hexdigest()[:8]
    if engine == _ANY:
        name = _cut(_sentence(engine, kind, [*map(_near, whole)], None, ()), _LONG_NAME)
    else:
        short = [_last(source) for source in whole[:3]] + ([f"{len(whole) - 3} more"] if len(whole) > 3 else [])
        name = _sentence(engine, kind, short, None if place is None else _last(place), ())
    name += _with([*map(_short, facts[:_SHOWN_APART])])
    return _cut(name, _MAX_NAME - len(digest) - 1) + " " + digest


def _sentence(engine: str, kind: str, sources: Sequence[str], place: str | None, facts: Sequence[str]) -> str:
    listed = ", ".join(source for source in sources if source.strip())
    words = [] if engine == _ANY and listed else [engine]
    words += [word for word in ("" if kind == "backup" or not words else kind, listed) if word]
    words += ["to", place] if place else []
    return _visible(" ".join(words)) + _with(facts)


def _with(facts: Sequence[str]) -> str:
    return _visible(f" with {', '.join(facts)}") if facts else ""


def _absolute(path: str, folder: str | None) -> str:
    if match := _OURS.fullmatch(path):
        return match[1] + _absolute(match[2], folder)
    if folder is None or not _is_path(path) or path in ("stdin", "-"):
        return path.rstrip("/") or path[:1]
    return posixpath.normpath(posixpath.join(folder, path))


def _folder(engine: str, folder: str | None, apart: Sequence[str]) -> tuple[str | None, Sequence[str]]:
    """Return the folder in which the command begins, and the facts of *apart* that are left to say once paths are whole."""
    given = next((fact.removeprefix("folder=") for fact in apart if fact.startswith("folder=")), None)
    if given is None or given == ".":
        return folder, apart
    others = [fact for fact in apart if engine == _ANY or not fact.startswith("folder=")]
    return posixpath.join(folder or "/", given), others


def _command(text: str, folder: str | None, pids: Sequence[int], now_ms: int) -> str:
    """Return any other command: its program, by its whole path if it was named by a path, and the words behind it, settled."""
    first, blank, rest = text.partition(" ")
    if folder is not None and not first.startswith(("/", "'", "~", "$")) and "/" in first:
        first = posixpath.normpath(posixpath.join(folder, first))
    return nightly.undated(first, now_ms, place=False) + blank + nightly.settled(rest, pids, now_ms, place=False)


def _near(text: str) -> str:
    """Return a command whose program's path, if that is long, is cut to the folder and the name."""
    first, blank, rest = text.partition(" ")
    parts = first.split("/")
    if len(first) <= _LONG_PATH or len(parts) <= _SHOWN_APART:
        return text
    return "…/" + "/".join(parts[-2:]) + blank + rest


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
    """Escape all that cannot be shown in one line: control characters, line separators, invalid UTF-8."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in valid(text)
    )
