"""Tests of changes of which no event tells: a tool that shows the present state hears of each, and of nothing twice."""

from contextlib import closing

from tests.unit.audit.help import end, start
from tray.audit import spool
from tray.config.channels import ChannelSettings, Notify
from tray.core import clock
from tray.core.dataclass import replace
from tray.core.model import AuditStanding, EndedRun, JobStatus, Outcome, State, Status
from tray.core.model.events import Event, EventKind
from tray.core.paths import Places, private
from tray.notify import fill, present_state, queue_file

NOW = 1_790_000_000_000
HOUSE = ChannelSettings("house", "mqtt", options={"url": "mqtt://127.0.0.1:1"})
HOOK = ChannelSettings("hook", "webhook", options={"url": "http://127.0.0.1:1/"})
BASE = Event("", EventKind.TEST, NOW)
RUN = EndedRun("r", "home", "restic", Outcome.SUCCEEDED, NOW - 1000, NOW)
JOB = JobStatus("home", State.OK, RUN, last_good=RUN, expected_by_ms=NOW + 86_400_000)
STATUS = Status(State.OK, NOW, jobs=(JOB,))


def told(status: Status, known: dict[str, int], busy: tuple[str, ...] = ()) -> list[str]:
    """Return the channels that get an event, and keep the marks."""
    channels = {"house": HOUSE, "hook": HOOK, "off": replace(HOUSE, name="off", enabled=False)}
    return [each.channel for each in present_state.deliveries(channels, status, BASE, known, busy, known)]


def test_each_other_state_is_shown_once() -> None:
    """A new job, one that is gone, another deadline, a verification; the age of the status alone is none."""
    known: dict[str, int] = {}
    assert told(STATUS, known) == ["house"]
    assert told(replace(STATUS, as_of_ms=NOW + 5000), known) == []
    others = [
        replace(STATUS, jobs=()),
        replace(STATUS, jobs=(JOB, replace(JOB, job="photos"))),
        replace(STATUS, jobs=(replace(JOB, expected_by_ms=NOW + 90_000_000),)),
        replace(STATUS, audit=AuditStanding("intact", NOW, 3, "")),
        replace(STATUS, error={"code": "X"}),
    ]
    for status in others:
        assert told(status, known) == ["house"]
        assert told(status, known) == []


def test_a_channel_that_gets_an_event_anyway_gets_no_second_one() -> None:
    """The event brings the same status."""
    known: dict[str, int] = {}
    assert told(STATUS, known, ("house",)) == []
    assert told(STATUS, known) == []


def test_the_sender_queues_it_for_tools_alone(places: Places) -> None:
    """The first look tells Home Assistant of all jobs, although no event is news; the job that the user forgets is told too."""
    private(places.config)
    at_ms = clock.now_ms() - clock.DAY_MS
    spool.record(places, [start("r", time_ms=at_ms), end("r", time_ms=at_ms)])
    channels = Notify({"house": HOUSE, "hook": HOOK})
    with closing(queue_file.opened(places)) as queue:
        for kinds in ([EventKind.STATE], []):
            fill.now(places, queue, channels)
            message = queue.take("house", clock.now_ms(), 0)
            assert [event.kind for event in (message.events if message else ())] == kinds
            if message is not None:
                queue.sent(message, clock.now_ms())
        assert queue.take("hook", clock.now_ms()) is None
