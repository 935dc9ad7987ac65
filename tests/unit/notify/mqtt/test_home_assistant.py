"""Tests of the description of the status for Home Assistant: nothing is told that is not known, and nothing stays that is gone."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.home_assistant import HomeAssistant
from tray.core.model import AuditStanding, EndedRun, Instance, JobStatus, Outcome, State, Status, Word
from tray.notify.mqtt import home_assistant
from tray.notify.mqtt.home_assistant import Published

NOW = 1_790_000_000_500
LOG = "019384aa-0000-7000-8000-000000000001"
OTHER = "019384aa-0000-7000-8000-000000000002"


def run(outcome: Outcome = Outcome.SUCCEEDED, **more: Any) -> EndedRun:
    """A run that ended now."""
    fields = {"run": "id", "job": "home", "engine": "restic", "started_ms": NOW - 1000, "finished_ms": NOW}
    return EndedRun(**(fields | {"outcome": outcome} | more))


def job(name: str = "home", state: State = State.OK, **more: Any) -> JobStatus:
    """A job whose last run was good."""
    good = run(duration_ms=61_500, bytes_processed=1_000_000)
    return JobStatus(name, state, **({"last": good, "last_good": good} | more))


def standing(result: str, **more: Any) -> AuditStanding:
    """The result of a verification."""
    return AuditStanding(result, NOW, 12, "", **more)


class House:
    """Home Assistant behind a broker, and the memory of the channel."""

    def __init__(self) -> None:
        self.assistant, self.published, self.topics = HomeAssistant(), Published(), [""]

    def tell(self, status: Status, log: str = LOG, **more: Any) -> HomeAssistant:
        """Publish *status*, as the channel does."""
        messages, self.published = home_assistant.messages(status, self.published, log=log, host="nas", **more)
        self.topics = [topic for topic, _ in messages]
        for topic, content in messages:
            self.assistant.receive(topic, content)
        return self.assistant


@pytest.fixture
def house() -> House:
    """A house to which nothing was told yet."""
    return House()


def test_each_job_has_six_entities_and_the_log_one(house: House) -> None:
    """Home Assistant takes the payload by its documentation, and shows the values that we know."""
    due = NOW + 86_400_000
    shown = house.tell(Status(State.OK, NOW, jobs=(job(expected_by_ms=due),), audit=standing("intact")))
    assert shown.name == "Backups of nas"
    assert house.topics[0] == f"homeassistant/device/{LOG}/config"
    assert {name: shown.value(name) for name in sorted(shown.names())} == {
        "All jobs: problem": False,
        "All jobs: state": "ok",
        "Audit log": False,
        "home: duration of the last backup": 61.5,
        "home: last good backup": datetime.fromtimestamp(NOW / 1000, UTC),
        "home: next good backup expected by": datetime.fromtimestamp(due / 1000, UTC),
        "home: problem": False,
        "home: size of the last backup": 1_000_000,
        "home: state": "ok",
    }


@pytest.mark.parametrize(
    ("state", "problem"),
    [
        (State.OK, False),
        (State.WARNING, True),
        (State.STALLED, True),
        (State.FAILED, True),
        (State.OVERDUE, True),
        (State.UNAVAILABLE, True),
        (State.NONE, None),
    ],
)
def test_a_problem_is_on_off_or_unknown(house: House, state: State, problem: bool | None) -> None:
    """A job of which nothing is known has no value: "off" would say that it is fine."""
    shown = house.tell(Status(state, NOW, jobs=(job(state=state),)))
    assert shown.value("home: problem") is problem
    assert shown.value("All jobs: problem") is problem


def test_a_first_run_that_goes_on_is_no_sign_of_health(house: House) -> None:
    """While a job runs that never made a good backup, whether it has a problem is not known."""
    running = Status(State.RUNNING, NOW, jobs=(job(state=State.RUNNING, last=None, last_good=None),))
    assert house.tell(running).value("home: problem") is None
    again = Status(State.RUNNING, NOW, jobs=(job(state=State.RUNNING),))
    assert house.tell(again).value("home: problem") is False


def test_a_time_that_cannot_be_believed_is_unknown(house: House) -> None:
    """Neither a wrong clock nor an older instance that does not tell makes a moment of the last good backup."""
    for changes in ({"word": Word.UNDATED}, {"known": False}, {"last_good": None}):
        assert house.tell(Status(State.OK, NOW, jobs=(job(**changes),))).value("home: last good backup") is None


def test_a_status_that_cannot_be_read_makes_every_value_unknown(house: House) -> None:
    """The old picture is not shown on, and no job is taken for gone."""
    fine = Status(State.OK, NOW, jobs=(job(), job("photos")), audit=standing("intact"))
    names = house.tell(fine).names()
    shown = house.tell(Status(State.UNAVAILABLE, NOW, error={"code": "X"}, jobs=fine.jobs, audit=fine.audit))
    assert shown.names() == names
    assert shown.value("All jobs: state") == "unavailable"
    assert shown.value("All jobs: problem") is True
    assert [shown.value(name) for name in sorted(names) if not name.startswith("All jobs")] == [None] * 13
    assert house.tell(fine).value("photos: state") == "ok"


def test_a_first_status_that_cannot_be_read_describes_the_device(house: House) -> None:
    """The device is there at once, and says that something is wrong."""
    shown = house.tell(Status(State.UNAVAILABLE, NOW, error={"code": "X"}))
    assert shown.value("All jobs: problem") is True
    assert shown.value("Audit log") is None


@pytest.mark.parametrize(
    ("audit", "on"),
    [
        (None, None),
        (standing("intact"), False),
        (standing("intact", breach=True), True),
        (standing("tampered", breach=True), True),
        (standing("tampered"), True),
        (standing("inconclusive"), None),
        (standing("unchecked"), None),
    ],
)
def test_the_audit_log_is_off_only_if_intact(house: House, audit: AuditStanding | None, on: bool | None) -> None:
    """A log that was not verified, or not wholly, is neither intact nor tampered with."""
    assert house.tell(Status(State.NONE, NOW, audit=audit)).value("Audit log") is on


def test_a_job_that_is_gone_is_removed_and_may_come_back(house: House) -> None:
    """Its entities vanish, its last values too, and a Home Assistant that was off meanwhile learns that later."""
    house.tell(Status(State.OK, NOW, jobs=(job(), job("photos"))))
    asleep = HomeAssistant()
    shown = house.tell(Status(State.OK, NOW, jobs=(job(),)))
    assert not any("photos" in name for name in shown.names())
    assert [topic for topic, content in shown.states.items() if not content] == [
        topic for topic in shown.states if "photos" in topic
    ]
    later, _ = home_assistant.messages(Status(State.OK, NOW, jobs=(job(),)), house.published, log=LOG, host="nas")
    asleep.receive(*later[0])
    assert json.loads(later[0][1])["cmps"][f"{house.published.gone[0]}_state"] == {"p": "sensor"}
    assert house.tell(Status(State.OK, NOW, jobs=(job(), job("photos")))).value("photos: state") == "ok"
    assert house.published.gone == ()


def test_a_new_audit_log_removes_the_old_device(house: House) -> None:
    """After the log was begun anew, no device of the old one stays behind with its last good words."""
    house.tell(Status(State.OK, NOW, jobs=(job(),)))
    shown = house.tell(Status(State.OK, NOW, jobs=(job(),)), log=OTHER)
    assert all(unique.startswith(OTHER) for unique in shown.entities)
    assert all(not content for topic, content in shown.states.items() if LOG in topic)


def test_only_the_chosen_jobs_are_shown(house: House) -> None:
    """A channel with `jobs` tells of no other job, not even by the state of all together."""
    everything = Status(State.FAILED, NOW, jobs=(job(), job("photos", State.FAILED)), audit=standing("intact"))
    house.tell(everything)
    shown = house.tell(everything, only=("home",))
    assert {name.partition(":")[0] for name in shown.names()} == {"home", "Audit log"}
    assert shown.value("home: problem") is False
    assert shown.value("Audit log") is False


def test_jobs_of_other_users_are_not_shown(house: House) -> None:
    """Any user can start a program called restic, and end it as they like."""
    theirs = job("theirs", State.NONE, last=run(user="eve"))
    assert not any("theirs" in name for name in house.tell(Status(State.OK, NOW, jobs=(job(), theirs))).names())


@pytest.mark.parametrize(
    "name", ["a\nb", "<b>fat</b>", "x\r\nBcc: eve@example.com", "\u202egpj", "#/+", "é", "n" * 64_000]
)
def test_any_name_of_a_job_makes_ids_and_one_short_line(house: House, name: str) -> None:
    """Ids hold letters, digits, _ and - only; the shown name is one line, cut, with nothing invisible."""
    shown = house.tell(Status(State.OK, NOW, jobs=(job(name), job(name, instance=Instance.SYSTEM))))
    names = [text for text in shown.names() if text.endswith(": state") and text != "All jobs: state"]
    assert len(names) == 2
    assert all(text.isprintable() and len(text) < 90 for text in names)
    assert sum("(system)" in text for text in names) == 1


def test_names_that_differ_in_signs_only_are_two_jobs() -> None:
    """The readable forms of "a b" and "a/b" are the same; their ids differ."""
    assert home_assistant.job_id(job("a b")) != home_assistant.job_id(job("a/b"))
    assert home_assistant.job_id(job("home")).startswith("home-")


def test_the_list_of_jobs_that_are_gone_stays_short(house: House) -> None:
    """A machine that names its jobs by the day does not grow the description without end."""
    for number in range(250):
        house.tell(Status(State.OK, NOW, jobs=(job(f"day {number}"),)))
        house.assistant = HomeAssistant()
    assert len(house.published.gone) == 200
