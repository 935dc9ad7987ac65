from collections.abc import Callable

import pytest

from tests.receivers import Kuma
from tests.unit.notify.channels.made import HOSTILE, event, job, message, status
from tray.core.model import AuditStanding, Instance, Outcome, State
from tray.core.model.events import EventKind
from tray.notify.channels import Channel, NotSentError

Make = Callable[..., Channel]
PUSH = "/api/push/pushtoken1?status=up&msg=OK&ping="


def pushed(channel: Make, *arguments: object, **options: object) -> dict[str, str | None]:
    """Return the push that a message led to."""
    with Kuma() as server:
        channel("kuma", url=server.url + PUSH, **options).send(*arguments)
    assert server.refused == []
    (seen,) = server.seen
    return seen


def test_a_success_is_up_with_its_duration(channel: Make) -> None:
    """The example's query in the address that Kuma shows is replaced."""
    good = message(event(EventKind.SUCCESS, duration_ms=90_000))
    seen = pushed(channel, good, status())
    assert seen == {"token": "pushtoken1", "status": "up", "msg": "home: backup succeeded", "ping": "90000"}


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (EventKind.FAILURE, "home: backup failed"),
        (EventKind.OVERDUE, "home: backup overdue"),
        (EventKind.BREACH, "The history of your backups was changed"),
    ],
)
def test_bad_news_are_down(channel: Make, kind: EventKind, words: str) -> None:
    """The monitor says why."""
    about = event(kind, job=None) if kind is EventKind.BREACH else event(kind)
    seen = pushed(channel, message(about), status())
    assert (seen["status"], seen["msg"]) == ("down", words)


def test_a_warning_is_up_and_says_so(channel: Make) -> None:
    """Kuma knows no amber; the text does."""
    seen = pushed(channel, message(event(EventKind.WARNING, outcome=Outcome.WARNING)), status())
    assert (seen["status"], seen["msg"]) == ("up", "home: backup finished with warnings")


def test_a_success_does_not_hide_another_job_that_is_not_fine(channel: Make) -> None:
    """One monitor stands for all jobs of the channel."""
    now = status(State.OVERDUE, jobs=(job("home"), job("photos", State.OVERDUE)))
    seen = pushed(channel, message(event(EventKind.SUCCESS)), now)
    assert (seen["status"], seen["msg"]) == ("down", "home: backup succeeded; also not fine: photos")


def test_jobs_of_other_channels_are_not_looked_at(channel: Make) -> None:
    """A monitor of the job "home" is up while "photos" is down."""
    now = status(State.OVERDUE, jobs=(job("home"), job("photos", State.OVERDUE), job("home (check)", kind="check")))
    assert pushed(channel, message(event(EventKind.SUCCESS)), now, jobs=("home",))["status"] == "up"


def test_the_check_of_a_job_belongs_to_it(channel: Make) -> None:
    """A failed check of "home" is no green monitor."""
    now = status(State.FAILED, jobs=(job("home"), job("home (check)", State.FAILED, kind="check")))
    assert pushed(channel, message(event(EventKind.SUCCESS)), now, jobs=("home",))["status"] == "down"


def test_the_message_is_newer_than_the_status(channel: Make) -> None:
    """The job that has recovered was still failed when the status was read."""
    now = status(State.FAILED, jobs=(job("home", State.FAILED),))
    assert pushed(channel, message(event(EventKind.RECOVERED, outcome=Outcome.SUCCEEDED)), now)["status"] == "up"
    later = status(jobs=(job("home"),))
    assert pushed(channel, message(event(EventKind.FAILURE)), later)["status"] == "down"


def test_the_newest_event_of_a_job_counts(channel: Make) -> None:
    """It failed and succeeded before the message went out."""
    events = event(EventKind.FAILURE), event(EventKind.RECOVERED, number=1, outcome=Outcome.SUCCEEDED)
    assert pushed(channel, message(*events), status())["status"] == "up"


def test_a_job_that_does_not_exist_is_named(channel: Make) -> None:
    """The user mistyped its name, or renamed the job: its monitor would be green for ever."""
    seen = pushed(channel, message(event(EventKind.TEST, job=None)), status(jobs=(job("home"),)), jobs=("home", "hme"))
    assert seen["msg"] == "Test message of Backup Tray; also not fine: hme"


