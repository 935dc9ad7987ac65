"""The notices of a message: words, urgency, buttons."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.metrics.help import job, run
from tests.unit.notify.help import NOW, RUN, event, message
from tray.core.dataclass import replace
from tray.core.model import CHECK, Instance, State, Status
from tray.core.model.events import EventKind, Message
from tray.notify.desktop import notices
from tray.notify.desktop.notices import CRITICAL, NORMAL, Abilities, Notice
from tray.window.instance import page_of
from tray.wording import messages

ALL = Abilities(("actions", "body", "body-markup"))
OF_A_JOB = (
    *(EventKind.FAILURE, EventKind.WARNING, EventKind.OVERDUE),
    *(EventKind.RECOVERED, EventKind.SUCCESS, EventKind.CLEARED),
)


def shown(sent: Message, *again: str) -> list[Notice]:
    """The notices of a message; *again* makes the backup once more."""
    return notices.of(sent, NOW, lambda _event: again)[0]


def buttons(notice: Notice) -> dict[str, tuple[str, ...]]:
    """The buttons by label, without the click on the notice itself."""
    return {action.label: action.command for action in notice.actions if action.key != notices.DEFAULT}


def test_a_failure_offers_report_run_snooze_and_job_in_this_order() -> None:
    """GNOME shows three buttons: the report, another run, and silence are the most useful."""
    (notice,) = shown(message(), "backup", "home")
    assert (notice.title, notice.urgency, notice.passing) == ("home: backup failed", NORMAL, False)
    assert "repository is already locked." in notice.body
    assert list(buttons(notice).items()) == [
        ("View Report", ("window", f"report/{RUN}")),
        ("Run Again", ("backup", "home")),
        ("Snooze 1 Day", ("notify", "snooze", "--", "home")),
        ("Details", ("window", "job/home")),
    ]
    assert notice.actions[0] == notices.Action(notices.DEFAULT, "View Report", ("window", f"report/{RUN}"))


def test_a_job_that_is_only_watched_has_no_button_to_run_it() -> None:
    """A button that does nothing is worse than none."""
    (notice,) = shown(message())
    assert "Run Again" not in buttons(notice)


def test_an_overdue_job_is_critical_and_opens_its_page() -> None:
    """It has no run to report on."""
    (notice,) = shown(message(event(EventKind.OVERDUE)), "backup", "home")
    assert notice.urgency == CRITICAL
    assert list(buttons(notice)) == ["Details", "Back Up Now", "Snooze 1 Day"]
    assert notice.actions[0].command == ("window", "job/home")


def test_a_breach_is_critical_and_leads_to_the_audit_log() -> None:
    """Its buttons look first, and never acknowledge unseen."""
    (notice,) = shown(message(event(EventKind.BREACH, None)))
    assert notice.urgency == CRITICAL
    assert buttons(notice) == {"Look At It": ("window", "audit"), "Verify Again": ("window", "verify")}


@pytest.mark.parametrize("kind", [kind for kind in EventKind if kind is not EventKind.CLEARED])
@pytest.mark.parametrize("instance", Instance)
def test_every_notice_has_a_named_button_that_opens_a_page(kind: EventKind, instance: Instance) -> None:
    """Xfce has no click on the notice itself; the pages exist."""
    facts = {"title": "t", "lines": ["a"], "channel": "mail"}
    (notice,) = shown(message(event(kind, "home" if kind in OF_A_JOB else None, instance=instance, facts=facts)))
    assert notice.actions[0].key == notices.DEFAULT
    assert notice.actions[1].command[0] == "window"
    assert len({action.key for action in notice.actions}) == len(notice.actions)
    for action in notice.actions:
        assert action.command[0] != "window" or page_of(action.command[1]) == action.command[1]
    assert instance is Instance.USER or {action.command[0] for action in notice.actions} == {"window"}


def test_the_next_event_of_a_job_has_the_same_key_and_its_check_another() -> None:
    """One notice for each job; a job of the system with the same name is another one."""
    keys = [
        notices.subject(made)
        for made in (
            event(),
            event(EventKind.RECOVERED),
            event(EventKind.OVERDUE),
            event(job="home (check)", job_kind=CHECK),
            event(instance=Instance.SYSTEM),
        )
    ]
    assert keys[0] == keys[1] == keys[2]
    assert len(set(keys)) == 3


def test_a_status_that_can_be_read_again_takes_the_place_of_the_one_that_could_not() -> None:
    """Neither says anything about a job, and both have words of their own."""
    lost, back = (event(kind, None, run=None) for kind in (EventKind.FAILURE, EventKind.RECOVERED))
    assert notices.subject(lost) == notices.subject(back)
    titles = [shown(message(each))[0].title for each in (lost, back)]
    assert titles == [
        "It is not known whether your backups are fine",
        "The status of your backups can be read again",
    ]
    assert messages.title(message(lost, event(), event(job="docs"))) == "2 backups failed, status unknown"
    assert messages.title(message(back, event(EventKind.RECOVERED))) == "1 backup succeeded again, 1 more message"
    assert messages.command(message(lost)) == "backup-tray status"


def test_good_news_passes_by_itself() -> None:
    """The desktop keeps no list of what is fine."""
    (notice,) = shown(message(event(EventKind.RECOVERED)))
    assert (notice.passing, notice.urgency) == (True, NORMAL)
    hints = notices.call(notice, ALL)[4]
    assert (hints["category"], hints["transient"]) == (("s", "transfer.complete"), ("b", True))


def test_an_incident_that_ended_takes_its_notice_away() -> None:
    """Acknowledged, turned off or forgotten: nothing is shown in its place."""
    assert notices.of(message(event(EventKind.CLEARED)), NOW, lambda _event: ()) == ([], {notices.subject(event())})


def test_only_the_newest_event_of_a_job_is_shown() -> None:
    """A job that failed and is good again while the desktop was away is good news."""
    (notice,) = shown(message(event(), event(EventKind.RECOVERED)))
    assert notice.title == "home: backup succeeded again"


@pytest.mark.parametrize(
    ("kind", "state", "since_ms", "stands"),
    [
        (EventKind.FAILURE, State.OK, 1, False),
        (EventKind.OVERDUE, State.OK, 1, False),
        (EventKind.FAILURE, State.OK, 0, True),
        (EventKind.FAILURE, State.FAILED, 1, True),
        (EventKind.RECOVERED, State.OK, 1, True),
    ],
)
def test_a_failure_that_is_over_is_not_shown_to_the_user_who_logs_in(
    kind: EventKind, state: State, since_ms: int, stands: bool
) -> None:
    """It waited for a session, and the next backup was good. Without a good backup behind it, it is shown."""
    good = run(finished_ms=NOW + since_ms)
    status = Status(state, NOW + 2, jobs=(job("home", state, good),))
    sent = notices.still_true(message(event(kind), event(job="other")), status)
    made, gone = notices.of(sent, NOW, lambda _event: ())
    assert len(made) == (2 if stands else 1)
    assert gone == (set() if stands else {notices.subject(event())})
    unknown = replace(status, error={"why": "x"})
    assert len(notices.of(notices.still_true(sent, unknown), NOW, lambda _event: ())[0]) == len(made)


def test_many_jobs_share_one_notice_and_a_breach_stays_apart() -> None:
    """A thousand failures in a minute do not cover the screen, nor hide the breach among them."""
    failed = [event(job=f"job{number}") for number in range(1000)]
    made, gone = notices.of(
        message(*failed, event(EventKind.BREACH, None), event(EventKind.RECOVERED, "fine")), NOW, lambda _event: ()
    )
    breach, summary = made
    assert breach.urgency == CRITICAL
    assert summary.title == "1,000 backups failed, 1 backup succeeded again"
    assert summary.body.split("\n") == [
        *(f"job{number}: backup failed, just now" for number in range(notices.MOST_LINES)),
        f"… and {1001 - notices.MOST_LINES} more",
    ]
    assert len(gone) == 1001
    assert buttons(summary) == {"Open Dashboard": ("window", "dashboard")}


def test_a_desktop_without_buttons_or_markup_gets_plain_text() -> None:
    """It would show `&lt;` as it is."""
    (notice,) = shown(message(event(job="R&D <b>")))
    _, title, body, actions, hints = notices.call(notice, Abilities(("body",)))
    assert (title, actions) == ("R&D <b>: backup failed", [])
    assert "&" not in body
    assert (hints["urgency"], hints["desktop-entry"]) == (("y", NORMAL), ("s", "backup-tray"))
    _, _, body, actions, _ = notices.call(shown(message(event(reason="<b> & co")))[0], ALL)
    assert body.startswith("&lt;b&gt; &amp; co.")
    assert actions[:2] == [notices.DEFAULT, "View Report"]


def test_do_not_disturb_is_passed_by_a_breach_alone() -> None:
    """An overdue job waits until the user is back; an altered audit log does not."""
    (overdue,) = shown(message(event(EventKind.OVERDUE)))
    (breach,) = shown(message(event(EventKind.BREACH, None)))
    quiet = replace(ALL, quiet=True)
    hints = notices.call(overdue, quiet)[4]
    assert (hints["urgency"], hints["suppress-sound"]) == (("y", NORMAL), ("b", True))
    assert notices.call(breach, quiet)[4]["urgency"] == ("y", CRITICAL)


def test_a_desktop_that_shows_every_action_as_a_button_gets_none_twice() -> None:
    """Xfce's program shows the click on the notice itself as a button too."""
    (notice,) = shown(message())
    for program, first in (("Xfce Notify Daemon", "report"), ("dunst", notices.DEFAULT)):
        assert notices.call(notice, replace(ALL, program=program))[3][0] == first


