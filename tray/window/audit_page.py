"""The page Audit log: what identifies the log, its baselines, its entries a page at a time, and one entry with all its bytes.

Reading changes nothing.
"""

import json
import shlex
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from tray import wording
from tray.core import clock
from tray.core.errors import BackupTrayError, EntryNotFoundError
from tray.core.paths import Places
from tray.status import past_runs
from tray.window import filters, verification, view

if TYPE_CHECKING:
    from tray.audit.checkpoint import Checkpoint
    from tray.audit.rows import StoredEntry
    from tray.audit.store import AuditLog

PAGE: Final = 50
_LONG: Final = 4_000
_KIND_OF_SEVERITY: Final = {"info": "info", "warning": "warn", "error": "fail", "critical": "tampered"}


def overview(places: Places) -> dict[str, Any]:
    """Return what identifies the log and what its form offers; {"size": 0} where nothing was ever recorded.

    Raises:
        BackupTrayError: The log cannot be read.
    """
    with past_runs.reading(places) as log:
        if log is None:
            return {"size": 0}
        size, root, note = log.head()
        first = log.start()
        newest = log.entries(-1, 1)
        origin = str(newest[-1].data["log"]) if newest else "unknown"
        known = _baselines(places, log, size)
    return {
        "size": size,
        "text": _length(size, first),
        "file": wording.escape(str(places.audit_db)),
        "origin": wording.escape(origin),
        "root": spaced(root),
        "keys": _keys(places, origin),
        "checkpoint": note.decode("utf-8", "replace"),
        **known,
    }


def _length(size: int, first: int) -> str:
    """Say how long the log is, and from where on it is kept."""
    gone = f"; those before number {wording.count(first)} are not kept any more" if first else ""
    return verification.entries_of(size) + gone


def offered(places: Places) -> dict[str, Any]:
    """Return what the lists of the form offer: `filters.choices`, with the jobs and engines of this log.

    Raises:
        BackupTrayError: The log cannot be read.
    """
    from tray.audit import search

    with past_runs.reading(places) as log:
        known = {of: [] if log is None else search.names(log, of) for of in ("job", "engine")}
    return filters.choices(known["job"], known["engine"])


def _keys(places: Places, origin: str) -> list[str]:
    """Return the public keys of the log as C2SP verifier keys, the newest last."""
    from tray.audit import keys

    with suppress(BackupTrayError, OSError):
        return [str(key) for key in keys.pins(places.audit_key) if key.name == origin]
    return []


# -- baselines


def _baselines(places: Places, log: "AuditLog", size: int) -> dict[str, Any]:
    from tray.audit import checkpoint
    from tray.baselines import all_copies

    problems: list[str] = []
    rows = []
    for name, note in all_copies.found(places, verification.configured(places), problems).items():
        try:
            seen = checkpoint.parse(note)
        except ValueError as error:
            problems.append(f"{name} is no checkpoint: {error}.")
            continue
        rows.append({"name": wording.escape(name), **_age(log, seen, size)})
    return {"baselines": rows, "problems": [wording.escape(text) for text in problems]}


def _age(log: "AuditLog", seen: "Checkpoint", size: int) -> dict[str, str]:
    """Say up to when a baseline covers this log. Whether it agrees is for a verification to say."""
    now = clock.now_ms()
    covers = f"covers {verification.entries_of(seen.size)}"
    if not 0 < seen.size <= size:
        return {"covers": covers, "age": f"more than the {wording.count(size)} that are here: verify the log"}
    try:
        last = log.entry(seen.size - 1).data
        if last["log"] != seen.origin:
            return {"covers": covers, "age": "of another log that was kept here"}
        written = clock.from_text(str(last["recorded"]))
    except (BackupTrayError, KeyError, ValueError):
        return {"covers": covers, "age": "its last entry is no longer kept here"}
    return {"covers": covers, "age": f"up to {view.absolute(written, now)}, {wording.ago(now, written)}"}


# -- entries


def entries(places: Places, fields: filters.Fields, after: Any) -> dict[str, Any]:
    """Return a page of the entries that the form asks for, the newest first, and where the next one begins (None at the end).

    Args:
        after: The `next` of the page before, None for the newest.

    Raises:
        BackupTrayError: The log cannot be read, or a day is none.
    """
    from tray.audit.search import search

    now = clock.now_ms()
    wanted = filters.of_log(fields, now)
    with past_runs.reading(places) as log:
        if log is None:
            return {"rows": [], "next": None, "note": ""}
        page = search(log, wanted, limit=PAGE, after=after, recorded=True)
    return {
        "rows": [_row(entry, now) for entry in page.entries],
        "next": None if page.next is None else list(page.next),
        "note": view.looked(page.looked_to_ms, now),
    }


