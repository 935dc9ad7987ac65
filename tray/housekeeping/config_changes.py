"""Duty: put on record what somebody changed in the configuration file without this program, key by key.

What was seen last is kept as text that may be shown, with passwords hidden, and as a salted digest, which tells that a hidden
value changed too. What the program itself writes it records itself, and `accept` says that this was seen.
"""

import hashlib
import json
import re
import secrets
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tray.core import clock
from tray.core.files import content
from tray.core.paths import Places
from tray.core.redact import HIDDEN, Redactor, is_secret_name
from tray.housekeeping import duty_memory
from tray.housekeeping.rounds import Round

MAX_CHANGES = 200
"""More changed keys than this are only counted."""
_NAME = "configuration"
_MAX_TEXT = 500
_MAX_FILE = 1 << 20
_BARE = re.compile(r"[A-Za-z0-9_-]+")

Path_ = tuple[str, ...]
Seen = dict[str, list[str]]
"""By key: what may be shown of its value, and the digest of all of it."""


@dataclass(frozen=True, slots=True)
class Change:
    """One key that is not what it was; None where it was not, or is not any more."""

    key: str
    before: str | None
    after: str | None

    def to_json(self) -> dict[str, Any]:
        """Return it as the entry's body holds it."""
        return {"key": self.key, "from": self.before, "to": self.after}


def do(this: Round) -> None:
    """Compare the file with what was seen last; the first time it is only remembered."""
    file = this.places.config_file
    known = _known(this.places)
    mark = _mark(file)
    if "values" in known and known.get("mark") == mark:
        return
    salt = str(known.get("salt") or secrets.token_hex(16))
    values, fault = _values(file, salt)
    if fault is not None:
        if "values" in known:
            _record(this, file, "not readable", [], fault)
            duty_memory.save(this.places, _NAME, {**known, "mark": mark})
        return
    if "values" in known:
        changes = compared(_seen(known), values)
        if changes:
            _record(this, file, "changed" if mark is not None else "removed", changes, None)
    duty_memory.save(this.places, _NAME, {"salt": salt, "values": values, "mark": mark})


def accept(places: Places, *path: str) -> None:
    """Take what the file now says below *path* as seen: this program has just written and recorded it. Never raises."""
    known = _known(places)
    if "values" not in known:
        return
    try:
        now, fault = _values(places.config_file, str(known.get("salt")))
        if fault is None:
            below = _text(path)
            mine = {key: value for key, value in now.items() if key == below or key.startswith(f"{below}.")}
            others = {
                key: value for key, value in _seen(known).items() if key != below and not key.startswith(f"{below}.")
            }
            version = {key: value for key, value in now.items() if key == "version"}
            duty_memory.save(
                places, _NAME, {**known, "values": others | version | mine, "mark": "written by this program"}
            )
    except Exception:  # then it is noted as an edit too: twice is better than never
        return


def compared(before: Mapping[str, Sequence[str]], after: Mapping[str, Sequence[str]]) -> list[Change]:
    """Return what differs, in the order of the keys."""
    return [
        Change(key, _shown(before.get(key)), _shown(after.get(key)))
        for key in sorted(before.keys() | after.keys())
        if _digest_of(before.get(key)) != _digest_of(after.get(key))
    ]


def flat(data: Mapping[str, Any], path: Path_ = ()) -> Iterator[tuple[Path_, Any]]:
    """Yield every value with the keys that lead to it; a list is one value, an empty table too."""
    for key, value in data.items():
        here = (*path, str(key))
        if isinstance(value, Mapping) and value:
            yield from flat(value, here)
        else:
            yield here, value


def shown(path: Path_, value: Any) -> str:
    """Return *value* as text in which no password is left."""
    names = (path[0], *path[2:]) if path[0] == "jobs" else path  # a job's name is no hint at what its keys hold
    if any(is_secret_name(name) for name in names):
        return HIDDEN
    return _cut(json.dumps(_clean(value), ensure_ascii=False, default=str))


def _clean(value: Any) -> Any:
    match value:
        case str():
            return Redactor((), {}).text(value)
        case list() if all(isinstance(item, str) for item in value):
            return Redactor(value, {}).argv(value)
        case list():
            return [_clean(item) for item in value]
        case dict():
            return {key: HIDDEN if is_secret_name(str(key)) else _clean(item) for key, item in value.items()}
        case _:
            return value


def _values(file: Path, salt: str) -> tuple[Seen, str | None]:
    """Return what the file says, and why it says nothing, if so; a file that is missing says nothing without a reason."""
    try:
        raw = content(file, _MAX_FILE)
    except FileNotFoundError:
        return {}, None
    except OSError as error:
        return {}, f"It cannot be read: {error.strerror}."
    try:
        data = tomllib.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        place = re.search(r"line \d+", str(error))
        return {}, f"It is not valid TOML{f', {place[0]}' if place else ''}."  # the words around it may be a password
    return {_text(path): [shown(path, value), _digest(salt, value)] for path, value in flat(data)}, None


def _record(this: Round, file: Path, result: str, changes: Sequence[Change], fault: str | None) -> None:
    from tray.audit import spool
    from tray.audit.entry import Action, Draft, Severity

    weighty = fault is not None or any(change.key.startswith("audit.") for change in changes)
    body: dict[str, Any] = {
        "change": "edited outside this program",
        "file": str(file),
        "modified_at": _modified(file),
        "changes": [change.to_json() for change in changes[:MAX_CHANGES]],
    }
    if len(changes) > MAX_CHANGES:
        body["more"] = len(changes) - MAX_CHANGES
    if fault is not None:
        body["why"] = fault
    severity = Severity.WARNING if weighty else Severity.INFO
    spool.record(this.places, [Draft(Action.CONFIG_CHANGED, result=result, severity=severity, body=body)])


def _modified(file: Path) -> str | None:
    try:
        return clock.to_text(file.stat().st_mtime_ns // 1_000_000)
    except (OSError, ValueError):
        return None


def _mark(file: Path) -> list[int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return [found.st_mtime_ns, found.st_size, found.st_ino]


def _known(places: Places) -> dict[str, Any]:
    """Return what is remembered; nothing if that was damaged, since then nobody can say what changed."""
    known = duty_memory.load(places, _NAME)
    values = known.get("values")
    fine = isinstance(values, dict) and all(
        isinstance(value, list) and len(value) == 2 and all(isinstance(part, str) for part in value)
        for value in values.values()
    )
    return known if fine else {}


def _seen(known: Mapping[str, Any]) -> Seen:
    found: Seen = known["values"]
    return found


def _text(path: Sequence[str]) -> str:
    return ".".join(part if _BARE.fullmatch(part) else json.dumps(part, ensure_ascii=False) for part in path)


def _digest(salt: str, value: Any) -> str:
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(f"{salt}\n{text}".encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _digest_of(value: Sequence[str] | None) -> str | None:
    return None if value is None else value[1]


def _shown(value: Sequence[str] | None) -> str | None:
    return None if value is None else value[0]


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_TEXT else text[: _MAX_TEXT - 1] + "…"
