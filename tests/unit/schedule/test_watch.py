"""The hourly round of housekeeping by the system's scheduler, where no tracker runs."""

import pytest

from tests.unit.schedule.conftest import Crontab
from tray.core.errors import SchedulerError
from tray.core.paths import Places
from tray.schedule import change, cron, plan, reading, units, watch


def test_the_units_start_housekeeping_and_leave_the_sender_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    """systemd would end with the round all that it has started; and a task that fails is no failed system."""
    monkeypatch.delenv("BACKUP_TRAY_HOME")
    made = units.of(plan.watching())
    assert made.name == "backup-tray.watch"
    lines = made.service.splitlines()
    (start,) = [line for line in lines if line.startswith("ExecStart=")]
    assert start.endswith(" tracker --care")
    assert {"KillMode=process", "SuccessExitStatus=1", "Nice=10"} <= set(lines)
    assert units.times_of(made.timer) == ["*-*-* *:00:00"]
    assert "Persistent=true" in made.timer


def test_they_are_ours_and_no_jobs() -> None:
    """The list of schedules shows jobs; the file of housekeeping is known as ours by its mark all the same."""
    made = units.of(plan.watching())
    for text in (made.timer, made.service):
        assert units.is_ours(text)
        assert units.owner(text) is None
        assert not units.edited(text)
        assert units.edited(f"{text}#")
        assert "backup-tray notify watch" in text.splitlines()[0]


@pytest.mark.process
def test_cron_runs_it_where_there_is_no_systemd(configured: Places, crontab: Crontab) -> None:
    """One line in our block, beside those of jobs; taken away, the table is as it was."""
    crontab.write("0 1 * * * their\n")
    assert watch.standing() is None
    now = watch.turn_on(configured)
    assert (now.by, now.fault, now.needs_login) == ("cron", "", False)
    assert watch.turn_on(configured) == now
    (line,) = [line for line in (crontab.text or "").splitlines() if "--care" in line]
    assert line.startswith("0 * * * * ")
    assert line.endswith(" tracker --care >/dev/null 2>&1")
    change.set_up(configured, "home", on="daily")
    assert list(cron.scheduled()) == [("home", "backup")]
    assert [schedule.job for schedule in reading.look(configured)] == ["home"]
    assert watch.turn_off(configured)
    assert watch.standing() is None
    assert "--scheduled home" in (crontab.text or "")
    assert not watch.turn_off(configured)


@pytest.mark.process
def test_removing_all_schedules_removes_it_too(configured: Places, crontab: Crontab) -> None:
    """An installation that is taken away leaves no line behind that would fail each hour."""
    watch.turn_on(configured)
    change.set_up(configured, "home", on="daily")
    assert change.remove_all(configured) == ["home", "housekeeping"]
    assert not (crontab.text or "").strip()


@pytest.mark.process
def test_a_crontab_that_may_not_be_read_is_no_error(configured: Places, crontab: Crontab) -> None:
    """Asked for how it stands, the program does not fail; asked to change it, it says why it cannot."""
    crontab.deny()
    assert watch.standing() is None
    assert not watch.turn_off(configured)
    with pytest.raises(SchedulerError, match="not allowed"):
        watch.turn_on(configured)
