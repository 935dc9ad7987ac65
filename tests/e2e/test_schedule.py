"""Schedules under a real systemd: timers of users and of the system, on a machine that boots for these tests."""

import json
import re
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.e2e.booted import USERS, Booted
from tests.e2e.conftest import Installed
from tray.core import clock
from tray.schedule import systemd, units

SOON_SECONDS = 8
"""Longer than it takes to set a schedule up; on a machine that is slower, the next slot comes a minute later."""
SLOT_SECONDS = 180.0


@pytest.fixture(scope="module")
def booted(installed: Installed) -> Iterator[Booted]:
    """A machine on which ann has the program, and a repository of restic's with a job."""
    machine = Booted(installed)
    try:
        for name in ("ann", "root"):
            configure(machine, name)
        yield machine
    finally:
        machine.end()


@pytest.fixture(autouse=True)
def as_it_was(booted: Booted) -> Iterator[None]:
    """No test leaves a schedule or a session behind."""
    yield
    for name in ("ann", "root"):
        booted.tray(name, "schedule", "home", "--remove", check=False)
    booted.root("loginctl", "disable-linger", "ann", check=False)
    booted.root("systemctl", "stop", "login-ann", check=False)
    booted.until(lambda: not booted.has_manager("ann"), "the end of the user's manager")


def configure(machine: Booted, name: str) -> None:
    """Give *name* something to back up, a repository and the job "home"."""
    home = machine.homes[name]
    machine.write(name, "papers/letter", "Dear Bob\n")
    secret = machine.write(name, "secret", "correct horse\n")
    make = ("restic", "init", "-r", home / "repository", "--password-file", secret)
    machine.root(*make) if name == "root" else machine.user(name, *make)
    folder = "/etc/xdg/backup-tray" if name == "root" else f"{home}/.config/backup-tray"
    text = f"""version = 1
[jobs.home]
sources = ["{home}/papers"]
repository = "{home}/repository"
password_file = "{secret}"
"""
    owner = str(USERS.get(name, 0))
    machine.root("install", "-d", "-m", "700", "-o", owner, "-g", owner, folder)
    machine.root("install", "-m", "600", "-o", owner, "-g", owner, "/dev/stdin", f"{folder}/config.toml", input=text)


BY_WINDOW = """
import json, sys
from tray.core.paths import places
from tray.window.job_page import Jobs
jobs = Jobs(places(), print)
print(json.dumps(jobs.schedule("home", sys.argv[1]) if sys.argv[1:] else jobs.page("home")))
"""
"""The call behind the button of the window."""


def utc_now() -> datetime:
    """The time by this machine's clock, which is the other one's too."""
    return clock.local(clock.now_ms()).astimezone(UTC)


def soon() -> str:
    """Once a minute, at a second that comes soon: the shortest schedule that there is, of which no test waits long."""
    return (utc_now() + timedelta(seconds=SOON_SECONDS)).strftime("*:*:%S")


def number_of_runs(machine: Booted, name: str = "ann") -> int:
    """How many runs of the job have ended."""
    return len(machine.runs(name, "home"))


def test_a_users_timer_starts_the_job_and_the_run_is_on_record(booted: Booted) -> None:
    """The program sets it up without any variable of a session, and tells the next start as systemd does."""
    booted.log_in("ann")
    before = number_of_runs(booted)
    said = booted.tray("ann", "schedule", "home", "--on", soon(), "--delay", "0").stdout
    assert "only while you are logged in" in said
    booted.until(lambda: number_of_runs(booted) > before, "a run that systemd started", SLOT_SECONDS)
    assert booted.runs("ann", "home")[0]["outcome"] == "succeeded"
    booted.tray("ann", "schedule", "home", "--on", "daily UTC", "--delay", "0")
    midnight = utc_now().replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    schedule = booted.schedule("ann", "home")
    assert (schedule["fault"], schedule["title"]) == ("", "systemd timer of this user")
    assert datetime.fromisoformat(schedule["next_at"]) == midnight
    assert "Persistent=yes" in booted.systemctl("ann", "show", f"{units.PREFIX}home.timer")


