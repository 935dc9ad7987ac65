"""`backup-tray schedule`: set, show, mend, remove and print, by a scheduler that stands in for cron."""

import json
import os
import re
import shlex
import sys
import tomllib
from pathlib import Path

import pytest

from tests.unit.schedule.conftest import Crontab
from tray.audit.store import AuditLog
from tray.cli.main import main
from tray.core import clock
from tray.core.errors import SchedulesUnreadableError
from tray.core.paths import Places
from tray.housekeeping import config_changes
from tray.schedule import systemd, units
from tray.schedule.systemd import Systemd
from tray.status import schedules

pytestmark = pytest.mark.process


def saved(places: Places, job: str) -> dict[str, object]:
    """A job's table in the configuration."""
    return dict(tomllib.loads(places.config_file.read_text())["jobs"][job])


def shown(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    """Every schedule as `--show --json` prints it."""
    capsys.readouterr()
    main(["schedule", "--show", "--json"])
    return list(json.loads(capsys.readouterr().out))


def test_a_schedule_is_set_saved_recorded_and_shown(
    configured: Places, crontab: Crontab, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without systemd it is cron that starts the job; comments in the configuration stay."""
    assert main(["schedule", "home", "--on", "Mon..Fri 20:30"]) == 0
    assert "does not catch up" in capsys.readouterr().out
    assert saved(configured, "home")["on"] == "Mon..Fri 20:30"
    assert "every" not in saved(configured, "home")
    assert "# on the big disk" in configured.config_file.read_text()
    assert "30 20 * * 1,2,3,4,5" in str(crontab.text)
    with AuditLog.read(configured.audit_db) as log:
        assert [entry.data["action"] for entry in log.entries()][-1] == "config.changed"
    (schedule,) = shown(capsys)
    assert (schedule["job"], schedule["by"], schedule["fault"]) == ("home", "cron", "")


def test_an_edit_by_hand_before_a_schedule_is_set_or_removed_is_on_record(configured: Places, crontab: Crontab) -> None:
    """The program takes no other's change of the job for its own."""
    config_changes.check(configured)
    assert crontab.text is None
    for place, words in (
        ("/srv/b", ["schedule", "home", "--on", "daily"]),
        ("/srv/c", ["schedule", "home", "--remove"]),
    ):
        text = configured.config_file.read_text()
        configured.config_file.write_text(re.sub(r"/srv/\w+", place, text))
        assert main(words) == 0
    with AuditLog.read(configured.audit_db) as log:
        bodies = [entry.body or {} for entry in log.entries(0, 100) if entry.data["action"] == "config.changed"]
    by_hand = "edited outside this program"
    assert [body["change"] for body in bodies] == [by_hand, "schedule set", by_hand, "schedule removed"]


def test_the_zone_of_a_cron_line_goes_to_its_own_key(
    configured: Places, crontab: Crontab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`on` holds the five fields; cron can follow them, since the zone is the machine's."""
    monkeypatch.setattr("tray.schedule.cron.machine_zone", lambda: "Europe/Berlin")
    assert main(["schedule", "home", "--on", "CRON_TZ=Europe/Berlin 5 4 * * *"]) == 0
    assert (saved(configured, "home")["on"], saved(configured, "home")["zone"]) == ("5 4 * * *", "Europe/Berlin")
    assert "\n5 4 * * * " in str(crontab.text)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["gone", "--on", "daily"], 2, "There is no job named 'gone'"),
        (["home"], 64, "--on daily"),
        (["home", "--on", "@reboot"], 64, "--on daily"),
        (["home", "--on", "sometimes"], 64, "cannot be the time of a schedule"),
        (["home", "--on", "daily", "--delay", "soon"], 64, "no length of time"),
        (["--on", "daily"], 64, "no job to schedule"),
        (["home", "--remove"], 2, "has no schedule"),
        (["home", "--show"], 2, "has no schedule"),
        (["gone", "--show"], 2, "There is no job named 'gone'"),
        (["gone", "--remove"], 2, "There is no job named 'gone'"),
        (["home", "--on", "*:*:0/3"], 64, "The nearest that can: `--on '*:*'`"),
        (["home", "--on", "00:*:0/10"], 64, "many moments within a minute"),
        (["own"], 64, "the machine's own zone"),
        (["home", "--check"], 64, "schedule home --check --on 'Mon..Fri 20:30'`, or `--on monthly`"),
        (["home", "--check", "--remove"], 2, "The check of the job 'home' has no schedule"),
        (["own", "--check", "--on", "monthly"], 2, "cannot be checked"),
        (["home", "--check", "--on", "sometimes"], 64, "cannot be the time"),
    ],
)
def test_nothing_changes_where_it_makes_no_sense(
    configured: Places,
    crontab: Crontab,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    words: str,
) -> None:
    """The error names the nearest that would."""
    before = configured.config_file.read_text()
    assert main(["schedule", *arguments]) == code
    assert words in capsys.readouterr().err
    assert (crontab.text, configured.config_file.read_text()) == (None, before)


