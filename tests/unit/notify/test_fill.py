"""From the status into the queue: ids of entries, faults of the configuration, a system that is silent, and reminders."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.unit.audit.help import end, start
from tray.audit import spool
from tray.audit.store import AuditLog
from tray.config.channels import ChannelSettings, Notify
from tray.core import clock, paths
from tray.core.clock import DAY_MS
from tray.core.dataclass import replace
from tray.core.model import EndedRun, Instance, JobStatus, Outcome, State, Status
from tray.core.model.events import Event, EventKind
from tray.core.paths import Places, private
from tray.notify import fill, queue_file, wakes
from tray.notify.queue import Queue

NOON = clock.from_text("2026-11-30T12:00:00Z")
KNOWN = Notify({"mail": ChannelSettings("mail", "mail", events=("failure", "overdue", "recovered", "success"))})


class World:
    """A queue, a clock, and the jobs that each look sees."""

    def __init__(self, places: Places, queue: Queue) -> None:
        self.places, self.queue, self.now_ms = places, queue, NOON
        self.jobs: tuple[JobStatus, ...] = ()
        self.error: dict[str, str] | None = None

    def poll(self) -> Status:
        """Return the status of this moment."""
        return Status(State.NONE, self.now_ms, self.error, jobs=self.jobs)

    def close(self) -> None:
        """Close nothing."""

    def look(self, *jobs: JobStatus, after_ms: int = 60_000) -> list[Event]:
        """Look for news as the sender does, and return the events of the message."""
        self.now_ms += after_ms
        self.jobs = jobs
        fill.now(self.places, self.queue, KNOWN)
        message = self.queue.take("mail", self.now_ms, 0)
        if message is None:
            return []
        self.queue.sent(message, self.now_ms)
        return list(message.events)


@pytest.fixture
def world(places: Places, monkeypatch: pytest.MonkeyPatch, utc: None) -> Iterator[World]:
    """A machine that has been awake for long."""
    with closing(queue_file.opened(places)) as queue:
        made = World(places, queue)
        monkeypatch.setattr(fill, "StatusSource", lambda *_args, **_options: made)
        monkeypatch.setattr(clock, "now_ms", lambda: made.now_ms)
        monkeypatch.setattr(wakes, "look", lambda _places: (False, 9 * 60))
        yield made


def failed(name: str = "home", **more: object) -> JobStatus:
    """A job whose last run failed."""
    run = EndedRun(f"run of {name}", name, "restic", Outcome.FAILED, NOON, NOON)
    return replace(JobStatus(name, State.FAILED, run), **more)


def kinds(events: list[Event]) -> list[EventKind]:
    """The kinds of *events*."""
    return [event.kind for event in events]


def test_an_event_has_the_id_of_its_entry_wherever_that_is(places: Places) -> None:
    """In the log, or in a record that waits to become one and keeps its id."""
    spool.record(places, [start("a"), end("a")])
    spool.keep(places, [end("b")])
    with AuditLog.read(places.audit_db) as log:
        entry = log.entry_of_run("a")
    assert entry is not None
    (waiting,) = spool.pending(places)
    run = EndedRun("a", "home", "restic", Outcome.FAILED, NOON, NOON, entry=entry.seq)
    with closing(fill.EntryIds(places)) as ids:
        assert ids.of(run) == entry.data["id"]
        assert ids.of(replace(run, run="b", entry=None)) == waiting.id
        assert [ids.of(replace(run, run="x", entry=number)) for number in (entry.seq, 999, None)] == [None] * 3


def test_without_a_log_there_is_no_id(places: Places) -> None:
    """An event of a run of the system has an id of its own."""
    with closing(fill.EntryIds(places)) as ids:
        assert ids.of(EndedRun("a", "home", "restic", Outcome.FAILED, NOON, NOON, entry=3)) is None


@pytest.mark.parametrize("config", ["=", '[jobs.home]\nevery = "often"\n'])
def test_a_fault_in_the_configuration_ends_no_incident(world: World, config: str) -> None:
    """A job may only seem to be in time while its rhythm cannot be read; once the file is mended, nothing is told twice."""
    late = JobStatus("home", State.OVERDUE, None)
    assert kinds(world.look(late)) == [EventKind.OVERDUE]
    private(world.places.config)
    world.places.config_file.write_text(config)
    assert world.look(replace(late, state=State.NONE)) == []
    world.places.config_file.unlink()
    assert world.look(late) == []


def test_a_system_that_is_silent_ends_no_incident(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its service may be restarting; where none is set up, its jobs are gone."""
    system = failed(instance=Instance.SYSTEM)
    assert kinds(world.look(system)) == [EventKind.FAILURE]
    monkeypatch.setattr(paths, "system_view", lambda: Path("/run/backup-tray"))
    assert world.look() == []
    assert world.look(system) == []
    assert len(world.queue.memory()) == 1
    monkeypatch.setattr(paths, "system_view", lambda: None)
    world.look()
    assert world.queue.memory() == {}


def test_a_reminder_names_no_job_that_cannot_be_seen(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty list would be noise."""
    monkeypatch.setattr(paths, "system_view", lambda: Path("/run/backup-tray"))
    system, own = failed("root", instance=Instance.SYSTEM), failed()
    world.look(system, own)
    (reminder,) = world.look(own, after_ms=DAY_MS)
    assert (reminder.kind, reminder.facts["jobs"]) == (EventKind.REMINDER, ["home"])
    own = replace(own, state=State.OK, last=EndedRun("ok", "home", "restic", Outcome.SUCCEEDED, NOON, NOON))
    assert kinds(world.look(own, after_ms=DAY_MS)) == [EventKind.RECOVERED]
    assert world.look(own, after_ms=DAY_MS) == []


def test_the_first_success_is_told_and_old_ones_are_not(world: World) -> None:
    """A check of healthchecks that the user has just set up goes green with the first backup."""
    run = EndedRun("r", "home", "restic", Outcome.SUCCEEDED, NOON - DAY_MS, NOON - DAY_MS)
    fresh = replace(run, run="s", job="photos", finished_ms=NOON)
    jobs = JobStatus("home", State.OK, run), JobStatus("photos", State.OK, fresh)
    assert [event.job for event in world.look(*jobs)] == ["photos"]


def test_a_status_that_cannot_be_read_is_reminded_of(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The jobs that are not seen meanwhile are not listed."""
    monkeypatch.setattr(fill, "PATIENCE_SECONDS", 0.0)
    world.look(failed())
    world.error = {"code": "X", "what": "It failed.", "why": "The disk has an error.", "next": "Look at it."}
    assert kinds(world.look()) == [EventKind.FAILURE]
    assert [(event.kind, event.job) for event in world.look(after_ms=DAY_MS)] == [(EventKind.FAILURE, None)]
    world.error = None
    assert kinds(world.look(failed(), after_ms=60_000)) == [EventKind.RECOVERED]