def test_a_timer_for_checks_proves_the_backup(booted: Booted) -> None:
    """Beside the one for backups: its run is a check with a proof, and the status names the next one."""
    booted.log_in("ann")
    booted.tray("ann", "backup", "home")
    said = booted.tray("ann", "schedule", "home", "--check", "--on", soon(), "--delay", "0").stdout
    try:
        assert "home (check): " in said

        def proven() -> bool:
            return any(job["proven"] for job in booted.status("ann")["jobs"] if job["job"] == "home")

        booted.until(proven, "a proof by a check that systemd started", SLOT_SECONDS)
        booted.tray("ann", "schedule", "home", "--check", "--on", "monthly UTC", "--delay", "0")
        (check,) = [job for job in booted.status("ann")["jobs"] if job["job"] == "home (check)"]
        month = utc_now().replace(day=1, hour=0, minute=0, second=0, microsecond=0) + timedelta(days=32)
        assert datetime.fromisoformat(check["next"]) == month.replace(day=1)
        shown = json.loads(booted.tray("ann", "schedule", "home", "--check", "--show", "--json").stdout)
        assert [(each["kind"], each["fault"], each["next_at"]) for each in shown] == [("check", "", check["next"])]
        timer = "backup-tray.check-home.timer"
        booted.systemctl("ann", "disable", "--now", timer)
        (broken,) = json.loads(booted.tray("ann", "schedule", "--show", "--json", check=False).stdout)
        assert broken["fault"] == "Its timer is disabled."
        booted.tray("ann", *shlex.split(broken["repair"])[1:])
        assert "Persistent=yes" in booted.systemctl("ann", "show", timer)
    finally:
        booted.tray("ann", "schedule", "home", "--check", "--remove", check=False)


def test_a_schedule_that_is_set_again_has_started_nothing(booted: Booted) -> None:
    """systemd counts the moment at which a timer is set up as its last start; users would look for that run."""
    booted.log_in("ann")
    for _ in range(2):
        booted.tray("ann", "schedule", "home", "--on", "daily")
    assert booted.schedule("ann", "home")["last_at"] is None


def test_a_schedule_in_a_folder_that_cannot_be_written_stays_as_it_is(booted: Booted) -> None:
    """The user hears so, and the timer goes on."""
    booted.log_in("ann")
    booted.tray("ann", "schedule", "home", "--on", "daily")
    folder = booted.homes["ann"] / ".config/systemd/user"
    booted.root("chown", "root", folder)
    try:
        refused = booted.tray("ann", "schedule", "home", "--remove", check=False)
        assert "The schedule was not taken away" in refused.stderr
        assert str(folder) in refused.stderr
        assert booted.systemctl("ann", "is-active", f"{units.PREFIX}home.timer").strip() == "active"
    finally:
        booted.root("chown", "ann", folder)


SPOILT = {
    "disabled": ("disable --now", "Its timer is disabled"),
    "stopped": ("stop", "Its timer is inactive"),
    "edited": ("", "was edited"),
    "changed beside": ("", "override.conf"),
    "masked": ("", "is masked"),
    "gone": ("", "removed outside"),
}


def test_a_timer_that_was_switched_off_or_edited_is_said_and_the_repair_works(booted: Booted) -> None:
    """Each way that people and tools have; the command that is named mends it."""
    booted.log_in("ann")
    booted.tray("ann", "schedule", "home", "--on", "daily")
    timer = f"{units.PREFIX}home.timer"
    folder = booted.homes["ann"] / ".config/systemd/user"
    for how, (words, fault) in SPOILT.items():
        if words:
            booted.systemctl("ann", *words.split(), timer)
        elif how == "edited":
            booted.root("sed", "-i", "s/00:00:00/04:00:00/", folder / timer)
        elif how == "changed beside":
            booted.write("ann", f".config/systemd/user/{timer}.d/override.conf", "[Timer]\nOnCalendar=04:00\n")
        elif how == "masked":
            booted.root("ln", "-sfn", "/dev/null", folder / timer)
        else:
            booted.root("sh", "-c", f"rm -f {folder}/{units.PREFIX}home.*")
        booted.systemctl("ann", "daemon-reload")
        schedule = booted.schedule("ann", "home")
        assert fault in schedule["fault"], (how, schedule)
        assert booted.tray("ann", "schedule", "home", "--show", check=False).returncode == 1
        program, *rest = shlex.split(schedule["repair"])
        if program == "systemctl":
            booted.systemctl("ann", *rest[1:])
        else:
            booted.tray("ann", *rest)
        assert booted.schedule("ann", "home")["fault"] == "", how


