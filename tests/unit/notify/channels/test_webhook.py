import base64
import json
from collections.abc import Callable

import pytest

from tests.receivers import Receiver, Webhook
from tests.unit.notify.channels.made import HOSTILE, event, message, status
from tray.core import clock
from tray.core.model.events import Event, EventKind
from tray.notify.channels import Channel, NotSentError
from tray.notify.channels.webhook import signature

Make = Callable[..., Channel]
SECRET = "whsec_" + base64.b64encode(b"a key of thirty-one bytes or so").decode()


def test_the_signature_is_that_of_the_standard() -> None:
    """The example of the specification."""
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signed = signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b'{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_an_event_arrives_signed_and_whole(channel: Make, secret_file: Callable[[str], str]) -> None:
    """The receiver gets the words and the event itself, whose ids lead to the entry."""
    failure = event(log="backup-tray/8a6c")
    with Webhook(SECRET) as server:
        channel("webhook", secret_file(SECRET), url=f"{server.url}/hook?x=1").send(message(failure), status())
    (seen,) = server.seen
    data = seen["data"]
    assert (seen["webhook-id"], seen["type"]) == (failure.id, "backup.failure")
    assert seen["timestamp"] == clock.to_text(failure.at_ms)
    assert (data["title"], data["severity"]) == ("home: backup failed", "error")
    assert data["command"] == f"backup-tray report {failure.run}"
    assert Event.from_json(data["events"][0]) == failure
    assert (data["events"][0]["entry"], data["events"][0]["log"]) == (12, "backup-tray/8a6c")


def test_a_repeated_message_has_its_id_again(channel: Make, secret_file: Callable[[str], str]) -> None:
    """A receiver whose answer was lost drops the second one."""
    with Webhook(SECRET) as server:
        for _ in range(2):
            channel("webhook", secret_file(SECRET), url=server.url).send(message(), status())
    assert (len(server.seen), server.repeated) == (1, ["event-0"])


def test_several_events_are_one_message(channel: Make) -> None:
    """Its id is that of the message."""
    with Webhook() as server:
        channel("webhook", url=server.url).send(message(event(), event(EventKind.OVERDUE, number=1)), status())
    (seen,) = server.seen
    assert (seen["webhook-id"], seen["type"], len(seen["data"]["events"])) == ("message-1", "backup.several", 2)


def test_without_a_secret_nothing_is_signed(channel: Make) -> None:
    """A receiver in the same network may do without."""
    with Receiver() as server:
        channel("webhook", url=server.url).send(message(), status())
    assert "webhook-signature" not in server.seen[0]["headers"]


@pytest.mark.parametrize("secret", ["secret", "whsec_", "whsec_???", "whsec_abcde", "abcdefgh"])
def test_a_key_of_another_form_is_final(channel: Make, secret_file: Callable[[str], str], secret: str) -> None:
    """The error says how to make one, and holds nothing of it."""
    with Webhook(SECRET) as server, pytest.raises(NotSentError, match="base64; make one with `") as caught:
        channel("webhook", secret_file(secret), url=server.url).send(message(), status())
    assert caught.value.final
    assert "???" not in caught.value.why
    assert server.requests == []


def test_a_key_may_come_without_its_padding(channel: Make, secret_file: Callable[[str], str]) -> None:
    """As some services show it."""
    assert SECRET.endswith("=")
    with Webhook(SECRET) as server:
        channel("webhook", secret_file(SECRET.rstrip("=")), url=server.url).send(message(), status())
    assert len(server.seen) == 1


def test_a_wrong_key_is_final(channel: Make, secret_file: Callable[[str], str]) -> None:
    """The receiver refuses the signature, also next time."""
    with Webhook(SECRET) as server, pytest.raises(NotSentError, match="refuses the secret") as caught:
        channel("webhook", secret_file("whsec_AAAA"), url=server.url).send(message(), status())
    assert caught.value.final


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_stays_in_its_text(channel: Make, secret_file: Callable[[str], str], name: str) -> None:
    """It is data, as it is, up to 4,000 letters; title and text have it escaped."""
    with Webhook(SECRET) as server:
        channel("webhook", secret_file(SECRET), url=server.url).send(message(event(job=name, reason=name)), status())
    data = server.seen[0]["data"]
    assert data["title"].isprintable()
    kept = data["events"][0]["job"]
    assert kept == name.replace("\udcff", "?") if len(name) < 4000 else kept == name[:3999] + "…"


def test_ten_thousand_events_arrive_in_parts_and_none_is_lost(channel: Make) -> None:
    """Each part is small enough for a usual server, and has an id of its own."""
    events = [event(job=f"job {number}", reason="x" * 300, number=number) for number in range(10_000)]
    with Webhook() as server:
        channel("webhook", url=server.url).send(message(*events), status())
    assert [Event.from_json(each) for seen in server.seen for each in seen["data"]["events"]] == events
    assert len({seen["webhook-id"] for seen in server.seen}) == len(server.seen) == 50
    assert {(seen["data"]["message"], seen["data"]["parts"]) for seen in server.seen} == {("message-1", 50)}


def test_large_events_arrive_in_parts(channel: Make) -> None:
    """The bytes count too, not only the number."""
    events = [event(job="日" * 4000, reason="日" * 4000, advice="日" * 4000, number=n) for n in range(100)]
    with Webhook() as server:
        channel("webhook", url=server.url).send(message(*events), status())
    assert server.refused == []
    assert sum(len(seen["data"]["events"]) for seen in server.seen) == 100


def test_a_retry_sends_only_the_parts_that_were_not_taken(channel: Make) -> None:
    """The server failed at the third part: the first two are not sent again, also by another process."""
    events = [event(number=number) for number in range(900)]
    with Webhook() as server:
        real, calls = server.take, iter(range(100))
        server.take = lambda request: (500, "", {}) if next(calls) == 2 else real(request)  # type: ignore[method-assign]
        with pytest.raises(NotSentError) as caught:
            channel("webhook", url=server.url).send(message(*events), status())
        assert not caught.value.final
        channel("webhook", url=server.url).send(message(*events), status())
    assert server.repeated == []
    assert [each["id"] for seen in server.seen for each in seen["data"]["events"]] == [each.id for each in events]


def test_the_parts_of_another_message_are_not_taken_for_sent(channel: Make) -> None:
    """Only the last message is remembered."""
    events = [event(number=number) for number in range(201)]
    with Webhook() as server:
        for name in ("message-1", "message-2"):
            channel("webhook", url=server.url).send(message(*events, name=name), status())
    assert len(server.seen) == 4


def test_the_body_is_the_same_at_every_try(channel: Make) -> None:
    """A receiver may compare; only time and signature change."""
    with Receiver() as server:
        for _ in range(2):
            channel("webhook", url=server.url).send(message(), status())
    first, second = (json.loads(seen["body"]) for seen in server.seen)
    assert first == second
