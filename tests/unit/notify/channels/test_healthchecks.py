import re
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.receivers import Healthchecks
from tests.unit.notify.channels.made import HOSTILE, event, job, message, run_id, status
from tray.core.model import AuditStanding, Instance, Outcome, State
from tray.core.model.events import EventKind
from tray.notify.channels import Channel, NotSentError
from tray.notify.channels.healthchecks import own_slug, slugs

Make = Callable[..., Channel]
Secret = Callable[[str], str]
UUID = "d1665499-e827-441f-bf13-8f15e8f4c0b9"
KEY = "fqOOd6-F4MMNuCEnzTU01w"
CASES = [
    (EventKind.SUCCESS, Outcome.SUCCEEDED, "success"),
    (EventKind.RECOVERED, Outcome.SUCCEEDED, "success"),
    (EventKind.RECOVERED, Outcome.WARNING, "success"),
    (EventKind.RECOVERED, None, "log"),
    (EventKind.FAILURE, Outcome.FAILED, "fail"),
    (EventKind.FAILURE, Outcome.LOST, "fail"),
    (EventKind.FAILURE, Outcome.CANCELLED, "log"),
    (EventKind.FAILURE, Outcome.UNKNOWN, "log"),
    (EventKind.OVERDUE, None, "fail"),
    (EventKind.WARNING, Outcome.WARNING, "log"),
    (EventKind.WARNING, Outcome.SUCCEEDED, "log"),
    (EventKind.WARNING, Outcome.CANCELLED, "log"),
]


@pytest.mark.parametrize(("kind", "outcome", "action"), CASES)
def test_each_run_pings_the_check_of_its_job(
    channel: Make, secret_file: Secret, kind: EventKind, outcome: Outcome | None, action: str
) -> None:
    """The check is made at the first ping, gets the words of every channel, and knows the run."""
    with Healthchecks(key=KEY) as server:
        channel("healthchecks", secret_file(KEY), url=server.url).send(message(event(kind, outcome=outcome)), status())
    assert (server.refused, server.slugs) == ([], ["home"])
    (seen,) = server.seen
    assert (seen["check"], seen["action"], seen["rid"]) == ("home", action, run_id())
    assert seen["body"].startswith("home: ")
    assert seen["body"].endswith(f"backup-tray report {run_id()}")


def test_the_ping_key_may_stand_in_the_address(channel: Make) -> None:
    """As healthchecks shows it."""
    with Healthchecks(key=KEY) as server:
        channel("healthchecks", url=f"{server.url}/{KEY}/").send(message(), status())
    assert server.states == {"home": "down"}


@pytest.mark.parametrize("as_secret", [False, True])
def test_one_check_is_pinged_by_its_uuid(channel: Make, secret_file: Secret, as_secret: bool) -> None:
    """The uuid stands in the address, or is the secret."""
    with Healthchecks((UUID,)) as server:
        url, secret = (server.url, secret_file(UUID)) if as_secret else (f"{server.url}/{UUID}", None)
        channel("healthchecks", secret, url=url).send(message(event(EventKind.SUCCESS)), status())
    assert server.states == {UUID: "up"}
    assert "create" not in server.requests[0]


def test_a_server_at_home_has_its_pings_under_a_path(channel: Make, secret_file: Secret) -> None:
    """And a uuid may be written in capital letters, which the server does not know."""
    with Healthchecks((UUID,), key=KEY) as server:
        channel("healthchecks", secret_file(KEY), url=f"{server.url}/ping").send(message(), status())
        channel("healthchecks", url=f"{server.url}/ping/{UUID.upper()}").send(message(), status())
    assert server.states == {"home": "down", UUID: "down"}


@pytest.mark.parametrize("state", [State.FAILED, State.OVERDUE, State.WARNING, State.STALLED])
def test_one_check_is_not_green_while_another_job_is_not_fine(channel: Make, state: State) -> None:
    """The success of "home" must not hide "photos"; the check is late in the end."""
    now = status(state, jobs=(job("home"), job("photos", state)))
    with Healthchecks((UUID,)) as server:
        channel("healthchecks", url=f"{server.url}/{UUID}").send(message(event(EventKind.SUCCESS)), now)
    (seen,) = server.seen
    assert seen["action"] == "log"
    assert seen["body"].endswith("also not fine: photos")


