"""Record, key by key, what a user changed in the configuration file with an editor.

The last known content is kept as text with passwords hidden, and as a salted digest, which shows that a hidden value changed too.
The program records its own changes when it makes them; `accept` keeps them from being recorded again as edits.
"""

import hashlib
import json
import re
import secrets
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date, time
from pathlib import Path
from typing import Any

from tray.audit import spool
from tray.audit.entry import Action, Draft, Severity
from tray.audit.store import AuditLog
from tray.config import channels, saving
from tray.core import clock
from tray.core.errors import AuditMissingError
from tray.core.files import content
from tray.core.paths import Places
from tray.core.redact import HIDDEN, Redactor, is_secret_name
from tray.housekeeping import task_memory

MAX_CHANGES = 200
"""Changed keys that an entry lists at most; the others are only counted."""
_NAME = "configuration"
_MAX_TEXT = 500
_MAX_FILE = 1 << 20
_BARE = re.compile(r"[A-Za-z0-9_-]+")

KeyPath = tuple[str, ...]
Values = dict[str, list[str]]
"""By key: the value as it may be shown, and the digest of all of it."""


def check(places: Places) -> None:
    """Compare the file with the last known content and record the difference, and each job that is in it for the first time.

    The first time of all it only remembers the content, and records the jobs that the log does not know: from then on each is
    expected to run, however often the file is written again.
    """
    with saving.at_rest(places) as free:  # a change that the program makes just now is recorded by itself
        if free:
            _check(places)


def _check(places: Places) -> None:
    file = places.config_file
    known = _known(places)
    mark = _mark(file)
    if "values" in known and known.get("mark") == mark:
        return
    salt = str(known.get("salt") or secrets.token_hex(16))
    values, fault = _read(file, salt)
    if fault is not None:
        if "values" in known:
            _record(places, "not readable", [], fault)
            task_memory.save(places, _NAME, {**known, "mark": mark})
        return
    if "values" in known:
        changes = compared(known["values"], values)
        if changes:
            _record(places, "changed" if mark is not None else "removed", changes, None)
    _record_jobs(places, _new_jobs(places, known.get("values"), values))
    task_memory.save(places, _NAME, {"salt": salt, "values": values, "mark": mark})


def accept(places: Places, *path: str) -> None:
    """Take the file's present content below *path* as known: this program has written and recorded it. Never raises."""
    known = _known(places)
    if "values" not in known:
        return
    try:
        now, fault = _read(places.config_file, str(known.get("salt")))
        if fault is None:
            below = key_text(path)
            own = {key: value for key, value in now.items() if key == "version" or _is_below(key, below)}
            others = {key: value for key, value in known["values"].items() if not _is_below(key, below)}
            task_memory.save(places, _NAME, {**known, "values": others | own, "mark": "written by this program"})
    except Exception:  # then it is recorded as an edit too: twice is better than never
        return


def described(before: str, after: str) -> list[dict[str, str | None]]:
    """Return the keys in which two texts of the file differ, as `compared` does; both are valid TOML."""
    salt = secrets.token_hex(16)
    return compared(*(_values(tomllib.loads(text), salt) for text in (before, after)))


