"""Describe one entry of the audit log: its words, the types of its values, and the run that it is about.

An entry is canonical JSON (RFC 8785) of a closed set of keys, all always there, null where nothing is known; whole numbers
only. `Draft` is an entry before the log gave it a place. Details that may have to be erased later go into its *body*, which
lies beside the entry; the entry holds SHA-256(0x02 ‖ salt ‖ body).
"""

import json
import os
import re
import sys
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import cache
from typing import Any

from tray import __version__
from tray.audit.canonical import MAX_INT, canonical, plain, valid_text
from tray.core import clock
from tray.core.dataclass import asdict, dataclass, field, fields
from tray.core.model import EndedRun, Outcome, Source, Step, proof_of, steps_of

if sys.platform == "win32":
    import platform
else:
    import pwd

VERSION = 1
MAX_ENTRY = 65_535
MAX_BODY = 1 << 20
MAX_TEXT = 1024
"""Bytes of UTF-8 that one text of an entry may have; more is cut. Keeps every entry below `MAX_ENTRY`."""

SALT_SIZE = 16


class Action(StrEnum):
    """An event that can be on record: the closed list."""

    LOG_CREATED = "log.created"
    KEY_CREATED = "key.created"
    KEY_ROTATED = "key.rotated"
    RUN_STARTED = "run.started"
    RUN_FINISHED = "run.finished"
    RUN_CLOSED = "run.closed"
    RUN_SKIPPED = "run.skipped"
    RUN_CANCEL_REQUESTED = "run.cancel_requested"
    JOB_SEEN = "job.seen"
    JOB_FORGOTTEN = "job.forgotten"
    JOB_RENAMED = "job.renamed"
    JOB_CREATED = "job.created"
    JOB_OVERDUE = "job.overdue"
    JOB_SNOOZED = "job.snoozed"
    CONFIG_CHANGED = "config.changed"
    REPOSITORY_CREATED = "repository.created"
    STATUS_ERROR = "status.error"
    AUDIT_VERIFIED = "audit.verified"
    AUDIT_EXPORTED = "audit.exported"
    AUDIT_REDACTED = "audit.redacted"
    AUDIT_ACKNOWLEDGED = "audit.acknowledged"
    AUDIT_ROTATED = "audit.rotated"
    AUDIT_PRUNED = "audit.pruned"
    AUDIT_SALVAGED = "audit.salvaged"
    AUDIT_COPY_FAILED = "audit.copy_failed"
    FORWARD_FAILED = "audit.forward_failed"
    RECORDER_STARTED = "recorder.started"
    RECORDER_STOPPED = "recorder.stopped"
    CLOCK_JUMPED = "clock.jumped"
    NOTIFICATION_FAILED = "notification.failed"


ENDS = (Action.RUN_FINISHED, Action.RUN_CLOSED)
"""An end of a run: seen by its own wrapper, or concluded without it."""


class Severity(StrEnum):
    """How much an entry matters (FR-AUD-006)."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


SEVERITY_OF = {
    Outcome.SUCCEEDED: Severity.INFO,
    Outcome.WARNING: Severity.WARNING,
    Outcome.CANCELLED: Severity.WARNING,
    Outcome.UNKNOWN: Severity.WARNING,
    Outcome.FAILED: Severity.ERROR,
    Outcome.LOST: Severity.ERROR,
}
"""The severity of a run's end."""


def current_actor(program: str = f"backup-tray {__version__}") -> str:
    """Return who acts now: "name (uid) on host, program"."""
    if sys.platform == "win32":
        who = f"{os.environ.get('USERNAME', 'user')} on {platform.node()}"
    else:
        try:
            name = pwd.getpwuid(os.geteuid()).pw_name
        except KeyError:
            name = "user"
        who = f"{name} ({os.geteuid()}) on {os.uname().nodename}"
    return f"{who}, {program}"