def test_one_check_gets_one_ping_with_the_worst(channel: Make) -> None:
    """Many events of a message are no reason to ping more often than five times a minute."""
    events = [event(job=f"job {n}", number=n) for n in range(50)] + [event(EventKind.SUCCESS, "home", 99)]
    with Healthchecks((UUID,)) as server:
        channel("healthchecks", url=f"{server.url}/{UUID}").send(message(*events), status())
    assert [seen["action"] for seen in server.seen] == ["fail"]


def test_a_message_pings_each_job_once_with_its_newest_event(channel: Make, secret_file: Secret) -> None:
    """The job failed and recovered before the message went out."""
    recovered = event(EventKind.RECOVERED, number=2, outcome=Outcome.SUCCEEDED)
    events = event(number=0), event(job="photos", number=1), recovered
    with Healthchecks(key=KEY) as server:
        channel("healthchecks", secret_file(KEY), url=server.url).send(message(*events), status())
    assert [(seen["check"], seen["action"]) for seen in server.seen] == [("photos", "fail"), ("home", "success")]


def test_a_thousand_jobs_are_pinged_once_each(channel: Make, secret_file: Secret) -> None:
    """As many as one message holds; on a slow machine in several tries."""
    events = [event(job=f"job {number}", number=number) for number in range(1000)]
    now = status(jobs=tuple(job(f"job {number}") for number in range(1000)))
    with Healthchecks(key=KEY) as server:
        while len(server.seen) < 1000:
            with suppress(NotSentError):
                channel("healthchecks", secret_file(KEY), url=server.url).send(message(*events), now)
    assert [seen["check"] for seen in server.seen] == [f"job-{number}" for number in range(1000)]


def test_a_retry_pings_only_the_jobs_that_were_not_pinged(channel: Make, secret_file: Secret) -> None:
    """The server failed in between; another process tries again."""
    events = [event(job=f"job-{number}", number=number) for number in range(5)]
    with Healthchecks(key=KEY) as server:
        real, calls = server.take, iter(range(100))
        server.take = lambda request: (502, "", {}) if next(calls) == 3 else real(request)  # type: ignore[method-assign]
        with pytest.raises(NotSentError, match="502"):
            channel("healthchecks", secret_file(KEY), url=server.url).send(message(*events), status())
        channel("healthchecks", secret_file(KEY), url=server.url).send(message(*events), status())
    assert [seen["check"] for seen in server.seen] == [f"job-{number}" for number in range(5)]


def test_a_slug_that_is_not_unique_stops_no_other_job(channel: Make, secret_file: Secret) -> None:
    """The error names it; the other jobs are pinged, and none a second time."""
    events = [event(job=name, number=number) for number, name in enumerate(("home", "photos", "videos"))]
    words = r"2 of 3 parts .* the slug photos \(HTTP 409\)"
    with Healthchecks(key=KEY, slugs=("photos",) * 2) as server, pytest.raises(NotSentError, match=words) as caught:
        channel("healthchecks", secret_file(KEY), url=server.url).send(message(*events), status())
    assert caught.value.final
    assert [seen["check"] for seen in server.seen] == ["home", "videos"]


@pytest.mark.parametrize("hosted", [True, False])
def test_an_unknown_uuid_is_final_although_the_server_says_ok(channel: Make, hosted: bool) -> None:
    """healthchecks.io answers "OK (not found)" with status 200, an own server 404."""
    with Healthchecks(hosted=hosted) as server, pytest.raises(NotSentError, match="knows no check") as caught:
        channel("healthchecks", url=f"{server.url}/{UUID}").send(message(), status())
    assert caught.value.final
    assert UUID not in caught.value.why