def shown(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of the table of a job as they may be shown, without passwords."""
    open_keys = ("password_command",)  # a command line, in which only words are hidden
    cleaned = {key: key not in open_keys and is_secret_name(key) for key in table}
    return {key: HIDDEN if hidden else _clean(table[key]) for key, hidden in cleaned.items()}


def _is_below(key: str, path: str) -> bool:
    return key == path or key.startswith(f"{path}.")


def compared(before: Mapping[str, Sequence[str]], after: Mapping[str, Sequence[str]]) -> list[dict[str, str | None]]:
    """Return the keys whose digests differ, in order, as the entry lists them; null stands for an absent value."""
    absent = (None, None)
    pairs = ((key, before.get(key, absent), after.get(key, absent)) for key in sorted(before.keys() | after.keys()))
    return [{"key": key, "from": old[0], "to": new[0]} for key, old, new in pairs if old[1] != new[1]]


def _flat(data: Mapping[str, Any], path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """Yield every value with the keys that lead to it; a list is one value, an empty table too."""
    for key, value in data.items():
        here = (*path, str(key))
        if isinstance(value, Mapping) and value:
            yield from _flat(value, here)
        else:
            yield here, value


def _shown(path: KeyPath, value: Any) -> str:
    """Return *value* as text without passwords."""
    names = (path[0], *path[2:]) if path[0] in ("jobs", "channels") else path  # a name is no hint at the keys below it
    if any(is_secret_name(name) or (path[0] == "channels" and name in channels.SECRET_KEYS) for name in names):
        return HIDDEN
    text = json.dumps(_clean(value, channels.shown if path[0] == "channels" else str), ensure_ascii=False, default=str)
    return text if len(text) <= _MAX_TEXT else text[: _MAX_TEXT - 1] + "…"


def _clean(value: Any, cut: Callable[[str], str] = str) -> Any:
    """Return *value* without passwords; *cut* takes further secrets out of each text."""
    match value:
        case str():
            return cut(Redactor((), {}).text(value))
        case list() if all(isinstance(item, str) for item in value):
            return [cut(word) for word in Redactor(value, {}).argv(value)]
        case list():
            return [_clean(item, cut) for item in value]
        case dict():
            return {key: HIDDEN if is_secret_name(str(key)) else _clean(item, cut) for key, item in value.items()}
        case date() | time():  # TOML knows them, JSON does not
            return value.isoformat()
        case _:
            return value


def _read(file: Path, salt: str) -> tuple[Values, str | None]:
    """Return the file's values, and why they cannot be read, if so; a missing file has none and needs no reason."""
    try:
        raw = content(file, _MAX_FILE)
    except FileNotFoundError:
        return {}, None
    except OSError as error:
        return {}, f"It cannot be read: {error.strerror}."
    try:
        data = tomllib.loads(raw.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        place = re.search(r"line \d+", str(error))
        return {}, f"It is not valid TOML{f', {place[0]}' if place else ''}."  # the words around it may be a password
    return _values(data, salt), None


def _values(data: Mapping[str, Any], salt: str) -> Values:
    return {key_text(path): [_shown(path, value), _digest(salt, value)] for path, value in _flat(data)}


def _record(places: Places, result: str, changes: Sequence[dict[str, str | None]], fault: str | None) -> None:
    weighty = fault is not None or any(str(change["key"]).startswith("audit.") for change in changes)
    body: dict[str, Any] = {
        "change": "edited outside this program",
        "file": str(places.config_file),
        "modified_at": _modified(places.config_file),
        "changes": changes[:MAX_CHANGES],
    }
    if len(changes) > MAX_CHANGES:
        body["more"] = len(changes) - MAX_CHANGES
    if fault is not None:
        body["why"] = fault
    severity = Severity.WARNING if weighty else Severity.INFO
    spool.record(places, [Draft(Action.CONFIG_CHANGED, result=result, severity=severity, body=body)])


def _new_jobs(places: Places, before: Values | None, values: Values) -> dict[str, list[str]]:
    """Return the jobs of *values* that were not there *before*, or that the log does not know, each with its keys."""
    jobs = _jobs(values)
    if before is not None:
        return {name: keys for name, keys in jobs.items() if name not in _jobs(before)}
    try:
        with AuditLog.read(places.audit_db) as log:
            known = log.good_runs([(name,) for name in jobs])
    except AuditMissingError:
        return jobs
    return {name: jobs[name] for name, past in zip(jobs, known, strict=True) if past.first_ms is None}


def _jobs(values: Values) -> dict[str, list[str]]:
    """Return the names of the jobs in *values*, each with its keys."""
    jobs: dict[str, list[str]] = {}
    for key in sorted(values):
        with suppress(tomllib.TOMLDecodeError):  # a name of characters that JSON writes in another way
            for name, table in tomllib.loads(f"{key} = 0").get("jobs", {}).items():
                jobs.setdefault(name, []).extend(table if isinstance(table, dict) else ())
    return jobs


def _record_jobs(places: Places, jobs: Mapping[str, Sequence[str]]) -> None:
    about: dict[str, Any] = {"change": "edited outside this program", "file": str(places.config_file)}
    now = clock.now_ms()
    drafts = [
        Draft(Action.JOB_CREATED, time_ms=now, job=name, body={**about, "keys": [*dict.fromkeys(keys)]})
        for name, keys in jobs.items()
    ]
    if drafts:
        spool.record(places, drafts)


def _modified(file: Path) -> str | None:
    try:
        return clock.to_text(file.stat().st_mtime_ns // 1_000_000)
    except (OSError, ValueError):
        return None


def _mark(file: Path) -> list[int] | None:
    try:
        state = file.stat()
    except OSError:
        return None
    return [state.st_mtime_ns, state.st_size, state.st_ino]


def _known(places: Places) -> dict[str, Any]:
    """Return the remembered content; nothing if the memory is damaged, since then the changes cannot be known."""
    known = task_memory.load(places, _NAME)
    values = known.get("values")
    fine = isinstance(values, dict) and all(
        isinstance(value, list) and len(value) == 2 and all(isinstance(part, str) for part in value)
        for value in values.values()
    )
    return known if fine else {}


def key_text(path: Sequence[str]) -> str:
    """Return a key as the entries name it: "jobs.home.every"."""
    return ".".join(part if _BARE.fullmatch(part) else json.dumps(part, ensure_ascii=False) for part in path)


def _digest(salt: str, value: Any) -> str:
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(f"{salt}\n{text}".encode("utf-8", "surrogatepass")).hexdigest()[:16]
