"""The digest: how every job is, the worst first, with the last four weeks."""

import pytest

from tests.e2e.statuses import ended, judged, live
from tray.core import clock
from tray.core.clock import DAY_MS
from tray.core.dataclass import replace
from tray.core.model import AuditStanding, Outcome, State, Status
from tray.core.model.events import Event, EventKind, Message
from tray.core.paths import Places
from tray.notify.digest import MOST_ROWS, digest, reminder
from tray.notify.mail import as_html, as_text
from tray.notify.mail.letter import CRITICAL, ERROR, OK, WARNING, letter, tone_of

pytestmark = pytest.mark.usefixtures("utc")
HOUR = 3_600_000
NOON = 1_790_035_200_000 + 12 * HOUR
"""2026-09-22 12:00 UTC, a Tuesday."""
BASE = Event("", EventKind.TEST, 0, log="backup-tray/0190", host="nas")


def made(places: Places, status: Status, now_ms: int = NOON) -> Event:
    """Return the digest of a status."""
    return digest(places, BASE, status, now_ms)


def test_a_fine_week_is_told_in_one_line(places: Places) -> None:
    """The user who reads only the subject knows that all is well; the sender can be recognised by its log and host."""
    event = made(places, judged(*(ended(name) for name in ("home", "photos", "mail", "web"))), clock.now_ms())
    assert (event.kind, event.facts["title"]) == (EventKind.DIGEST, "All 4 backups are fine")
    assert (event.log, event.host, tone_of(event)) == ("backup-tray/0190", "nas", OK)
    assert [row["state"] for row in event.facts["rows"]] == ["ok"] * 4


def test_overdue_jobs_come_first_then_the_other_bad_ones(places: Places) -> None:
    """The line that must not be missed stands on top, in the table and in the sentences."""
    status = judged(ended("fine"), ended("broken", Outcome.FAILED), ended("quiet"))
    quiet = next(job for job in status.jobs if job.job == "quiet")
    late = replace(quiet, state=State.OVERDUE, word="overdue", concern="Overdue since Monday.", next_ms=NOON - DAY_MS)
    status = replace(status, jobs=tuple(late if job is quiet else job for job in status.jobs), state=State.FAILED)
    event = made(places, status)
    assert [row["job"] for row in event.facts["rows"]] == ["quiet", "broken", "fine"]
    assert event.facts["lines"][0].startswith("quiet: ")
    assert event.facts["title"] == "1 of 3 backups failed, 1 is overdue"
    assert tone_of(event) == ERROR
    text = as_text.written(letter(Message("m", "mail", NOON, (event,)), "nas"))
    assert "due since 2026-09-21 12:00" in text


def test_a_status_that_is_not_known_is_never_green(places: Places) -> None:
    """A log that cannot be read makes a digest that says so."""
    error = {"code": "E", "what": "The backup status cannot be read.", "why": "The log is locked.", "next": "x"}
    event = made(places, Status(State.UNAVAILABLE, NOON, error))
    assert (event.facts["title"], tone_of(event)) == ("Backup status unavailable", ERROR)
    assert event.facts["lines"] == ["The log is locked."]


def test_a_breach_is_the_worst_of_all(places: Places) -> None:
    """The log's own state stands in the digest, whatever the backups say."""
    standing = AuditStanding("tampered", NOON, 12, "x", kind="edited", first_bad=3, breach=True)
    event = made(places, replace(judged(ended("home")), state=State.TAMPERED, audit=standing))
    assert tone_of(event) == CRITICAL
    assert "TAMPERED" in event.facts["title"]


def test_a_channel_for_some_jobs_tells_of_those_alone(places: Places) -> None:
    """Their checks belong to them; the state and the title are theirs."""
    runs = [ended("home"), ended("home (check)", kind="check"), ended("other", Outcome.FAILED)]
    event = digest(places, BASE, judged(*runs), clock.now_ms(), ("home",))
    assert (event.facts["title"], tone_of(event)) == ("Your backup is fine", OK)
    assert [row["job"] for row in event.facts["rows"]] == ["home", "home (check)"]
    unclear = replace(judged(*runs), state=State.WARNING, notes=("config.toml is not followed",))
    assert tone_of(digest(places, BASE, unclear, clock.now_ms(), ("home",))) == WARNING


def test_a_reminder_has_a_row_for_each_job_that_is_down(places: Places) -> None:
    """Nothing that is fine stands in it."""
    status = judged(ended("fine"), ended("broken", Outcome.FAILED), ended("worse", Outcome.FAILED))
    event = reminder(places, BASE, status, {"broken", "worse"}, clock.now_ms())
    assert event.kind is EventKind.REMINDER
    assert [row["job"] for row in event.facts["rows"]] == ["broken", "worse"]
    assert [line.partition(":")[0] for line in event.facts["lines"]] == ["broken", "worse"]


def test_a_run_that_goes_on_hides_nothing(places: Places) -> None:
    """The digest tells how the jobs are, not which one runs at that moment."""
    event = made(places, judged(ended("home"), ended("photos"), running=(live(),)), clock.now_ms())
    assert event.facts["title"] == "Both backups are fine"


def test_many_jobs_make_a_mail_that_mail_programs_show_whole(places: Places) -> None:
    """Gmail cuts a mail at 102 kB."""
    status = judged(*(ended(f"job {number} " + "x" * 200) for number in range(150)))
    event = made(places, status)
    assert len(event.facts["rows"]) == MOST_ROWS
    assert len(as_html.written(letter(Message("m", "mail", NOON, (event,)), "nas"))) < 102_000