def test_a_program_that_is_gone_is_said(booted: Booted) -> None:
    """systemd could not start it, so no run can tell."""
    booted.log_in("ann")
    booted.tray("ann", "schedule", "home", "--on", "daily")
    service = booted.homes["ann"] / f".config/systemd/user/{units.PREFIX}home.service"
    text = booted.root("cat", service).stdout.partition("\n")[2]
    moved = re.sub(r"^ExecStart=\S+", "ExecStart=/nowhere/backup-tray", text, flags=re.MULTILINE)
    booted.write("ann", str(service.relative_to(booted.homes["ann"])), units.marked("home", moved))
    booted.systemctl("ann", "daemon-reload")
    assert "/nowhere/backup-tray is gone" in booted.schedule("ann", "home")["fault"]
    booted.tray("ann", "schedule", "home", "--repair")
    assert booted.schedule("ann", "home")["fault"] == ""


def test_the_window_sets_a_schedule_as_the_terminal_does(booted: Booted, installed: Installed) -> None:
    """The page says the next start as systemd does, and offers linger as long as it would make a difference."""

    def page(*when: str) -> dict[str, object]:
        asked = booted.user("ann", installed.prefix / "venv/bin/python", "-c", BY_WINDOW, *when)
        return dict(json.loads(asked.stdout)["schedule"])

    booted.log_in("ann")
    made = page("20:30")
    assert (made["fault"], made["needs_login"]) == ("", True)
    assert re.search("20:3[0-2]", str(made["next"])), "the usual delay is up to two minutes"
    assert "caught up once" in str(made["promise"])
    assert page() == made
    booted.root("loginctl", "enable-linger", "ann")
    assert page()["needs_login"] is False


def test_with_linger_the_timer_goes_on_after_the_logout(booted: Booted) -> None:
    """Without it nothing runs then, and the program says so when it sets the schedule."""
    booted.log_in("ann")
    booted.tray("ann", "schedule", "home", "--on", soon(), "--delay", "0")
    refused = booted.tray("ann", "schedule", "--linger", check=False)
    if refused.returncode:  # an administrator decides, where there is no polkit to let users decide for themselves
        assert "sudo loginctl enable-linger ann" in refused.stderr
        booted.root("loginctl", "enable-linger", "ann")
    booted.log_out("ann")
    before = number_of_runs(booted)
    assert booted.has_manager("ann")
    booted.until(lambda: number_of_runs(booted) > before, "a run without a session", SLOT_SECONDS)


def test_a_user_without_a_manager_is_told_how_to_get_one(booted: Booted) -> None:
    """As after `su`: nothing is left behind, and the next step works."""
    refused = booted.tray("ann", "schedule", "home", "--on", "daily", check=False)
    assert (refused.returncode, "enable-linger ann" in refused.stderr) == (2, True), refused.stderr
    files = f"{booted.homes['ann']}/.config/systemd/user"
    assert f"{units.PREFIX}home" not in booted.root("ls", files, check=False).stdout
    booted.root("loginctl", "enable-linger", "ann")
    booted.until(lambda: booted.has_manager("ann"), "the manager of the user")
    booted.tray("ann", "schedule", "home", "--on", "daily")
    assert booted.schedule("ann", "home")["fault"] == ""