def test_cron_that_is_not_permitted_leaves_everything(
    configured: Places, crontab: Crontab, capsys: pytest.CaptureFixture[str]
) -> None:
    """No `on` is saved for a schedule that does not exist."""
    crontab.deny()
    assert main(["schedule", "home", "--on", "daily"]) == 2
    assert "/etc/cron.allow" in capsys.readouterr().err
    assert "on" not in saved(configured, "home")


def test_lines_that_vanish_are_said_with_the_repair_which_works(
    configured: Places, crontab: Crontab, capsys: pytest.CaptureFixture[str]
) -> None:
    """The user emptied the crontab: the schedule is shown as gone until it is mended or removed."""
    main(["schedule", "home", "--on", "daily"])
    crontab.write("")
    (schedule,) = shown(capsys)
    assert "removed outside" in str(schedule["fault"])
    assert main(["schedule"]) == 1
    repair = shlex.split(str(schedule["repair"]))
    assert repair[0] == "backup-tray"
    assert main(repair[1:]) == 0
    assert shown(capsys)[0]["fault"] == ""


def test_a_time_that_was_changed_in_the_configuration_is_said(
    configured: Places, crontab: Crontab, capsys: pytest.CaptureFixture[str]
) -> None:
    """The crontab still has the old one."""
    main(["schedule", "home", "--on", "daily"])
    text = configured.config_file.read_text()
    configured.config_file.write_text(text.replace('on = "daily"', 'on = "4:00"'))
    (schedule,) = shown(capsys)
    assert "different times" in str(schedule["fault"])
    main(shlex.split(str(schedule["repair"]))[1:])
    assert "0 4 * * *" in str(crontab.text)


def test_the_schedule_of_a_job_that_is_gone_is_said_and_can_be_removed(
    configured: Places, crontab: Crontab, capsys: pytest.CaptureFixture[str]
) -> None:
    """It would start nothing, each night."""
    main(["schedule", "home", "--on", "daily"])
    configured.config_file.write_text("version = 1\n")
    (schedule,) = shown(capsys)
    assert "not in config.toml" in str(schedule["fault"])
    assert main(shlex.split(str(schedule["repair"]))[1:]) == 0
    assert crontab.text == ""
    assert shown(capsys) == []