def test_jobs_of_one_name_are_two_where_one_is_of_the_system(channel: Make) -> None:
    """Root's failed job "home" is not mended by the user's."""
    now = status(State.FAILED, jobs=(job("home"), job("home", State.FAILED, instance=Instance.SYSTEM)))
    assert pushed(channel, message(event(EventKind.SUCCESS)), now)["status"] == "down"


@pytest.mark.parametrize("state", [State.UNAVAILABLE, State.OK])
def test_an_unknown_status_is_not_up(channel: Make, state: State) -> None:
    """Neither without a log nor after an error."""
    error = None if state is State.UNAVAILABLE else {"code": "ERROR_STATUS_FETCH", "what": "", "why": "", "next": ""}
    seen = pushed(channel, message(event(EventKind.TEST, job=None)), status(state, error=error))
    assert (seen["status"], seen["msg"]) == ("down", "Test message of Backup Tray; the status cannot be read")


def test_a_tampered_log_is_down(channel: Make) -> None:
    """Nothing that it says can be believed."""
    breach = AuditStanding("tampered", 1, 9, "Entry 3 was altered.", breach=True)
    seen = pushed(channel, message(event(EventKind.SUCCESS)), status(State.TAMPERED, audit=breach))
    assert (seen["status"], seen["msg"]) == ("down", "home: backup succeeded; the history of your backups was changed")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_fits_into_the_text(channel: Make, name: str) -> None:
    """It is escaped and cut, in the title and among the others."""
    jobs = tuple(job(f"{name}{number}", State.FAILED) for number in range(50))
    seen = pushed(channel, message(event(job=name)), status(State.FAILED, jobs=jobs))
    assert seen["msg"] is not None
    assert seen["msg"].isprintable()
    assert len(seen["msg"]) <= 250


def test_ten_thousand_events_are_one_push(channel: Make) -> None:
    """The monitor has one state."""
    events = [event(job=f"job {number}", number=number) for number in range(10_000)]
    assert pushed(channel, message(*events), status())["msg"] == "10,000 backups failed"


@pytest.mark.parametrize("path", ["", "/", "/api/push/example?status=up"])
def test_the_token_may_be_the_secret(channel: Make, secret_file: Callable[[str], str], path: str) -> None:
    """Then the configuration file holds only the server."""
    with Kuma(("pushtoken1",)) as server:
        channel("kuma", secret_file("pushtoken1"), url=f"{server.url}{path}").send(message(), status())
    assert server.seen[0]["token"] == "pushtoken1"


def test_a_paused_monitor_is_explained(channel: Make) -> None:
    """The token is not told."""
    with Kuma(()) as server, pytest.raises(NotSentError, match="paused, or it was deleted") as caught:
        channel("kuma", url=server.url + PUSH).send(message(), status())
    assert caught.value.final
    assert "pushtoken1" not in caught.value.why


def test_a_run_of_ages_has_the_longest_duration_that_kuma_takes(channel: Make) -> None:
    """A wrong clock can make a run of a thousand years."""
    assert pushed(channel, message(event(duration_ms=10**14)), status())["ping"] == "100000000000"


def test_a_page_of_another_server_is_no_success(channel: Make) -> None:
    """A mistyped address, or a hotel's network, answers with a page for a browser."""
    with Kuma() as server:
        server.fail = (200, "<html><body>Welcome</body></html>", {"Content-Type": "text/html"})
        with pytest.raises(NotSentError, match="answered, but not as") as caught:
            channel("kuma", url=server.url + PUSH).send(message(), status())
    assert not caught.value.final


@pytest.mark.parametrize("path", ["", "/", "/dashboard", "/api/push/"])
def test_an_address_without_a_token_is_explained(channel: Make, path: str) -> None:
    """The server would show its front page, and nothing would be pushed."""
    with Kuma() as server, pytest.raises(NotSentError, match="needs the address") as caught:
        channel("kuma", url=server.url + path).send(message(), status())
    assert caught.value.final
    assert server.requests == []