@pytest.mark.parametrize("name", ["ann", "root"])
def test_a_start_that_was_missed_while_the_machine_was_off_is_caught_up_once(booted: Booted, name: str) -> None:
    """A timer of a user who lingers, and one of the system: one run after the start, and the next at its usual time."""
    if name == "ann":
        booted.root("loginctl", "enable-linger", "ann")
        booted.until(lambda: booted.has_manager("ann"), "the manager of the user")
    just_over = (utc_now() - timedelta(hours=1)).strftime("%H:%M UTC")
    booted.tray(name, "schedule", "home", "--on", just_over, "--delay", "0")
    before = number_of_runs(booted, name)
    booted.off()
    booted.on()
    assert number_of_runs(booted, name) == before  # it was off for a moment only
    stamps = "/var/lib" if name == "root" else f"{booted.homes[name]}/.local/share"
    folder = "/etc/systemd/system" if name == "root" else f"{booted.homes[name]}/.config/systemd/user"
    timer = f"{units.PREFIX}home.timer"
    booted.off()
    # Of a schedule that was set up just now the last start would be that moment, so it is made two days old.
    booted.on(before=f"touch -d '2 days ago' {stamps}/systemd/timers/stamp-{timer} {folder}/{timer}")
    booted.until(lambda: number_of_runs(booted, name) > before, "the run that was missed")
    schedule = booted.schedule(name, "home")
    assert schedule["last_at"] is not None
    assert datetime.fromisoformat(schedule["next_at"]) > utc_now() + timedelta(hours=22)
    assert number_of_runs(booted, name) == before + 1


def test_starts_that_were_missed_together_do_not_begin_at_once(booted: Booted) -> None:
    """After the machine was off, each job's own delay counts from the start of the machine."""
    booted.root("loginctl", "enable-linger", "ann")
    booted.until(lambda: booted.has_manager("ann"), "the manager of the user")
    names = [f"small {number}" for number in range(3)]
    just_over = (utc_now() - timedelta(hours=1)).strftime("%H:%M UTC")
    for name in names:
        booted.tray("ann", "jobs", "add", name, "--command", "/bin/true")
        booted.tray("ann", "schedule", name, "--on", just_over, "--delay", "15s")
    timers = booted.homes["ann"] / ".local/share/systemd/timers"
    booted.off()
    booted.on(before=f"touch -d '2 days ago' {timers}/stamp-{units.PREFIX}small*.timer")
    booted.until(lambda: all(len(booted.runs("ann", name)) == 1 for name in names), "the runs that were missed")
    begins = sorted(datetime.fromisoformat(booted.runs("ann", name)[0]["started_at"]) for name in names)
    assert begins[-1] - begins[0] > timedelta(seconds=1)
    assert "small 0, small 1, small 2" in booted.tray("ann", "schedule", "--remove", "--all").stdout
    assert units.PREFIX not in booted.systemctl("ann", "list-timers", "--all")
    for name in names:
        booted.tray("ann", "jobs", "remove", name)


def test_roots_timer_is_the_systems_and_its_runs_are_shown_to_a_member(booted: Booted) -> None:
    """Root needs no login; a member of the group sees the run beside the own ones."""
    booted.root("groupadd", "--force", "backup-tray")
    booted.root("usermod", "--append", "--groups", "backup-tray", "ann")
    booted.root("install", "-d", "-m", "750", "-g", "backup-tray", "/run/backup-tray-view")
    booted.root(
        "systemd-run", "--quiet", "--unit=view", "/usr/local/bin/backup-tray", "system", "--group", "backup-tray"
    )
    said = booted.tray("root", "schedule", "home", "--on", soon(), "--delay", "0").stdout
    assert "systemd timer of the system" in said
    assert "logged in" not in said

    def shown() -> bool:
        jobs = booted.status("ann")["jobs"]
        return any(job["instance"] == "system" and job["last"] is not None for job in jobs if job["job"] == "home")

    booted.until(shown, "root's run in the status of a member", SLOT_SECONDS)
    booted.root("systemctl", "stop", "view")


