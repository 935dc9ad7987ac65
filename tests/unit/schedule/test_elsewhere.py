"""The files for macOS and Windows hold to their own syntax; the schedulers themselves are not there to be asked."""

import plistlib
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tray.core.dataclass import replace
from tray.core.errors import SchedulerError, WhenError
from tray.core.model import BACKUP, CHECK
from tray.schedule import launchd, task_scheduler
from tray.schedule.calendar import parse
from tray.schedule.plan import Plan

SCHEMA = Path(__file__).parents[2] / "data/schedulers/task.xsd"
TIMES = ("daily", "Mon..Fri 20:30", "*-*-01,15 4:00", "*-01,07-01 8:00", "Sat,Sun 8,20:15", "0 2 1 * mon")
NAME = {"t": task_scheduler.NAMESPACE}


def plan(on: str, job: str = 'a <b> & "c"') -> Plan:
    """A plan for a job with a name that XML has to escape."""
    return Plan(job, parse(on), ("/opt/my tray/backup-tray",))


@pytest.mark.parametrize("on", TIMES)
def test_launchd_gets_calendar_intervals(on: str) -> None:
    """StartCalendarInterval catches up after sleep; StartInterval would not."""
    trial = replace(plan(on), environment=(("BACKUP_TRAY_HOME", "/srv/t"),))
    read = plistlib.loads(launchd.written(trial).encode())
    assert read["ProgramArguments"] == ["/opt/my tray/backup-tray", "backup", "--scheduled", 'a <b> & "c"']
    assert read["EnvironmentVariables"] == {"BACKUP_TRAY_HOME": "/srv/t"}
    assert "StartInterval" not in read
    assert all(set(part) <= {"Minute", "Hour", "Day", "Weekday", "Month"} for part in read["StartCalendarInterval"])


def test_launchds_intervals_are_the_times_that_were_asked_for() -> None:
    """Sunday is 0, and parts that do not matter are left out."""
    read = plistlib.loads(launchd.written(plan("Sat,Sun 8:30")).encode())
    assert read["StartCalendarInterval"] == [
        {"Minute": 30, "Hour": 8, "Weekday": 0},
        {"Minute": 30, "Hour": 8, "Weekday": 6},
    ]
    often = plistlib.loads(launchd.written(plan("*:0/30")).encode())
    assert often["StartCalendarInterval"] == [{"Minute": 0}, {"Minute": 30}]


@pytest.mark.parametrize(
    "on", ["20:30:15", "*-*~01 4:00", "Mon *-*-01 4:00", "daily America/Denver", "*-*-1..30 1..22:0..30"]
)
def test_launchd_is_given_nothing_that_it_would_read_otherwise(on: str) -> None:
    """The nearest that it can follow is proposed."""
    with pytest.raises(WhenError) as refused:
        launchd.written(plan(on))
    assert launchd.written(plan(refused.value.nearest))


@pytest.mark.process
@pytest.mark.parametrize("on", [*TIMES, "*-*~01 4:00", "20:30:15"])
def test_the_task_holds_to_the_schema(on: str, tmp_path: Path) -> None:
    """xmllint checks it by the part of the schema that we use."""
    file = tmp_path / "task.xml"
    file.write_text(task_scheduler.written(plan(on)), encoding="utf-8")
    done = subprocess.run(["xmllint", "--noout", "--schema", SCHEMA, file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_task_starts_missed_backups_and_does_not_stop_on_battery() -> None:
    """The defaults of Windows would skip a start on battery, and end a run that is unplugged."""
    task = ElementTree.fromstring(task_scheduler.written(plan("Mon..Fri 20:30")).encode())
    settings = {each.tag.partition("}")[2]: each.text for each in task.findall("t:Settings/*", NAME)}
    assert settings["StartWhenAvailable"] == "true"
    assert settings["DisallowStartIfOnBatteries"] == settings["StopIfGoingOnBatteries"] == "false"
    assert settings["MultipleInstancesPolicy"] == "IgnoreNew"
    assert task.findtext("t:Actions/t:Exec/t:Arguments", namespaces=NAME) == 'backup --scheduled "a <b> & \\"c\\""'
    days = task.findall("t:Triggers/t:CalendarTrigger/t:ScheduleByWeek/t:DaysOfWeek/*", NAME)
    assert [day.tag.partition("}")[2] for day in days] == ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"]


def test_a_trial_gets_no_task_that_would_back_up_the_real_jobs() -> None:
    """A task cannot be given the variable that names the trial's folder."""
    with pytest.raises(SchedulerError, match="trial"):
        task_scheduler.written(replace(plan("daily"), environment=(("BACKUP_TRAY_HOME", "/srv/t"),)))


@pytest.mark.parametrize("on", ["Mon *-*-01 4:00", "Mon *-01-* 4:00", "*-*~02 4:00", "daily America/Denver", "*:0/5"])
def test_windows_is_given_nothing_that_it_cannot_follow(on: str) -> None:
    """The nearest that it can follow is proposed."""
    with pytest.raises(WhenError) as refused:
        task_scheduler.written(plan(on))
    assert task_scheduler.written(plan(refused.value.nearest))


def test_a_check_is_started_by_files_of_its_own() -> None:
    """Its command, and a label beside that of the backup."""
    check = replace(plan("monthly", "home"), kind=CHECK)
    read = plistlib.loads(launchd.written(check).encode())
    assert read["ProgramArguments"] == ["/opt/my tray/backup-tray", "check", "--scheduled", "home"]
    assert read["Label"] not in (launchd.label("home", BACKUP), launchd.label("check-home", BACKUP))
    task = ElementTree.fromstring(task_scheduler.written(check).encode())
    assert task.findtext("t:Actions/t:Exec/t:Arguments", namespaces=NAME) == "check --scheduled home"
    assert task.findtext("t:RegistrationInfo/t:Description", namespaces=NAME) == "Backup Tray starts the check of home."
