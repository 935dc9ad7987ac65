"""Fill the page Audit log with the log's identity and baselines, and the page of one entry with all its bytes.

Reading changes nothing.
"""

import json
import shlex
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from tray import wording
from tray.audit import checkpoint, keys
from tray.audit.checkpoint import Checkpoint
from tray.audit.store import AuditLog
from tray.baselines import all_copies
from tray.core import clock
from tray.core.errors import BackupTrayError, EntryNotFoundError
from tray.core.paths import Places
from tray.status import past_runs
from tray.window import lists, verification, view

_LONG: Final = 4_000
_LATE_MS: Final = 60_000


def overview(places: Places) -> dict[str, Any]:
    """Return the identity of the log; {"size": 0} where nothing was ever recorded.

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
        baselines = _baselines(places, log, size)
    gone = f"; those before number {wording.count(first)} are not kept any more" if first else ""
    return {
        "size": size,
        "text": verification.entries_of(size) + gone,
        "file": wording.escape(str(places.audit_db)),
        "origin": wording.escape(origin),
        "root": root.hex(" ", -4),
        "keys": _keys(places, origin),
        "checkpoint": note.decode("utf-8", "replace"),
        **baselines,
    }


def _keys(places: Places, origin: str) -> list[str]:
    """Return the public keys of the log as C2SP verifier keys, the newest last."""
    with suppress(BackupTrayError, OSError):
        return [str(key) for key in keys.pins(places.audit_key) if key.name == origin]
    return []


def _baselines(places: Places, log: AuditLog, size: int) -> dict[str, Any]:
    problems: list[str] = []
    rows = []
    for name, note in all_copies.notes(places, verification.configured(places), problems).items():
        try:
            parsed = checkpoint.parse(note)
        except ValueError as error:
            problems.append(f"{name} is no checkpoint: {error}.")
            continue
        rows.append({"name": wording.escape(name), **_age(log, parsed, size)})
    return {"baselines": rows, "problems": [wording.escape(text) for text in problems]}


def _age(log: AuditLog, baseline: Checkpoint, size: int) -> dict[str, str]:
    """Say up to when a baseline covers this log. Whether it agrees is for a verification to say."""
    now = clock.now_ms()
    covers = f"covers {verification.entries_of(baseline.size)}"
    if not 0 < baseline.size <= size:
        return {"covers": covers, "age": f"more than the {wording.count(size)} that are here: verify the log"}
    try:
        last = log.entry(baseline.size - 1).data
        if last["log"] != baseline.origin:
            return {"covers": covers, "age": "of another log that was kept here"}
        written = clock.from_text(str(last["recorded"]))
    except (BackupTrayError, KeyError, ValueError):
        return {"covers": covers, "age": "its last entry is no longer kept here"}
    return {"covers": covers, "age": f"up to {view.absolute(written, now)}, {wording.ago(now, written)}"}


# -- one entry


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
        stored = log.entry(number)
        size = log.head()[0]
        before = log.entries(number - 1, 1) if number else []
    data, body, raw = stored.data, stored.body, stored.raw.decode("utf-8", "replace")
    moment = clock.from_text(data["time"])
    return {
        "seq": number,
        "number": wording.count(number),
        "title": ": ".join(filter(None, (lists.spoken(data["action"]), lists.result(data)))),
        "kind": lists.kind(data),
        "severity": wording.escape(str(data["severity"])),
        "when": f"{view.absolute(moment, now)}, {wording.ago(now, moment)}",
        "facts": [[name, text] for name, text in _facts(data, body or {}) if text],
        "run": data["run"] if data["run"] and data["action"].startswith("run.") else None,
        "details": None if body is None else [_detail(name, value) for name, value in body.items()],
        "erased": stored.erased,
        "raw": raw,
        "shown": wording.escape(raw),
        "leaf": stored.leaf.hex(),
        "previous": number - 1 if before and before[0].seq == number - 1 else None,
        "next": number + 1 if number + 1 < size else None,
    }


def _facts(data: Mapping[str, Any], body: Mapping[str, Any]) -> list[tuple[str, str]]:
    moment, recorded = clock.from_text(data["time"]), clock.from_text(data["recorded"])
    how = " before compression" if body.get("added_before_compression") is True else ""
    added = data["bytes_added"]
    return [
        ("When", wording.both_times(moment)),
        ("Recorded", wording.both_times(recorded) if recorded - moment > _LATE_MS else ""),
        ("Who", wording.escape(data["actor"] or "")),
        ("Action", f"{wording.escape(data['action'])}, {wording.escape(str(data['result']))}"),
        ("Job", wording.escape(data["job"] or "")),
        ("Engine", wording.escape(", ".join(filter(None, (data["engine"], data["kind"], data["source"]))))),
        ("Run", wording.escape(data["run"] or "")),
        ("Took", wording.known(data["duration_ms"], wording.elapsed, "")),
        ("Size", wording.known(data["bytes_processed"], wording.size, "")),
        ("Added", "" if added is None else f"{wording.size(added)}{how}"),
        ("Files", wording.known(data["files"], wording.count, "")),
        ("Problems", wording.count(data["errors"]) if data["errors"] else ""),
    ]


def _detail(name: str, value: object) -> list[str]:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if value is None or value == [] or value == {}:
        text = "–"
    elif isinstance(value, list) and all(isinstance(item, str) for item in value):
        text = shlex.join(value) if name == "command" else ", ".join(value)
    more = f"… and {wording.plural(len(text) - _LONG, 'more character')}" if len(text) > _LONG else ""
    return [wording.escape(name.replace("_", " ").capitalize()), wording.escape(text[:_LONG]) + more]
