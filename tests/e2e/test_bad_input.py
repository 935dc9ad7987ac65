"""Configurations, crontabs and machines that are not as they should be: every command of the real program says so and goes on."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.program import PASSWORD, TRAY, make_repository, make_tree, status, tray
from tests.e2e.test_takeover import OWN_CRONTABS
from tests.mounts import mounted
from tray.config import jobs
from tray.core.paths import Places, private

NO_SYSTEMD = "[ ! -d /run/systemd ] || mount -t tmpfs tmpfs /run/systemd"
OF_A_SESSION = ("DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR", "LOGNAME", "USER")


def without_bus() -> dict[str, str]:
    """The environment of cron, of `su`, and of a command over ssh."""
    return {name: value for name, value in os.environ.items() if name not in OF_A_SESSION}


def folder(file: Path) -> None:
    """A folder stands where the file should."""
    file.mkdir()


def unreadable(file: Path) -> None:
    """A file that not even root can read."""
    file.symlink_to("/proc/self/mem")


def endless(file: Path) -> None:
    """A link to itself."""
    file.symlink_to(file)


def huge(file: Path) -> None:
    """Ten megabytes."""
    file.write_bytes(b"[jobs.home]\n" + b"#" * 10_000_000)


def newer(file: Path) -> None:
    """The file of a version to come."""
    file.write_text("version = 99\n[jobs.home]\ncommand = ['true']\n")


def torn(file: Path) -> None:
    """A file that ends in the middle of a word."""
    file.write_text('version = 1\n[jobs.home]\ncommand = ["tr')


def binary(file: Path) -> None:
    """Bytes that are no text."""
    file.write_bytes(bytes(range(256)))


def identity(file: Path) -> tuple[int, ...]:
    """Which file it is and when it was written; reading it changes only the time of access."""
    at = file.lstat()
    return at.st_ino, at.st_mode, at.st_size, at.st_mtime_ns


@pytest.mark.parametrize("spoil", [folder, unreadable, endless, huge, newer, torn, binary])
def test_a_config_that_cannot_be_used_is_said_by_every_command_and_stops_no_backup(
    places: Places, tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    """Nothing is called fine, nothing is written into the file, and a wrapped command runs as without us."""
    assert tray("run", "--job", "by hand", "--", "true").returncode == 0
    assert status()["state"] == "ok"
    private(places.config)
    spoil(places.config_file)
    before = identity(places.config_file)
    assert status()["state"] == "warning"
    done = tray("run", "--job", "by hand", "--", "sh", "-c", "echo out; exit 7")
    assert (done.stdout, done.returncode) == ("out\n", 7)
    assert tray("run", "--job", "by hand", "--", "true").returncode == 0
    for command in (
        ["backup", "home"],
        ["jobs", "list"],
        ["jobs", "show", "home"],
        ["jobs", "add", "new", "--command", "true"],
        ["jobs", "import"],
        ["schedule", "home", "--on", "daily", "--by", "cron"],
        ["check", "home"],
    ):
        refused = tray(*command)
        assert refused.returncode == 2, (command, refused)
        assert "config.toml" in refused.stderr, command
        assert "next: " in refused.stderr, command
        assert "Traceback" not in refused.stderr, command
    for command in (["status"], ["history"], ["doctor"]):
        said = tray(*command)
        assert "Traceback" not in said.stdout + said.stderr
        assert said.stdout
    assert status()["state"] == "failed"  # the start of `backup home` failed, which is on record
    assert identity(places.config_file) == before


CRONTAB = r"""CRON_TZ=Asia/Tokyo
@reboot restic -r /mnt/a backup /reboot
@daily restic -r /mnt/a backup /daily
5 4 * jan,jul sun restic -r /mnt/a backup /months
6 4 1-7 * mon-fri restic -r /mnt/a backup /days --tag $(date +\%F)
7 4 * * * restic -r /mnt/a backup --stdin --stdin-filename x%some text%more
8 4 30 feb * restic -r /mnt/a backup /never
9 4 29 feb * restic -r /mnt/a backup /leap
*/7 * * * * restic -r /mnt/a backup /often
10 4 * * * restic -r /mnt/a backup /first; restic -r /mnt/a backup /second
11 4 * * * /nowhere/backup.sh
"""


def with_crontab(table: Path, *arguments: str, more: str = "") -> "subprocess.CompletedProcess[str]":
    """Run a command of ours where cron's table of this user holds *table*, and no systemd and no bus is."""
    command = ["sh", "-ec", 'crontab "$0" && exec "$@"', str(table), *TRAY, *arguments]
    script = f"{OWN_CRONTABS}\n{NO_SYSTEMD}\n{more}"
    return subprocess.run(mounted(script, *command), capture_output=True, text=True, timeout=120, env=without_bus())