def test_too_many_pings_are_tried_again_although_the_server_says_ok(channel: Make) -> None:
    """It answers "OK (rate limited)" with status 200."""
    with Healthchecks((UUID,)) as server:
        server.fail = (200, "OK (rate limited)", {})
        with pytest.raises(NotSentError, match="no more pings for now") as caught:
            channel("healthchecks", url=f"{server.url}/{UUID}").send(message(), status())
    assert (caught.value.final, caught.value.after_seconds) == (False, 60.0)


def test_a_wrong_ping_key_is_final_and_not_told(channel: Make, secret_file: Secret) -> None:
    """Another try would not change it."""
    with Healthchecks() as server, pytest.raises(NotSentError, match="no project with this ping key") as caught:
        channel("healthchecks", secret_file(KEY), url=server.url).send(message(), status())
    assert caught.value.final
    assert KEY not in caught.value.why


def test_an_address_without_a_check_is_explained(channel: Make) -> None:
    """The user forgot the ping key."""
    with Healthchecks() as server, pytest.raises(NotSentError, match="needs the ping key") as caught:
        channel("healthchecks", url=server.url).send(message(), status())
    assert caught.value.final
    assert server.requests == []


def test_a_uuid_and_a_ping_key_exclude_each_other(channel: Make, secret_file: Secret) -> None:
    """It would not be clear which check is meant."""
    with Healthchecks((UUID,)) as server, pytest.raises(NotSentError, match="leave out one") as caught:
        channel("healthchecks", secret_file(KEY), url=f"{server.url}/{UUID}").send(message(), status())
    assert caught.value.final
    assert server.requests == []


def test_the_watcher_has_a_check_of_its_own(channel: Make, secret_file: Secret) -> None:
    """It is green each time when the audit log was verified, and fails when the log was tampered with."""
    alive = event(EventKind.ALIVE, None, run=None, entry=None, reason=None, host="Laptop.local")
    breach = event(EventKind.BREACH, None, 1, run=None, host="Laptop.local")
    with Healthchecks(key=KEY) as server:
        own = channel("healthchecks", secret_file(KEY), url=server.url, alive=True)
        own.send(message(alive), status())
        assert server.states == {"backup-tray-laptop-local": "up"}
        own.send(message(breach, name="message-2"), status(State.TAMPERED))
        assert server.states == {"backup-tray-laptop-local": "down"}
        own.send(message(event(EventKind.SUCCESS), name="message-3"), status())
    assert server.states["home"] == "up"


def test_with_a_uuid_the_check_of_the_watcher_is_about_nothing_else(channel: Make) -> None:
    """A failed backup does not say that Backup Tray is dead; a tampered log does not leave it green."""
    with Healthchecks((UUID,)) as server:
        own = channel("healthchecks", url=f"{server.url}/{UUID}", alive=True)
        own.send(message(event(EventKind.ALIVE, None)), status(State.FAILED, jobs=(job("home", State.FAILED),)))
        own.send(message(event()), status(State.FAILED))
        assert [seen["action"] for seen in server.seen] == ["success"]
        own.send(message(event(EventKind.BREACH, None)), status(State.TAMPERED))
    assert server.states == {UUID: "down"}


def test_without_a_check_of_its_own_a_breach_pings_no_job(channel: Make, secret_file: Secret) -> None:
    """The check of a job is about its runs."""
    with Healthchecks(key=KEY) as server:
        sender = channel("healthchecks", secret_file(KEY), url=server.url)
        sender.send(message(event(EventKind.BREACH, None), event(EventKind.ALIVE, None, 1)), status())
    assert server.requests == []


def test_a_check_for_all_jobs_is_not_green_after_a_breach(channel: Make) -> None:
    """A log that was tampered with proves no success."""
    breach = AuditStanding("tampered", 1, 9, "Entry 3 was altered.", breach=True)
    with Healthchecks((UUID,)) as server:
        sender = channel("healthchecks", url=f"{server.url}/{UUID}")
        sender.send(message(event(EventKind.SUCCESS)), status(State.TAMPERED, audit=breach))
    assert [seen["action"] for seen in server.seen] == ["log"]


