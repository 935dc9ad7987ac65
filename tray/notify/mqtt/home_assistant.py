"""Describe the status for Home Assistant: one device for the audit log, with a few entities for each job. No I/O.

https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload. Everything is retained, so that it is there again after
a restart of the broker or of Home Assistant. A value that is not known is null, which Home Assistant shows as "unknown", never as
off.

Nothing expires and no entity is ever "unavailable": for that a connection would have to stay open, and no process of ours lives as
long as the machine is awake. Instead "next good backup expected by" is a moment: an automation that compares it with the time
notices a machine from which nothing comes any more.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tray import __version__
from tray.core import clock
from tray.core.codec import Coded
from tray.core.dataclass import dataclass
from tray.core.model import BACKUP, JobStatus, State, Status, Word
from tray.core.model.judge import FINE
from tray.wording import escape, fit

PREFIX = "homeassistant"
"""Under which topic Home Assistant looks for devices, unless it is told otherwise."""
_NAME_UNITS = 60
_MOST_GONE = 200
_AUDIT_LOG = "audit_log"
_STATES = {"device_class": "enum", "options": [state.value for state in State]}
_OF_JOB: tuple[tuple[str, str, str, Mapping[str, Any]], ...] = (
    ("state", "sensor", "state", _STATES),
    ("problem", "binary_sensor", "problem", {"device_class": "problem"}),
    ("last_good", "sensor", "last good {run}", {"device_class": "timestamp"}),
    ("expected_by", "sensor", "next good {run} expected by", {"device_class": "timestamp"}),
    (
        "duration",
        "sensor",
        "duration of the last {run}",
        {"device_class": "duration", "unit_of_measurement": "s", "state_class": "measurement"},
    ),
    (
        "size",
        "sensor",
        "size of the last {run}",
        {"device_class": "data_size", "unit_of_measurement": "B", "state_class": "measurement"},
    ),
)
_OF_ALL: tuple[tuple[str, str, str, Mapping[str, Any]], ...] = (
    ("state", "sensor", "All jobs: state", _STATES),
    ("problem", "binary_sensor", "All jobs: problem", {"device_class": "problem"}),
    (_AUDIT_LOG, "binary_sensor", "Audit log", {"device_class": "tamper"}),
)
"""Key in the state, platform, name and further settings of each entity."""


@dataclass(frozen=True, slots=True)
class Published(Coded):
    """The messages of ours that a broker keeps, remembered in a small file.

    Attributes:
        log: The UUID of the audit log that names the device; empty if nothing was published yet.
        jobs: Ids of the jobs that the device has.
        gone: Ids of the jobs that it had; their entities stay marked as removed, for a Home Assistant that was off meanwhile.
    """

    log: str = ""
    jobs: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()


def messages(
    status: Status, before: Published, *, log: str, host: str, prefix: str = PREFIX, only: Sequence[str] = ()
) -> tuple[list[tuple[str, bytes]], Published]:
    """Return the messages (topic and content) that say *status*, and the record of them once the broker has them all.

    Args:
        before: The record of the messages that it has now.
        log: UUID of the audit log.
        host: Name of the machine.
        prefix: Where Home Assistant looks.
        only: The only jobs that are shown; none: all, and the state of all together.
    """
    old = [] if before.log in ("", log) else _removed(before, prefix)
    before = before if before.log == log else Published(log)
    if status.error is None:
        jobs = {job_id(job): job for job in _shown(status.jobs, only)}
        gone = dict.fromkeys(ident for ident in (*before.gone, *before.jobs) if ident not in jobs)
        after = Published(log, tuple(jobs), tuple(gone)[-_MOST_GONE:])
    else:  # it names no jobs, which does not mean that they are gone: their values are not known
        jobs, after = {}, before
    described = [(f"{prefix}/device/{log}/config", _json(_device(after, jobs, host, of_all=not only)))]
    unknown = _json(dict.fromkeys(key for key, _, _, _ in _OF_JOB))
    states = [(_topic(log, ident), _json(_of_job(jobs[ident])) if jobs else unknown) for ident in after.jobs]
    cleared = [(_topic(log, ident), b"") for ident in after.gone if ident in before.jobs]
    general = (f"backup-tray/{log}/status", _json(_of_all(status, shown=not only)))
    return [*old, *described[: bool(jobs) or not after.jobs], *states, general, *cleared], after


def job_id(job: JobStatus) -> str:
    """Return the id of *job* in topics: readable as far as it may be, and no other job's."""
    mark = hashlib.sha256(f"{job.instance.value}\n{job.job}".encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return "-".join(filter(None, (re.sub(r"[^a-zA-Z0-9]+", "-", job.job[:30]).strip("-"), mark)))


def _shown(jobs: Iterable[JobStatus], only: Sequence[str]) -> list[JobStatus]:
    """Return the jobs to show; those of other users are not ours to judge."""
    ours = [job for job in jobs if job.last is None or job.last.user is None]
    return [job for job in ours if not only or job.job in only]


def _device(after: Published, jobs: Mapping[str, JobStatus], host: str, *, of_all: bool) -> dict[str, Any]:
    """Return the description of the device and its entities; an entity with nothing but its platform is removed."""
    log, entities = after.log, {}
    for key, platform, name, more in _OF_ALL:
        entity = _entity(f"{log}_{key}", platform, name, f"backup-tray/{log}/status", key, more)
        entities[key] = entity if of_all or key == _AUDIT_LOG else {"p": platform}
    for ident, job in jobs.items():
        run = "backup" if job.kind == BACKUP else "run"
        system = " (system)" if job.instance != "user" else ""
        shown = fit(escape(job.job), _NAME_UNITS) + system
        for key, platform, name, more in _OF_JOB:
            label = f"{shown}: {name.format(run=run)}"
            entities[f"{ident}_{key}"] = _entity(f"{log}_{ident}_{key}", platform, label, _topic(log, ident), key, more)
    for ident in after.gone:
        entities |= {f"{ident}_{key}": {"p": platform} for key, platform, _, _ in _OF_JOB}
    name = fit(escape(host), _NAME_UNITS) or "this machine"
    device = {"ids": [f"backup-tray_{log}"], "name": f"Backups of {name}", "mf": "Backup Tray", "sw": __version__}
    return {"dev": device, "o": {"name": "Backup Tray", "sw": __version__}, "cmps": entities, "qos": 1}


def _entity(ident: str, platform: str, name: str, topic: str, key: str, more: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "p": platform,
        "unique_id": ident,
        "name": name,
        "state_topic": topic,
        "value_template": f"{{{{ value_json.{key} }}}}",
        **more,
    }


def _of_job(job: JobStatus) -> dict[str, Any]:
    last = job.last
    return {
        "state": job.state.value,
        "problem": _problem(job),
        "last_good": _moment(job.last_good.finished_ms if job.last_good is not None and _dated(job) else None),
        "expected_by": _moment(job.expected_by_ms),
        "duration": None if last is None or last.duration_ms is None else round(last.duration_ms / 1000, 1),
        "size": None if last is None else last.bytes_processed,
    }


def _of_all(status: Status, *, shown: bool) -> dict[str, Any]:
    """Return the state of all jobs together and of the audit log; *shown* False: only that of the log."""
    audit = status.audit if status.error is None else None
    intact = {"intact": "OFF", "tampered": "ON"}.get("" if audit is None else audit.result)
    values: dict[str, Any] = {_AUDIT_LOG: "ON" if audit is not None and audit.breach else intact}
    if not shown:
        return values
    problems = {_problem(job) for job in status.jobs}
    bad = status.state not in FINE or status.error is not None
    return {**values, "state": status.state.value, "problem": "ON" if bad else "OFF" if "OFF" in problems else None}


def _problem(job: JobStatus) -> str | None:
    """Return whether something is wrong with *job*; None if that is not known: it never made a good backup, or is off."""
    if job.state not in FINE:
        return "ON"
    known = job.state is State.OK or (job.state is State.RUNNING and job.last_good is not None)
    return "OFF" if known else None


def _dated(job: JobStatus) -> bool:
    return job.known and job.word != Word.UNDATED


def _moment(ms: int | None) -> str | None:
    return None if ms is None else clock.to_text(ms)


def _topic(log: str, ident: str) -> str:
    return f"backup-tray/{log}/job/{ident}"


def _removed(before: Published, prefix: str) -> list[tuple[str, bytes]]:
    """Return the messages that remove the device of another audit log, which ours has replaced."""
    topics = [f"{prefix}/device/{before.log}/config", f"backup-tray/{before.log}/status"]
    return [(topic, b"") for topic in (*topics, *(_topic(before.log, ident) for ident in before.jobs))]


def _json(data: Mapping[str, Any]) -> bytes:
    return json.dumps(data, separators=(",", ":")).encode()