def test_systemd_ends_the_engine_cleanly(booted: Booted) -> None:
    """KillMode=mixed: the wrapper alone gets the signal, so restic removes its lock, and the end is on record."""
    booted.log_in("ann")
    home = booted.homes["ann"]
    booted.root("sh", "-c", f"head -c 20000000 /dev/urandom >{home}/papers/big")
    config = home / ".config/backup-tray/config.toml"
    booted.root("sed", "-i", r'/^\[jobs.home\]/a options = ["--limit-upload", "500"]', config)
    try:
        booted.tray("ann", "schedule", "home", "--on", "daily")
        before = number_of_runs(booted)
        booted.systemctl("ann", "start", "--no-block", f"{units.PREFIX}home.service")
        half = ("find", home / "repository/data", "-name", "*-tmp-*")
        booted.until(lambda: booted.root(*half, check=False).stdout, "a file that restic has not finished")
        second = booted.tray("ann", "backup", "--scheduled", "home")
        assert "still goes on" in second.stderr
        booted.systemctl("ann", "stop", f"{units.PREFIX}home.service")
        booted.until(lambda: number_of_runs(booted) > before, "the end of the run")
        assert booted.runs("ann", "home")[0]["outcome"] == "cancelled"
        assert booted.root("ls", home / "repository/locks").stdout == ""
        skipped = json.loads(
            booted.tray(
                "ann", "audit", "show", "--json", "--action", "run.skipped", "--limit", "1"
            ).stdout.splitlines()[0]
        )
        assert skipped["result"] == "already running"
    finally:
        booted.root("sed", "-i", "/^options/d", config)
        booted.root("rm", home / "papers/big")


def test_the_unit_still_works_after_an_upgrade_of_the_program(booted: Booted, installed: Installed) -> None:
    """It names the launcher, which the installer keeps in its place."""
    booted.log_in("ann")
    booted.tray("ann", "schedule", "home", "--on", "daily")
    checkout = installed.checkout
    booted.root("chown", "-R", "ann", checkout)
    booted.root("sh", "-c", f"echo '# newer' >>{checkout}/tray/cli/__init__.py")
    network = {name: value for name, value in installed.environ.items() if name.startswith(("PIP_", "SSL_", "http"))}
    booted.user("ann", checkout / "installers/linux/install.sh", "--user", **network)
    assert booted.root("sh", "-c", f"grep -rl '# newer' {booted.homes['ann']}/.local/share/backup-tray").stdout
    before = number_of_runs(booted)
    assert booted.schedule("ann", "home")["fault"] == ""
    booted.systemctl("ann", "start", f"{units.PREFIX}home.service")
    assert number_of_runs(booted) == before + 1


def test_cron_takes_the_job_where_it_is_asked_to(booted: Booted) -> None:
    """The real crontab; and a user whom /etc/cron.deny names is told so."""
    booted.tray("ann", "schedule", "home", "--on", "15 2 * * *", "--by", "cron")
    assert "15 2 * * * nice" in booted.user("ann", "crontab", "-l").stdout
    assert booted.schedule("ann", "home")["fault"] == ""
    booted.tray("ann", "schedule", "home", "--remove")
    booted.root("sh", "-c", "echo ann >/etc/cron.deny")
    try:
        refused = booted.tray("ann", "schedule", "home", "--on", "daily", "--by", "cron", check=False)
        assert "not allowed" in refused.stderr
    finally:
        booted.root("rm", "/etc/cron.deny")


def test_systemds_own_words_for_times_are_read(booted: Booted) -> None:
    """Their form is no promise of systemd's, so it is looked at."""
    shown = booted.root(
        "systemctl", "show", "--timestamp=utc", "--property=ActiveEnterTimestamp", "basic.target"
    ).stdout
    moment = systemd.moment_ms(shown.strip().partition("=")[2])
    assert moment is not None
    assert abs(moment - clock.now_ms()) < 3_600_000
