"""Earlier runs of the same job, from the audit log: what to expect of the one that goes on."""

from collections.abc import Mapping
from typing import Any

from tray import engines
from tray.core.paths import Places
from tray.runs import RunInfo
from tray.wrapper.estimate import Past

RUNS = 3
WAIT_SECONDS = 0.1
"""A log that somebody else has locked is not waited for: then nothing is known of earlier runs."""


def of(places: Places, info: RunInfo) -> tuple[Past, ...]:
    """Return the last good runs of the job of *info*, the newest first; nothing where they cannot be read."""
    if info.kind == "other":
        return ()
    try:
        from tray.audit.store import AuditLog

        with AuditLog.read(places.audit_db, timeout=WAIT_SECONDS) as log:
            entries = log.good_ends(info.job, RUNS)
        found = (_past(entry.data, entry.body or {}, info) for entry in entries)
        return tuple(one for one in found if one is not None)
    except Exception:  # an estimate is a convenience; no mistake in it may reach the run
        return ()


def _past(entry: Mapping[str, Any], body: Mapping[str, Any], info: RunInfo) -> Past | None:
    """Return what an entry tells; None of a run of another engine or kind, or without a duration."""
    took = _count(entry, "duration_ms")
    if took is None or entry.get("engine") != info.engine or entry.get("kind") != info.kind:
        return None
    seconds = took / 1000 - (_count(body, "paused_seconds") or 0)
    return Past(
        max(seconds, 0.0),
        _count(entry, "files"),
        _count(entry, "bytes_processed"),
        _count(entry, "bytes_added"),
        copied=engines.named(info.engine).copied_only,
        empty=_names(body, "empty_sources"),
        emptied=_names(body, "emptied_sources") or (),
    )


def _names(body: Mapping[str, Any], key: str) -> tuple[str, ...] | None:
    found = body.get(key)
    return tuple(name for name in found if isinstance(name, str)) if isinstance(found, list) else None


def _count(data: Mapping[str, Any], key: str) -> int | None:
    value = data.get(key)
    return value if type(value) is int and value >= 0 else None