def test_every_line_that_cron_takes_becomes_a_job_without_a_fault_or_has_its_reason(
    places: Places, tmp_path: Path
) -> None:
    """Names of months, `%`, CRON_TZ, @reboot, a date that never comes: all that is taken over can be judged."""
    table = tmp_path / "table"
    table.write_text(CRONTAB)
    listed = {}
    for entry in json.loads(with_crontab(table, "jobs", "import", "--json").stdout):
        if entry["source"].startswith("crontab of"):
            listed[entry["line"], entry["name"]] = entry
    by_name = {name: entry for (_, name), entry in listed.items()}
    assert by_name["restic-reboot"]["on"] is None
    assert "no clock says" in by_name["restic-reboot"]["rhythm"]
    assert by_name["restic-months"]["rhythm"].startswith("by the cron line")
    assert any("CRON_TZ" in note for note in by_name["restic-daily"]["notes"]) or by_name["restic-daily"]["zone"]
    assert {line for line, _ in listed} == set(range(2, 12))
    assert all(entry["why"] for entry in listed.values() if entry["state"] == "not understood")
    assert with_crontab(table, "jobs", "import", "--all").returncode == 0
    configured = jobs.load(places)
    assert not configured.broken
    assert {"restic-months", "restic-days", "restic-leap", "restic-often", "restic-reboot"} <= {*configured.jobs}
    shown = tray("status", "--json")
    assert json.loads(shown.stdout)["state"] != "ok"
    assert len(json.loads(shown.stdout)["jobs"]) == len(configured.jobs)
    assert tray("jobs", "list").returncode == 0


def test_a_schedule_of_a_job_that_was_removed_by_hand_is_said_with_a_repair_that_works(
    places: Places, tmp_path: Path
) -> None:
    """cron goes on to start a job that is gone; the command that is named takes the line away."""
    private(places.config)
    places.config_file.write_text('version = 1\n[jobs.home]\ncommand = ["true"]\n[jobs.other]\ncommand = ["true"]\n')
    table = tmp_path / "table"
    table.write_text("")
    tool = " ".join(TRAY)
    script = f"""{tool} schedule home --on daily
sed -i '/jobs.home/,+1d' {places.config_file}
{tool} schedule && exit 9
{tool} backup --scheduled home && exit 9
{tool} schedule home --remove
{tool} schedule
crontab -l"""
    said = subprocess.run(
        mounted(f"{OWN_CRONTABS}\n{NO_SYSTEMD}", "sh", "-c", script), capture_output=True, text=True, timeout=120
    )
    assert said.returncode in (0, 1), said
    assert "The job is not in config.toml any more." in said.stdout
    assert "mend it: backup-tray schedule home --remove" in said.stdout
    assert "There is no job named 'home'" in said.stderr
    assert "No job has a schedule" in said.stdout.split("mend it")[1]
    assert "--scheduled home" not in said.stdout.split("No job has a schedule")[1]


def test_a_job_whose_program_is_gone_fails_on_record(places: Places) -> None:
    """Not in the way of the other jobs, and doctor names it too."""
    private(places.config)
    places.config_file.write_text(
        'version = 1\n[jobs.gone]\ncommand = ["/nowhere/backup.sh"]\n[jobs.fine]\ncommand = ["true"]\n'
    )
    assert tray("backup", "fine").returncode == 0
    refused = tray("backup", "gone")
    assert refused.returncode == 127
    assert "/nowhere/backup.sh" in refused.stderr
    states = {job["job"]: job["state"] for job in status()["jobs"]}
    assert states == {"gone": "failed", "fine": "ok"}
    assert "/nowhere/backup.sh" in tray("doctor").stdout


def test_two_jobs_into_one_repository_stay_two(places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The failure of one is not hidden by the success of the other, which comes later."""
    monkeypatch.setenv("RESTIC_CACHE_DIR", str(tmp_path / "cache"))
    repository, source = make_repository(tmp_path / "repository"), make_tree(tmp_path / "papers", files=3)
    password = tmp_path / "password"
    password.write_text(PASSWORD)
    private(places.config)
    places.config_file.write_text(
        "version = 1\n"
        + "".join(
            f'[jobs.{name}]\nsources = ["{at}"]\nrepository = "{repository}"\npassword_file = "{password}"\n'
            for name, at in (("papers", source), ("photos", tmp_path / "nowhere"))
        )
    )
    assert tray("backup", "photos").returncode != 0
    assert tray("backup", "papers").returncode == 0
    assert {job["job"]: job["state"] for job in status()["jobs"]} == {"papers": "ok", "photos": "failed"}
    assert status()["state"] == "failed"


def test_without_any_scheduler_the_error_names_the_ways(places: Places, tmp_path: Path) -> None:
    """Neither systemd nor a crontab: nothing is set up, and a wish for one of them is refused."""
    private(places.config)
    places.config_file.write_text('version = 1\n[jobs.home]\ncommand = ["true"]\n')
    hide = f'{NO_SYSTEMD}\nfor file in $(command -v crontab); do mount --bind {tmp_path / "no"} "$file"; done'
    (tmp_path / "no").write_text("not a program")
    for more, words in (
        ([], "There is no scheduler here"),
        (["--by", "systemd"], "systemd"),
        (["--by", "cron"], "cron"),
    ):
        refused = subprocess.run(
            mounted(hide, *TRAY, "schedule", "home", "--on", "daily", *more),
            capture_output=True,
            text=True,
            timeout=60,
            env=without_bus(),
        )
        assert refused.returncode == 2, refused
        assert words in refused.stderr
        assert "next: " in refused.stderr
    assert places.config_file.read_text().count("\n") == 3
