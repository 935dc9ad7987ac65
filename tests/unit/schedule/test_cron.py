"""Cron as the fallback: one block in the user's crontab, and all other lines byte for byte as they were."""

import pytest

from tests.unit.schedule.conftest import Crontab
from tray.core.errors import NotScheduledError, SchedulerError, WhenError
from tray.core.model import BACKUP, CHECK
from tray.schedule import cron
from tray.schedule.calendar import parse
from tray.schedule.plan import Plan

THEIRS = ("", "MAILTO=ann\n@daily /usr/bin/true  # keep\n\n", "no end of line", "\t15 2 * * * a%b\n# größe \udcff\n")


def plan(job: str = "home", on: str = "15 2 * * *", **more: object) -> Plan:
    """A plan for *job*."""
    return Plan(job, parse(on), ("/usr/local/bin/backup-tray",), **more)  # type: ignore[arg-type] # fields of a plan


@pytest.mark.parametrize(
    ("on", "fields"),
    {
        "daily": "0 0 * * *",
        "Mon..Fri 20:30": "30 20 * * 1,2,3,4,5",
        "Sun 3:00": "0 3 * * 0",
        "*-*-01,15 4:00": "0 4 1,15 * *",
        "*:0/20": "0,20,40 * * * *",
    }.items(),
)
def test_times_become_crons_five_fields(on: str, fields: str) -> None:
    """Read back, the fields mean the same times."""
    (line,) = cron.lines(plan(on=on))
    assert line.startswith(f"{fields} nice -n 10 /usr/local/bin/backup-tray backup --scheduled home")
    assert parse(fields) == parse(on)


@pytest.mark.parametrize(
    ("on", "nearest"),
    {
        "20:30:15": "*-*-* 20:30:00",
        "*-*~01 4:00": "*-*-01 04:00:00",
        "Mon *-*-01 4:00": "*-*-01 04:00:00",
        "daily America/Denver": "*-*-* 00:00:00",
    }.items(),
)
def test_times_that_cron_cannot_follow_are_refused_with_the_nearest(on: str, nearest: str) -> None:
    """The schedule that the user gets is the one that was asked for, or none."""
    with pytest.raises(WhenError) as refused:
        cron.lines(plan(on=on))
    assert refused.value.nearest == nearest
    assert cron.lines(plan(on=nearest))


def test_percent_signs_spaces_and_the_trials_folder_arrive() -> None:
    """Cron would end the command at a bare percent sign."""
    (line,) = cron.lines(plan("a b%", environment=(("BACKUP_TRAY_HOME", "/srv/a b"),)))
    assert "BACKUP_TRAY_HOME='/srv/a b' nice" in line
    assert line.endswith(r"--scheduled 'a b\%' >/dev/null")


@pytest.mark.process
@pytest.mark.parametrize("theirs", THEIRS)
def test_the_users_own_lines_stay_byte_for_byte(crontab: Crontab, theirs: str) -> None:
    """Setting, changing and removing schedules leaves the crontab as it was."""
    (crontab.folder / "table").write_bytes(theirs.encode("utf-8", "surrogateescape"))
    cron.install(plan())
    cron.install(plan("other", "daily"))
    cron.install(plan(on="daily"))
    cron.install(plan(on="0 5 1 * *", kind=CHECK))
    assert {key: lines[0][:9] for key, lines in cron.scheduled().items()} == {
        ("home", BACKUP): "0 0 * * *",
        ("home", CHECK): "0 5 1 * *",
        ("other", BACKUP): "0 0 * * *",
    }
    table = (crontab.folder / "table").read_bytes().decode("utf-8", "surrogateescape")
    assert table.startswith(theirs)
    assert table.count(cron.BEGIN) == 1
    for key in (("home", BACKUP), ("other", BACKUP), ("home", CHECK)):
        cron.remove(key)
    left = (crontab.folder / "table").read_bytes().decode("utf-8", "surrogateescape")
    assert left.removesuffix("\n") == theirs.removesuffix("\n")
    with pytest.raises(NotScheduledError):
        cron.remove(("home", BACKUP))


@pytest.mark.process
def test_lines_below_the_block_stay_below(crontab: Crontab) -> None:
    """The user may have written on after it."""
    cron.install(plan())
    crontab.write(f"{crontab.text}# after\n@daily true\n")
    cron.install(plan(on="daily"))
    assert str(crontab.text).endswith(f"{cron.END}\n# after\n@daily true\n")


@pytest.mark.process
def test_a_block_without_its_end_is_left_alone(crontab: Crontab) -> None:
    """Lines of the user's could stand where its end is missing."""
    crontab.write(f"{cron.BEGIN}\n@daily true\n")
    with pytest.raises(SchedulerError, match="damaged"):
        cron.install(plan())
    assert crontab.text == f"{cron.BEGIN}\n@daily true\n"


@pytest.mark.process
def test_a_user_who_may_not_use_cron_is_told_so(crontab: Crontab) -> None:
    """The next step names the files in which an administrator allows it."""
    crontab.deny()
    with pytest.raises(SchedulerError, match="not allowed") as refused:
        cron.install(plan())
    assert "/etc/cron.allow" in refused.value.next


def test_without_cron_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next step installs it."""
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SchedulerError, match="no cron here"):
        cron.install(plan())
    assert cron.scheduled() == {}
