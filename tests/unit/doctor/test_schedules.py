"""The doctor tells how each schedule stands, and how to mend one."""

import pytest

from tray.core.paths import Places, private
from tray.doctor import Level
from tray.doctor.schedules import schedules
from tray.schedule import reading, systemd
from tray.status.schedules import Schedule

FINE = Schedule("home", "systemd", "systemd timer of this user", "t", ("*-*-* 20:30:00",), next_ms=4_000_000_000_000)
BROKEN = Schedule(
    "etc", "cron", "cron", "crontab", fault="Its timer is disabled.", repair="backup-tray schedule etc --repair"
)


def test_without_a_schedule_there_is_nothing_to_mend(places: Places) -> None:
    """The doctor names the command that makes one."""
    (check,) = schedules(places)
    assert (check.level, "backup-tray schedule JOB" in check.what) == (Level.NOTE, True)


def test_a_schedule_of_a_job_that_is_off_promises_no_start(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its timer goes on, and each start is skipped until that day."""
    private(places.config)
    places.config_file.write_text('[jobs.home]\ncommand = ["true"]\noff_until = "2099-12-24"\n')
    monkeypatch.setattr(reading, "look", lambda _: [FINE])
    monkeypatch.setattr(systemd, "lingers", lambda: True)
    (check,) = schedules(places)
    assert check.level is Level.OK
    assert check.what.endswith("where each start is skipped: the job is off until 2099-12-24.")


@pytest.mark.parametrize("lingers", [True, False])
def test_each_schedule_is_told_and_linger_is_offered(
    places: Places, monkeypatch: pytest.MonkeyPatch, lingers: bool
) -> None:
    """A fault comes with its repair; timers of a user who does not linger get a hint."""
    monkeypatch.setattr(reading, "look", lambda _: [BROKEN, FINE])
    monkeypatch.setattr(systemd, "lingers", lambda: lingers)
    broken, fine, *more = schedules(places)
    assert (broken.level, broken.remedy) == (Level.WARN, "backup-tray schedule etc --repair")
    assert (fine.level, "next 2096-10-02" in fine.what) == (Level.OK, True)
    assert [check.remedy for check in more] == ([] if lingers else ["backup-tray schedule --linger"])