@pytest.mark.parametrize("kind", ["systemd", "cron", "launchd"])
def test_the_files_of_any_scheduler_can_be_printed(
    configured: Places, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    """Nothing is changed; the trial's folder is named."""
    assert main(["schedule", "home", "--on", "daily", "--print", kind]) == 0
    assert str(configured.config.parent) in capsys.readouterr().out
    assert schedules.read(configured) == []


def test_without_a_scheduler_that_is_said(
    configured: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A container mostly has neither systemd nor cron."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["schedule", "home", "--on", "daily"]) == 2
    assert "no scheduler" in capsys.readouterr().err
    assert main(["schedule", "home", "--on", "daily", "--by", "systemd"]) == 2
    assert "systemd does not run here" in capsys.readouterr().err
    assert "on" not in saved(configured, "home")


def test_a_user_without_a_manager_of_systemds_is_told_how_to_get_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after `su`, or in cron: the environment may name the bus of another user."""
    monkeypatch.setattr(systemd, "present", lambda: True)
    monkeypatch.setattr(systemd, "_runtime", lambda: str(tmp_path))
    with pytest.raises(systemd.SchedulerError, match="does not run for") as refused:
        Systemd(False, tmp_path).check()
    assert "loginctl enable-linger" in refused.value.next


def test_a_file_of_another_program_is_not_replaced(
    configured: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stays, and the error names it."""
    folder = tmp_path / "units"
    folder.mkdir()
    file = folder / f"{units.name('home')}.timer"
    file.write_text("[Timer]\n")
    monkeypatch.setattr(Systemd, "check", lambda _: None)
    monkeypatch.setattr(Systemd, "ours", classmethod(lambda _: Systemd(False, folder)))
    assert main(["schedule", "home", "--on", "daily", "--by", "systemd"]) == 2
    assert file.read_text() == "[Timer]\n"
    assert [path.name for path in folder.iterdir()] == [file.name]


def test_root_starts_no_program_that_others_can_change(
    configured: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A user who may write to it, or to a folder on the way, would become root at the next start."""
    program = tmp_path / "open" / "backup-tray"
    program.parent.mkdir()
    program.parent.chmod(0o777)
    program.touch()
    monkeypatch.setattr("tray.jobs.configured.launcher", lambda: str(program))
    monkeypatch.setattr(Systemd, "check", lambda _: None)
    monkeypatch.setattr(Systemd, "ours", classmethod(lambda _: Systemd(True, tmp_path / "units")))
    assert main(["schedule", "home", "--on", "daily", "--by", "systemd"]) == 2
    assert "install.sh --system" in capsys.readouterr().err
    assert not (tmp_path / "units").exists()


def test_systemds_times_are_read() -> None:
    """As `systemctl show --timestamp=utc` prints them."""
    assert systemd.moment_ms("Mon 2026-11-30 20:31:07 UTC") == 1_796_070_667_000
    assert systemd.moment_ms("n/a") is systemd.moment_ms("") is systemd.moment_ms(None) is None
    assert sys.platform == "linux"


def test_the_delay_is_saved_where_the_rhythm_of_the_job_reads_it(configured: Places, crontab: Crontab) -> None:
    """The job is not called late for a delay that the user asked for."""
    assert main(["schedule", "home", "--on", "daily", "--delay", "10m"]) == 0
    assert saved(configured, "home")["delay"] == "10m"
    assert main(["schedule", "home", "--delay", "0"]) == 0
    assert "delay" not in saved(configured, "home")
    assert saved(configured, "home")["on"] == "daily"


def test_the_schedule_follows_the_job_to_its_new_name(
    configured: Places, crontab: Crontab, capsys: pytest.CaptureFixture[str]
) -> None:
    """Under the old name nothing would be started."""
    main(["schedule", "home", "--on", "daily"])
    assert main(["jobs", "rename", "home", "house"]) == 0
    (schedule,) = shown(capsys)
    assert (schedule["job"], schedule["fault"]) == ("house", "")
    assert "--scheduled home" not in str(crontab.text)


@pytest.mark.parametrize("verb", ["remove", "retire"])
def test_a_job_that_is_over_is_not_scheduled(
    configured: Places, crontab: Crontab, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    """Its lines go with it; those of other jobs stay."""
    main(["schedule", "home", "--on", "daily"])
    main(["schedule", '100 % "odd" $x', "--on", "daily"])
    assert main(["jobs", verb, "home"]) == 0
    assert [schedule["job"] for schedule in shown(capsys)] == ['100 % "odd" $x']


def test_a_fault_is_a_note_of_the_status_until_it_is_mended(
    configured: Places, crontab: Crontab, capsys: pytest.CaptureFixture[str]
) -> None:
    """Housekeeping looks at the schedules, so every surface hears of it without asking the scheduler itself."""
    main(["schedule", "home", "--on", "daily"])
    crontab.write("")
    assert main(["tracker", "--care"]) == 0
    capsys.readouterr()
    main(["status"])
    said = capsys.readouterr().out
    assert "The schedule of home: it was removed outside Backup Tray; mend it with `backup-tray schedule home" in said
    main(["schedule", "home", "--repair"])
    capsys.readouterr()
    main(["status"])
    assert "The schedule of home" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"schedules": [{"job": 1}]}', '{"schedules": 7}', "\0", '{"schedules": [3]}']
)
def test_a_damaged_memory_of_the_schedules_is_said_and_mended_by_the_command_that_is_named(
    configured: Places, crontab: Crontab, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    """Status calls them unavailable, which is not "no schedules", and a look at cron finds them again."""
    main(["schedule", "home", "--on", "daily"])
    (configured.state / schedules.NAME).write_text(text)
    with pytest.raises(SchedulesUnreadableError):
        schedules.read(configured)
    capsys.readouterr()
    main(["status"])
    said = capsys.readouterr().out
    assert "The schedules are unavailable" in said
    assert "`backup-tray schedule`" in said
    assert main(["schedule"]) == 0
    assert "home: 0 0 * * *" in capsys.readouterr().out
    main(["status"])
    assert "unavailable" not in capsys.readouterr().out


def test_a_schedule_is_changed_although_the_memory_is_damaged(configured: Places, crontab: Crontab) -> None:
    """Its line in the crontab is replaced, not doubled, and a job that goes takes it away."""
    main(["schedule", "home", "--on", "daily"])
    for arguments in (["schedule", "home", "--on", "4:30"], ["jobs", "edit", "home", "--on", "5:30"]):
        (configured.state / schedules.NAME).write_text("{")
        assert main(arguments) == 0
    assert str(crontab.text).count("backup --scheduled home") == 1
    assert "\n30 5 * * * " in str(crontab.text)
    (configured.state / schedules.NAME).write_text("{")
    assert main(["jobs", "remove", "home"]) == 0
    assert "--scheduled home" not in str(crontab.text)


def test_an_edit_of_the_time_reaches_the_scheduler(configured: Places, crontab: Crontab) -> None:
    """The user need not know that the time stands in two places."""
    main(["schedule", "home", "--on", "daily"])
    assert main(["jobs", "edit", "home", "--on", "4:30"]) == 0
    assert "\n30 4 * * * " in str(crontab.text)


def test_all_schedules_can_be_removed_at_once(
    configured: Places, crontab: Crontab, capsys: pytest.CaptureFixture[str]
) -> None:
    """As the uninstaller does: the user's own lines stay."""
    crontab.write("@daily true\n")
    main(["schedule", "home", "--on", "daily"])
    main(["schedule", '100 % "odd" $x', "--on", "daily"])
    assert main(["schedule", "--remove", "--all"]) == 0
    assert (shown(capsys), crontab.text) == ([], "@daily true\n")
    assert main(["schedule", "--remove", "--all"]) == 0


def test_where_no_tracker_runs_the_status_looks_by_itself_once_the_last_look_is_old(
    configured: Places, crontab: Crontab, capsys: pytest.CaptureFixture[str]
) -> None:
    """A server without a desktop hears of it too, at the price of one question in an hour and a half."""
    main(["schedule", "home", "--on", "daily"])
    crontab.write("")
    main(["status"])
    assert "removed outside" not in capsys.readouterr().out
    long_ago = clock.now_ms() // 1000 - 86_400
    os.utime(configured.state / schedules.NAME, (long_ago, long_ago))
    main(["status"])
    assert "removed outside" in capsys.readouterr().out
    assert not schedules.old(configured)


def test_a_first_backup_is_scheduled_by_its_option(places: Places, crontab: Crontab, tmp_path: Path) -> None:
    """`create --schedule` makes the job and has cron start it, and the job states its times."""
    (tmp_path / "papers").mkdir()
    options = (
        "--source",
        str(tmp_path / "papers"),
        "--repository",
        str(tmp_path / "repository"),
        "--schedule",
        "20:30",
    )
    assert main(["create", "--yes", "--no-run", *options]) == 0
    assert "30 20 * * *" in (crontab.text or "")
    assert "backup --scheduled home" in (crontab.text or "")
    assert saved(places, "home")["on"] == "20:30"


CHECK_TIMES = ["schedule", "home", "--check", "--on", "*-*-01 5:00"]


def test_checks_have_a_schedule_of_their_own(
    configured: Places, crontab: Crontab, capsys: pytest.CaptureFixture[str]
) -> None:
    """Beside that of the backup: its time is saved in the job's `check`, and each is shown, mended and removed alone."""
    main(["schedule", "home", "--on", "daily"])
    assert main(CHECK_TIMES) == 0
    assert "home (check): 0 5 1 * *" in capsys.readouterr().out
    assert saved(configured, "home")["check"] == {"on": "*-*-01 5:00"}
    assert "backup --scheduled home" in str(crontab.text)
    assert "check --scheduled home" in str(crontab.text)
    assert [(each["job"], each["kind"], each["fault"]) for each in shown(capsys)] == [
        ("home", "backup", ""),
        ("home", "check", ""),
    ]
    crontab.write("")
    for schedule in shown(capsys):
        assert main(shlex.split(str(schedule["repair"]))[1:]) == 0
    assert [each["fault"] for each in shown(capsys)] == ["", ""]
    assert main(["schedule", "home", "--check", "--remove"]) == 0
    assert "`backup-tray check home`" in capsys.readouterr().out
    assert [each["kind"] for each in shown(capsys)] == ["backup"]
    assert main(["schedule", "home", "--check", "--show"]) == 2
    assert "The check of the job 'home' has no schedule" in capsys.readouterr().err


def test_a_check_keeps_what_else_its_table_says(
    configured: Places, crontab: Crontab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its interval gives way to the time; a zone and a delay go to keys of its own, and the job's stay."""
    monkeypatch.setattr("tray.schedule.cron.machine_zone", lambda: "UTC")
    text = configured.config_file.read_text().replace(
        'every = "1d"', 'every = "1d"\ncheck = { every = "30d", read_data = "5%" }'
    )
    configured.config_file.write_text(text)
    assert main(["schedule", "home", "--check", "--on", "CRON_TZ=UTC 5 4 1 * *", "--delay", "10m"]) == 0
    assert saved(configured, "home")["check"] == {"read_data": "5%", "on": "5 4 1 * *", "zone": "UTC", "delay": "10m"}
    assert saved(configured, "home")["every"] == "1d"


def test_a_time_of_checks_that_was_changed_in_the_configuration_is_said_and_followed(
    configured: Places, crontab: Crontab, capsys: pytest.CaptureFixture[str]
) -> None:
    """By hand the schedule is at fault until it is mended; by `jobs edit` it follows."""
    main(CHECK_TIMES)
    text = configured.config_file.read_text()
    configured.config_file.write_text(text.replace('"*-*-01 5:00"', '"*-*-02 6:00"'))
    (schedule,) = shown(capsys)
    assert ("different times" in str(schedule["fault"]), schedule["kind"]) == (True, "check")
    assert main(["jobs", "edit", "home", "--keep-logs", "30d"]) == 0
    assert "0 6 2 * *" in str(crontab.text)
    assert shown(capsys)[0]["fault"] == ""


def test_the_schedule_of_checks_follows_its_job_and_goes_with_it(
    configured: Places, crontab: Crontab, capsys: pytest.CaptureFixture[str]
) -> None:
    """To a new name, and away."""
    main(CHECK_TIMES)
    assert main(["jobs", "rename", "home", "house"]) == 0
    assert [(each["job"], each["kind"], each["fault"]) for each in shown(capsys)] == [("house", "check", "")]
    assert main(["jobs", "remove", "house"]) == 0
    assert shown(capsys) == []


@pytest.mark.parametrize("kind", ["systemd", "cron", "launchd"])
def test_the_files_for_checks_can_be_printed(configured: Places, capsys: pytest.CaptureFixture[str], kind: str) -> None:
    """They start `backup-tray check`."""
    assert main([*CHECK_TIMES, "--print", kind]) == 0
    said = capsys.readouterr().out
    assert re.search(r"check\W+(<string>)?--scheduled", said.replace("</string>", ""))
    assert schedules.read(configured) == []