def _row(entry: "StoredEntry", now: int) -> dict[str, Any]:
    data = entry.data
    moment = clock.from_text(data["time"])
    return {
        "seq": entry.seq,
        "number": wording.count(entry.seq),
        "at": view.absolute(moment, now),
        "utc": wording.both_times(moment),
        "action": filters.spoken(data["action"]),
        "result": _result(data),
        "severity": "" if data["severity"] in ("info", data["result"]) else wording.escape(data["severity"] or ""),
        "kind": _kind(data),
        "job": wording.escape(data["job"] or ""),
        "actor": wording.escape(data["actor"] or ""),
        "erased": entry.erased,
    }


def _kind(data: Mapping[str, Any]) -> str:
    """Return the shape of an entry: what a run's end and a verification came to, of anything else how much it matters."""
    if data["action"] in ("run.finished", "run.closed"):
        return view.kind_of(data["result"])
    if data["action"] == "audit.verified" and data["result"] in verification.RESULTS:
        return verification.RESULTS[data["result"]][0]
    return _KIND_OF_SEVERITY.get(data["severity"], "unknown")


def entry(places: Places, number: int) -> dict[str, Any]:
    """Return entry *number* with its details and the bytes that were hashed.

    Raises:
        EntryNotFoundError: There is none.
        BackupTrayError: The log cannot be read.
    """
    now = clock.now_ms()
    with past_runs.reading(places) as log:
        if log is None:
            raise EntryNotFoundError(number, 0)
        found = log.entry(number)
        size = log.head()[0]
        before = log.entries(number - 1, 1) if number else []
    data, moment = found.data, clock.from_text(found.data["time"])
    return {
        "seq": number,
        "number": wording.count(number),
        "title": _title(data),
        "kind": _kind(data),
        "severity": wording.escape(str(data["severity"])),
        "when": f"{view.absolute(moment, now)}, {wording.ago(now, moment)}",
        "facts": [[name, text] for name, text in _facts(data, found.body or {}) if text],
        "run": data["run"] if data["run"] and data["action"].startswith("run.") else None,
        "details": None if found.body is None else [_detail(name, value) for name, value in found.body.items()],
        "erased": found.erased,
        "raw": found.raw.decode("utf-8", "replace"),
        "shown": wording.escape(found.raw.decode("utf-8", "replace")),
        "leaf": found.leaf.hex(),
        "previous": number - 1 if before and before[0].seq == number - 1 else None,
        "next": number + 1 if number + 1 < size else None,
    }


def _result(data: Mapping[str, Any]) -> str:
    """Return what it came to, nothing where the action's own words say it: "Run started" has started."""
    result = wording.escape(data["result"] or "")
    return "" if result == "done" or result in filters.spoken(data["action"]) else result


def _title(data: Mapping[str, Any]) -> str:
    return ": ".join(filter(None, (filters.spoken(data["action"]), _result(data))))


def _facts(data: Mapping[str, Any], body: Mapping[str, Any]) -> list[tuple[str, str]]:
    took, recorded = data["duration_ms"], clock.from_text(data["recorded"])
    late = recorded - clock.from_text(data["time"]) > 60_000
    added = "" if data["bytes_added"] is None else wording.size(data["bytes_added"])
    if added and body.get("added_before_compression") is True:
        added += " before compression"
    return [
        ("When", wording.both_times(clock.from_text(data["time"]))),
        ("Recorded", wording.both_times(recorded) if late else ""),
        ("Who", wording.escape(data["actor"] or "")),
        ("What", f"{wording.escape(data['action'])}, {wording.escape(str(data['result']))}"),
        ("Job", wording.escape(data["job"] or "")),
        ("Engine", wording.escape(", ".join(filter(None, (data["engine"], data["kind"], data["source"]))))),
        ("Run", wording.escape(data["run"] or "")),
        ("Took", "" if took is None else wording.duration(took / 1000)),
        ("Size", "" if data["bytes_processed"] is None else wording.size(data["bytes_processed"])),
        ("Added", added),
        ("Files", "" if data["files"] is None else wording.count(data["files"])),
        ("Problems", wording.count(data["errors"]) if data["errors"] else ""),
    ]


def _detail(name: str, value: object) -> list[str]:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if value is None or value == [] or value == {}:
        text = "–"
    elif isinstance(value, list) and all(isinstance(one, str) for one in value):
        text = shlex.join(value) if name == "command" else ", ".join(value)
    more = f"… and {_count_more(len(text) - _LONG)}" if len(text) > _LONG else ""
    return [wording.escape(name.replace("_", " ").capitalize()), wording.escape(text[:_LONG]) + more]


def _count_more(letters: int) -> str:
    return wording.plural(letters, "more character")


def spaced(digest: bytes) -> str:
    """Return *digest* in hex, in groups that an eye can follow."""
    return digest.hex(" ", -4)
