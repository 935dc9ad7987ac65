"""Events that people and their tools are told of, and the message that carries one or several of them."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from tray.core.codec import Coded
from tray.core.dataclass import dataclass, field
from tray.core.model.runs import BACKUP, Instance, Outcome


class EventKind(StrEnum):
    """The closed list of events. The first six can be chosen in config.toml (`config.job_table.RULES`).

    `FAILURE` without a job: the status cannot be read, so no job can be judged; `RECOVERED` without one: it can be again.
    `CLEARED`: an incident ended without a good backup, since the user acknowledged the job, turned it off or forgot it.
    `CHANNEL`: messages by another channel cannot be sent. `REMINDER`: the incidents that are still open, once a day.
    `DIGEST`: how every job is, once a week. `ALIVE`: the audit log was verified, so the watcher itself is at work.
    `TEST`: the user asked for a test. `STATE`: something changed of which no other event tells; only for tools that show the state.
    """

    FAILURE = "failure"
    WARNING = "warning"
    OVERDUE = "overdue"
    BREACH = "breach"
    RECOVERED = "recovered"
    SUCCESS = "success"
    CLEARED = "cleared"
    CHANNEL = "channel"
    REMINDER = "reminder"
    DIGEST = "digest"
    ALIVE = "alive"
    TEST = "test"
    STATE = "state"


@dataclass(frozen=True, slots=True)
class Event(Coded):
    """One event, with all facts that a message tells.

    Attributes:
        id: Of the entry in the audit log that puts it on record, where there is one; else an id of its own. Never changes.
        at_ms: When it happened: the end of the run, the moment from which the job was overdue.
        job: The name that every surface shows; None if it concerns no job.
        job_kind: "backup", or what else the runs of the job do.
        incident: Id of the event that began the incident; its later events and their messages have the same.
        since_ms: When the incident began.
        again: A further bad run of an incident that is known: only for tools that follow each run.
        run, entry: The run that it is about, and the number of its entry; None if there is none.
        reason, advice: As in `EndedRun`; without secrets.
        concern: One sentence why the job is not fine, where its run does not tell.
        why: The arithmetic of a job that is overdue.
        streak: How many runs in a row ended badly.
        log: Id of the audit log, "backup-tray/<uuid>"; None without one.
        facts: More facts of a kind; a digest holds a row for each job.
    """

    id: str
    kind: EventKind
    at_ms: int
    job: str | None = None
    instance: Instance = Instance.USER
    job_kind: str = BACKUP
    incident: str = ""
    since_ms: int | None = None
    again: bool = False
    run: str | None = None
    entry: int | None = None
    engine: str | None = None
    outcome: Outcome | None = None
    started_ms: int | None = None
    duration_ms: int | None = None
    bytes_processed: int | None = None
    bytes_added: int | None = None
    files: int | None = None
    errors: int | None = None
    reason: str | None = None
    advice: str | None = None
    concern: str | None = None
    why: str | None = None
    last_good_ms: int | None = None
    expected_by_ms: int | None = None
    streak: int = 0
    log: str | None = None
    host: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    JSON_KEYS = MappingProxyType(
        {"at_ms": "at", "duration_ms": "duration_seconds", "since_ms": "since", "expected_by_ms": "expected_by"}
    )


@dataclass(frozen=True, slots=True)
class Message(Coded):
    """One message to one channel: made once, sent until it is acknowledged, the same at every try.

    Attributes:
        id: UUID; a receiver that sees it twice may drop the second one.
        channel: The channel's name.
        made_ms: When it was made.
        events: In the order in which they happened, at least one.
    """

    id: str
    channel: str
    made_ms: int
    events: tuple[Event, ...]