@dataclass(frozen=True, slots=True)
class OpenRun:
    """A run whose start is on record and whose end is not. `entry` is None while the start waits in the spool."""

    run: str
    job: str
    engine: str
    kind: str
    started_ms: int
    entry: int | None = None
    source: Source = Source.WRAPPED
    repository: str | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry to be appended; only `action` must be given.

    Attributes:
        time_ms: Time of the event, which may be long before the entry is appended.
        actor: Person and program that did it: "name (uid) on host, program".
        result: Of a run's end its `Outcome`; of anything else one word.
        body: Details that may be erased later: any JSON object (floats become text).
    """

    action: Action
    id: str = field(default_factory=clock.new_id)
    time_ms: int = field(default_factory=clock.now_ms)
    actor: str = field(default_factory=current_actor)
    result: str = "done"
    severity: Severity = Severity.INFO
    job: str | None = None
    run: str | None = None
    engine: str | None = None
    kind: str | None = None
    source: str | None = None
    duration_ms: int | None = None
    bytes_processed: int | None = None
    bytes_added: int | None = None
    files: int | None = None
    errors: int | None = None
    body: Mapping[str, Any] | None = None

    def to_line(self) -> bytes:
        """Return the draft as one line of JSON, as the spool keeps it."""
        return canonical(plain(asdict(self))) + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> "Draft":
        """Read a line that `to_line` wrote.

        Raises:
            ValueError: *line* is no such draft.
        """
        data = json.loads(line)
        if not isinstance(data, dict) or not data.keys() <= set(fields(cls)):
            raise ValueError("no draft of an audit entry")
        if "id" not in data or "time_ms" not in data or "actor" not in data:
            raise ValueError("a draft in a spool names id, time and actor")
        draft = cls(
            **{**data, "action": Action(str(data.get("action"))), "severity": Severity(data.get("severity", "info"))}
        )
        if not _ID.fullmatch(str(draft.id)) or (draft.body is not None and not isinstance(draft.body, dict)):
            raise ValueError("no draft of an audit entry")
        draft.facts()
        return draft

    def facts(self) -> dict[str, Any]:
        """Return the entry's keys as far as the draft knows them, made fit for canonical JSON.

        Texts that are too long are cut, numbers out of range are dropped: a record is never lost for its form.

        Raises:
            ValueError: A time outside 1970 to 9999 or a malformed id.
        """
        if not _ID.fullmatch(self.id):
            raise ValueError(f"no UUID: {self.id!r}")
        known: dict[str, Any] = {name: cut_text(getattr(self, name)) for name in _TEXTS}
        if known["job"] is None and self.run is not None:
            known["job"] = "unnamed"  # an end that belongs to no job would be shown nowhere
        known |= {name: _count(getattr(self, name)) for name in _COUNTS}
        return known | {"id": self.id, "time": clock.to_text(self.time_ms)}

    def ended(self) -> EndedRun | None:
        """Return the run whose end this is, None if it is none."""
        return ended_run(self.facts(), self.body, None) if self.action in ENDS and self.run is not None else None

    def opened(self) -> OpenRun | None:
        """Return the run whose start this is, None if it is none."""
        if self.action is not Action.RUN_STARTED or self.run is None:
            return None
        return open_run(self.facts(), self.body, None)


_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TEXTS = ("action", "actor", "result", "severity", "job", "run", "engine", "kind", "source")
_COUNTS = ("duration_ms", "bytes_processed", "bytes_added", "files", "errors")
_KEYS = frozenset((*_TEXTS, *_COUNTS, "v", "seq", "prev", "log", "recorded", "body", "id", "time"))


def cut_text(value: object) -> str | None:
    """Return *value* as valid text of at most `MAX_TEXT` bytes, None for None."""
    if value is None:
        return None
    text = valid_text(str(value))
    raw = text.encode()
    return text if len(raw) <= MAX_TEXT else raw[: MAX_TEXT - 3].decode("utf-8", "ignore") + "…"


def _count(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < MAX_INT:
        return None
    return int(value)


def parsed(raw: bytes) -> dict[str, Any]:
    """Return an entry as it was read from a file, with all its keys and values of the right kind.

    Whether it is genuine is not checked here, only that noise on the disk does not end up in the middle of a page.

    Raises:
        ValueError: It is no entry.
    """
    data: dict[str, Any] = json.loads(raw)
    if type(data) is not dict or _KEYS - data.keys():
        raise ValueError("keys are missing")
    kinds = [(_TEXTS, (str, type(None))), (_COUNTS, (int, type(None)))]
    if any(type(data[name]) not in allowed for names, allowed in kinds for name in names):
        raise ValueError("values are of another kind")
    clock.from_text(data["time"])
    return data


def ended_run(
    entry: Mapping[str, Any],
    body: Mapping[str, Any] | None,
    seq: int | None,
    present: Callable[[str], str] = lambda job: job,
) -> EndedRun:
    """Return the run whose end *entry* is; facts that stood in an erased body are None.

    Args:
        present: Returns the present name of the job on record.
    """
    body = body or {}
    finished = clock.from_text(entry["time"])
    started, duration = _time_of(body.get("started_at")), entry["duration_ms"]
    if started is None and duration is not None:
        started = finished - duration
    return EndedRun(
        run=entry["run"],
        job=present(entry["job"] or ""),
        engine=entry["engine"] or "",
        outcome=_outcome(entry["result"]),
        started_ms=started,
        finished_ms=finished,
        kind=entry["kind"] or "backup",
        source=_source(entry["source"]),
        repository=_str(body.get("repository")),
        inferred=entry["action"] == Action.RUN_CLOSED,
        duration_ms=duration,
        bytes_processed=entry["bytes_processed"],
        bytes_added=entry["bytes_added"],
        uncompressed=body.get("added_before_compression") is True,
        files=entry["files"],
        errors=entry["errors"] or 0,
        reason=_str(body.get("reason")),
        entry=seq,
        advice=_str(body.get("advice")),
        steps=_steps(body),
        user=_str(body.get("user")),
        proven=proof_of(body, entry["run"], finished),
    )


def open_run(entry: Mapping[str, Any], body: Mapping[str, Any] | None, seq: int | None) -> OpenRun:
    """Return the run whose start *entry* is."""
    return OpenRun(
        run=entry["run"],
        job=entry["job"] or "",
        engine=entry["engine"] or "",
        kind=entry["kind"] or "backup",
        started_ms=clock.from_text(entry["time"]),
        entry=seq,
        source=_source(entry["source"]),
        repository=_str((body or {}).get("repository")),
    )


def _outcome(word: str) -> Outcome:
    try:
        return Outcome(word)
    except ValueError:  # written by a newer version: not known here, so never green
        return Outcome.UNKNOWN


def _source(word: str | None) -> Source:
    return Source.OBSERVED if word == Source.OBSERVED else Source.WRAPPED


def _str(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _steps(body: Mapping[str, Any]) -> tuple[Step, ...]:
    try:
        return steps_of(body)
    except ValueError:  # written by a newer version
        return ()


def _time_of(value: object) -> int | None:
    try:
        return clock.from_text(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _any_of(words: type[StrEnum]) -> str:
    return '"(?:' + "|".join(re.escape(word.value) for word in words) + ')"'


_TEXT = r'"(?:[^"\\\x00-\x1f]++|\\["\\bfnrt]|\\u00(?:0[0-7bef]|1[0-9a-f]))*+"'
_NUMBER = r"(?:0|[1-9][0-9]{0,15})"
_TIME = r'"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z"'
_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

TYPES = {
    "action": _any_of(Action),
    "actor": _TEXT,
    "body": 'null|"[0-9a-f]{64}"',
    "bytes_added": f"null|{_NUMBER}",
    "bytes_processed": f"null|{_NUMBER}",
    "duration_ms": f"null|{_NUMBER}",
    "engine": f"null|{_TEXT}",
    "errors": f"null|{_NUMBER}",
    "files": f"null|{_NUMBER}",
    "id": f'"{_UUID}"',
    "job": f"null|{_TEXT}",
    "kind": f"null|{_TEXT}",
    "log": f'"backup-tray/{_UUID}"',
    "prev": '"[0-9a-f]{64}"',
    "recorded": _TIME,
    "result": _TEXT,
    "run": f"null|{_TEXT}",
    "seq": _NUMBER,
    "severity": _any_of(Severity),
    "source": f"null|{_TEXT}",
    "time": _TIME,
    "v": str(VERSION),
}
"""Every key of an entry and the form of its value in canonical JSON. A closed list: more keys need a new `v`."""


@cache
def pattern() -> re.Pattern[bytes]:
    """Return the expression that matches exactly the canonical entries: key order, types and escapes, in less time than parsing.

    It is compiled when it is first needed: a wrapper that starts does not need it yet.
    """
    keys = ",".join(f'"{name}":(?P<{name}>{form})' for name, form in sorted(TYPES.items()))
    return re.compile(("{" + keys + "}").encode())