@pytest.mark.parametrize("by_uuid", [False, True])
def test_a_test_changes_no_state(channel: Make, secret_file: Secret, by_uuid: bool) -> None:
    """It shows that address and key are right, in the log of the check."""
    with Healthchecks((UUID,), key=KEY) as server:
        secret, url = (None, f"{server.url}/{UUID}") if by_uuid else (secret_file(KEY), server.url)
        test = event(EventKind.TEST, None, run=None, host="laptop")
        channel("healthchecks", secret, url=url).send(message(test), status())
    assert server.states == {UUID if by_uuid else "backup-tray-laptop": "new"}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_makes_a_slug_and_a_text(channel: Make, secret_file: Secret, name: str) -> None:
    """The server takes both."""
    with Healthchecks(key=KEY) as server:
        sender = channel("healthchecks", secret_file(KEY), url=server.url)
        sender.send(message(event(job=name, reason=name, run=name)), status())
    assert server.refused == []
    (seen,) = server.seen
    assert all(line.isprintable() for line in seen["body"].split("\n"))
    assert seen["rid"] is None


def test_a_long_text_keeps_its_end(channel: Make, secret_file: Secret) -> None:
    """The server cuts the end off, which says where more is."""
    with Healthchecks(key=KEY) as server:
        long = event(reason="日" * 5000, concern="é" * 5000, why="x" * 5000, advice="y" * 5000)
        channel("healthchecks", secret_file(KEY), url=server.url).send(message(long), status())
    assert server.seen[0]["body"].endswith(f"backup-tray report {run_id()}")
    assert len(server.seen[0]["body"].encode()) <= 10_000


def made(*names: str) -> list[str]:
    """Return the slugs of jobs that exist together."""
    known = slugs([(Instance.USER, name) for name in names], own_slug("laptop"))
    return [known[Instance.USER, name] for name in names]


def test_a_slug_is_the_name_where_it_can_be() -> None:
    """Users find their checks; small differences in writing are no other check."""
    assert made("home") == ["home"]
    assert made("Fotos & Vidéos 2024") == ["fotos-videos-2024"]
    assert made("restic /srv/backup (home)") == ["restic-srv-backup-home"]
    assert slugs([(Instance.SYSTEM, "home")], "") == {(Instance.SYSTEM, "home"): "home-system"}


def test_jobs_whose_slugs_would_be_the_same_have_two() -> None:
    """One check for two jobs would hide the failure of the one behind the success of the other."""
    first, second, third = made("home", "Home", "home!")
    assert first == "home"
    assert re.fullmatch("home-[0-9a-f]{8}", second)
    assert re.fullmatch("home-[0-9a-f]{8}", third)
    assert second != third


def test_names_of_other_scripts_have_slugs_of_their_own() -> None:
    """Letters that a slug cannot have are replaced by a mark of the name."""
    names = made("日本", "中国", "фото 2024", "видео 2024", "\udcff", "!")
    assert len(set(names)) == len(names)
    assert names[2].startswith("2024-")


def test_no_job_takes_the_check_of_the_watcher() -> None:
    """A job may be called as the check is."""
    assert made("backup-tray-laptop") != [own_slug("laptop")]


@given(st.sets(st.text(max_size=300), max_size=6))
def test_every_job_has_a_slug_of_its_own(names: set[str]) -> None:
    """Whatever jobs are called, the server accepts the slug, and no two are the same."""
    ordered = sorted(made(*names))
    assert all(re.fullmatch("[a-z0-9_-]{1,100}", each) for each in ordered)
    assert all(first != second for first, second in pairwise(ordered))


def test_a_page_of_another_server_is_no_success(channel: Make) -> None:
    """A mistyped address, or a hotel's network, answers with a page for a browser."""
    with Healthchecks() as server:
        server.fail = (200, "<html><body>Welcome</body></html>", {"Content-Type": "text/html"})
        with pytest.raises(NotSentError, match="answered, but not as") as caught:
            channel("healthchecks", url=f"{server.url}/{UUID}").send(message(), status())
    assert not caught.value.final
