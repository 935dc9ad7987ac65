"""The doctor tells which backups were never proven restorable, or long ago, with the command that proves them."""

import pytest

from tests.unit.audit.help import end, writer
from tray.audit.entry import Draft
from tray.config import saving
from tray.config.jobs import Job
from tray.core import clock
from tray.core.clock import DAY_MS
from tray.core.paths import Places
from tray.doctor import CHECKS, Check, Level, proofs
from tray.status import schedules
from tray.status.schedules import Schedule

NOW = clock.now_ms()
PROOF = {"files": 3, "bytes": 1_200_000, "snapshot": "4f3c21ab", "how": "3 with the source"}


@pytest.fixture
def job(places: Places) -> Places:
    """A job whose checks are expected each week."""
    saving.save_job(places, Job("home", sources=("/home",), repository="/repository"))
    saving.change(places, lambda text: saving.with_keys(text, "home", {"check": {"every": "7d"}}))
    return places


def record(places: Places, *drafts: Draft) -> None:
    """Put ends of runs on record."""
    with writer(places) as log:
        log.append(list(drafts))


def proven(days_ago: float) -> Draft:
    """The end of a check with a proof."""
    at = int(NOW - days_ago * DAY_MS)
    return end(job="home (check)", kind="check", time_ms=at, body={"reason": "so", "proof": PROOF})


def told(places: Places) -> Check:
    """The one line."""
    (check,) = proofs.checks(places)
    assert check.name in CHECKS
    return check


def test_jobs_of_which_no_check_is_expected_are_noted(places: Places) -> None:
    """Only those that can be checked; with a rhythm all is well."""
    saving.save_job(places, Job("home", sources=("/home",), repository="/repository"))
    saving.save_job(places, Job("script", None, command=("true",)))
    check = told(places)
    assert check.level is Level.NOTE
    assert "No check is expected of home, so" in check.what
    assert check.remedy.startswith("backup-tray jobs edit home --check-every 30d ")
    saving.change(places, lambda text: saving.with_keys(text, "home", {"check": {"every": "30d"}}))
    assert told(places).level is Level.OK


def test_a_backup_that_was_never_proven_is_a_warning(job: Places) -> None:
    """Once there is one to prove; the remedy proves it, and names the timer if there is none."""
    assert told(job).level is Level.OK
    record(job, end())
    check = told(job)
    assert (check.level, check.what) == (Level.WARN, "home was never proven restorable.")
    assert check.remedy == "backup-tray check home  (by itself: backup-tray schedule home --check --on monthly)"
    schedules.write(job, [Schedule("home", "cron", kind="check")])
    assert told(job).remedy == "backup-tray check home"


def test_a_proof_of_long_ago_is_a_warning_and_a_fresh_one_is_well(job: Places) -> None:
    """As its rhythm says."""
    record(job, proven(20), end())
    check = told(job)
    assert check.level is Level.WARN
    assert "home was last proven restorable 20 days ago; a proof was expected by " in check.what
    record(job, proven(1))
    assert told(job).level is Level.OK


def test_a_check_that_failed_does_not_count(job: Places) -> None:
    """It proves nothing."""
    record(job, end(), end(job="home (check)", kind="check", result="failed"))
    assert told(job).what == "home was never proven restorable."