@pytest.mark.parametrize("kind", EventKind)
def test_every_notice_has_a_picture_and_none_that_is_green_beside_bad_news(kind: EventKind) -> None:
    """A green check beside "backup failed" would be believed."""
    notice = Notice("k", "t", "b", NORMAL, kind, ())
    name = notices.icon(notice).rpartition("/")[2]
    assert Path(notices.icon(notice).removeprefix("file://")).is_file()
    assert (name == "notice-ok.png") == (kind in (EventKind.RECOVERED, EventKind.SUCCESS))
    others = (EventKind.TEST, EventKind.DIGEST, EventKind.ALIVE, EventKind.CLEARED, EventKind.STATE)
    assert name.startswith("notice-") or kind in others


@given(st.text(st.characters(codec=None), max_size=2000), st.sampled_from(EventKind))
def test_no_name_and_no_reason_breaks_a_notice(text: str, kind: EventKind) -> None:
    """Newlines, markup, bidi overrides, lone surrogates and 64 kB come out escaped and cut."""
    for name in (text, text * (65_536 // max(len(text), 1))):
        for notice in shown(
            message(event(kind, (name or "x") if kind in OF_A_JOB else None, reason=name, concern=name, why=name))
        ):
            assert len(notice.title) <= 120
            assert "\n" not in notice.title
            assert len(notice.body) < 1100
            assert all(line.isprintable() or not line.isascii() for line in notice.body.split("\n"))
            f"{notice.title}{notice.body}".encode()  # D-Bus takes no lone surrogates
            assert page_of(notice.actions[0].command[1])
            body = notices.call(notice, ALL)[2]
            assert "<" not in body
