import re
from collections.abc import Callable

import pytest

from tests.receivers import Ntfy
from tests.unit.notify.channels.made import HOSTILE, event, message, status
from tray.core.model.events import EventKind
from tray.notify.channels import Channel, NotSentError
from tray.notify.channels.ntfy import cut

Make = Callable[..., Channel]


def test_a_failure_comes_with_title_text_and_the_way_to_its_entry(channel: Make) -> None:
    """The phone shows which backup failed and why, and names the entry and the command."""
    with Ntfy() as server:
        channel("ntfy", url=server.url, topic="backups").send(message(), status())
    (seen,) = server.seen
    assert (seen["topic"], seen["title"]) == ("backups", "home: backup failed")
    assert seen["message"].startswith("Disk full.\n")
    assert seen["message"].endswith(f"\n\nEntry 12 of the audit log; more: backup-tray report {event().run}")


@pytest.mark.parametrize(
    ("kind", "priority", "tags"),
    [
        (EventKind.BREACH, 5, ["rotating_light"]),
        (EventKind.FAILURE, 4, ["x"]),
        (EventKind.OVERDUE, 4, ["x"]),
        (EventKind.WARNING, 3, ["warning"]),
        (EventKind.RECOVERED, 3, ["white_check_mark"]),
        (EventKind.SUCCESS, 3, ["white_check_mark"]),
        (EventKind.TEST, 3, []),
    ],
)
def test_the_priority_follows_the_severity(channel: Make, kind: EventKind, priority: int, tags: list[str]) -> None:
    """A tampered log wakes the user, a success does not."""
    with Ntfy() as server:
        channel("ntfy", url=server.url, topic="backups").send(message(event(kind)), status())
    assert (server.seen[0]["priority"], server.seen[0]["tags"]) == (priority, tags)


def test_the_token_is_sent(channel: Make, secret_file: Callable[[str], str]) -> None:
    """A protected topic takes the message."""
    with Ntfy("tk_right") as server:
        channel("ntfy", secret_file("tk_right"), url=server.url, topic="backups").send(message(), status())
    assert len(server.seen) == 1


@pytest.mark.parametrize("token", [None, "tk_wrong", "tk_wröng", "tk_日本"])
def test_a_wrong_token_is_final_and_not_told(
    channel: Make, secret_file: Callable[[str], str], token: str | None
) -> None:
    """Another try would not change it; the error holds neither token nor topic."""
    secret = None if token is None else secret_file(token)
    with Ntfy("tk_right") as server, pytest.raises(NotSentError) as caught:
        channel("ntfy", secret, url=server.url, topic="secrettopic").send(message(), status())
    assert caught.value.final
    assert not re.search("tk_|secrettopic", caught.value.why)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_comes_out_harmless(channel: Make, name: str) -> None:
    """It is escaped and cut; the server takes the message."""
    with Ntfy() as server:
        hostile = event(job=name, reason=name, advice=name)
        channel("ntfy", url=server.url, topic="backups").send(message(hostile), status())
    (seen,) = server.seen
    assert seen["title"].isprintable()
    assert all(line.isprintable() for line in seen["message"].split("\n"))


@pytest.mark.parametrize("char", ["x", '"', "é", "日", "🗄", "\\", "\n"])
def test_a_long_message_is_cut_to_the_limit_of_the_server(channel: Make, char: str) -> None:
    """4,096 bytes of text and 8,192 of JSON, whatever the letters take; the way to more stays at the end."""
    events = [event(job=char * 500, reason=char * 500, number=number) for number in range(30)]
    with Ntfy() as server:
        sender = channel("ntfy", url=server.url, topic="backups")
        sender.send(message(*events), status())
        sender.send(
            message(event(reason=char * 5000, concern=char * 5000, why=char * 5000, advice=char * 5000)), status()
        )
    assert server.refused == []
    assert server.seen[0]["message"].endswith("\n\nMore: backup-tray status")


def test_ten_thousand_events_are_one_message(channel: Make) -> None:
    """A phone does not ring ten thousand times."""
    events = [event(job=f"job {number}", number=number) for number in range(10_000)]
    with Ntfy() as server:
        channel("ntfy", url=server.url, topic="backups").send(message(*events), status())
    (seen,) = server.seen
    assert seen["title"] == "10,000 backups failed"
    assert "… and 9,980 more" in seen["message"]


def test_a_wrong_address_is_explained(channel: Make) -> None:
    """A user who copies the address of the topic learns that the root is meant; the server would show raw JSON."""
    with Ntfy() as server, pytest.raises(NotSentError, match="must be the root") as caught:
        channel("ntfy", url=f"{server.url}/secrettopic", topic="secrettopic").send(message(), status())
    assert caught.value.final
    assert "secrettopic" not in caught.value.why
    assert server.requests == []


def test_the_root_may_end_with_a_slash(channel: Make) -> None:
    """Both forms are in use."""
    with Ntfy() as server:
        channel("ntfy", url=f"{server.url}/", topic="backups").send(message(), status())
    assert server.seen[0]["title"] == "home: backup failed"


def test_cutting_breaks_no_letter() -> None:
    """Half a letter would be no UTF-8."""
    assert cut("ééé", 6) == "ééé"
    assert cut("éééé", 7) == "éé…"
    assert cut("🗄🗄", 7) == "🗄…"


def test_a_page_of_another_server_is_no_success(channel: Make) -> None:
    """A mistyped address, or a hotel's network, answers with a page for a browser."""
    with Ntfy() as server:
        server.fail = (200, "<html><body>Welcome</body></html>", {"Content-Type": "text/html"})
        with pytest.raises(NotSentError, match="answered, but not as") as caught:
            channel("ntfy", url=server.url, topic="backups").send(message(), status())
    assert not caught.value.final
