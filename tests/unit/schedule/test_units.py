"""The units that systemd gets: names, quoting, and the settings that a backup needs."""

import shlex
import subprocess
from pathlib import Path

import pytest

from tray.core.model import BACKUP, CHECK
from tray.schedule import units
from tray.schedule.calendar import parse
from tray.schedule.plan import Plan

NAMES = (
    "home",
    "a b",
    "100 %",
    "$HOME",
    'say "hi"',
    "back\\slash\\",
    "größe",
    "a/b",
    "-x"[1:],
    "a:b",
    "x" * 80,
    "é" * 80,
)


@pytest.fixture(autouse=True)
def real(monkeypatch: pytest.MonkeyPatch) -> None:
    """The units are those of the real installation."""
    monkeypatch.delenv("BACKUP_TRAY_HOME")


def plan(job: str = "home", on: str = "daily", **more: object) -> Plan:
    """A plan for *job*."""
    return Plan(job, parse(on), ("/opt/my tray/backup-tray",), **more)  # type: ignore[arg-type] # fields of a plan


def settings(text: str, key: str) -> list[str]:
    """The values of *key* in a unit."""
    return [line.partition("=")[2] for line in text.splitlines() if line.startswith(f"{key}=")]


def test_the_timer_catches_up_once_and_starts_at_the_same_span_after_its_time() -> None:
    """Missed starts are caught up, many jobs do not start at once, and nothing skips a start silently."""
    made = units.of(plan(on="Mon..Fri 20:30 Europe/Berlin", delay_seconds=90))
    assert settings(made.timer, "OnCalendar") == ["Mon..Fri *-*-* 20:30:00 Europe/Berlin"]
    assert settings(made.timer, "Persistent") == settings(made.timer, "FixedRandomDelay") == ["true"]
    assert settings(made.timer, "RandomizedDelaySec") == ["90"]
    assert settings(made.timer, "WantedBy") == ["timers.target"]
    assert "Condition" not in made.timer + made.service
    assert units.delay_of(made.timer) == 90
    assert units.times_of(made.timer) == ["Mon..Fri *-*-* 20:30:00 Europe/Berlin"]


def test_the_service_is_modest_and_lets_the_engine_end_cleanly() -> None:
    """Only the wrapper gets the signal to end, and passes on the one after which every engine removes its lock."""
    made = units.of(plan(environment=(("BACKUP_TRAY_HOME", "/srv/my home/100%"),)))
    assert settings(made.service, "KillMode") == ["mixed"]
    assert settings(made.service, "KillSignal") == ["SIGINT"]
    assert settings(made.service, "Nice") == ["10"]
    assert settings(made.service, "IOSchedulingClass") == ["idle"]
    assert settings(made.service, "Environment") == ['"BACKUP_TRAY_HOME=/srv/my home/100%%"']
    assert settings(made.service, "ExecStart") == ['"/opt/my tray/backup-tray" backup --scheduled home']


def test_each_job_has_units_of_its_own() -> None:
    """Whatever a job is called, no other job has the same units, and systemd takes the name."""
    names = [units.name(job, kind) for job in (*NAMES, "check-home", ".check-home") for kind in (BACKUP, CHECK)]
    assert len(set(names)) == 2 * len(NAMES) + 4
    assert all(len(f"{name}.service".encode()) <= 255 for name in names)
    assert units.name("my-job") == "backup-tray-my-job"
    assert units.name("a b") == "backup-tray-a\\x20b"


def test_a_trial_has_units_beside_the_real_ones() -> None:
    """A trial with a job of the same name does not replace the timer of the real backup."""
    assert units.name("home", home="/tmp/a") != units.name("home", home="/tmp/b")
    assert "backup-tray-home" not in (units.name("home", home="/tmp/a"), units.name("home", home="/tmp/b"))


def test_an_edited_file_is_told_from_an_old_one() -> None:
    """The mark in the first line names the job, and shows whether the rest is as we wrote it."""
    text = units.of(plan('say "hi"')).timer
    assert units.owner(text) == ('say "hi"', BACKUP)
    assert units.owner(units.of(plan('say "hi"', kind=CHECK)).service) == ('say "hi"', CHECK)
    assert not units.edited(text)
    assert units.edited(text.replace("00:00:00", "12:00:00"))
    assert units.owner("[Timer]\nOnCalendar=daily\n") is None


def test_a_check_has_units_of_its_own() -> None:
    """Beside those of the backup, and called what they are."""
    made = units.of(plan(kind=CHECK))
    assert (made.name, settings(made.service, "Description")) == (
        "backup-tray.check-home",
        ["Check of home (Backup Tray)"],
    )
    assert settings(made.service, "ExecStart") == ['"/opt/my tray/backup-tray" check --scheduled home']


@pytest.mark.process
@pytest.mark.parametrize("kind", [BACKUP, CHECK])
@pytest.mark.parametrize("job", NAMES)
def test_systemd_reads_the_units_and_the_command_arrives_word_by_word(job: str, kind: str, tmp_path: Path) -> None:
    """`systemd-analyze verify` finds nothing, and its reading of ExecStart has the name as it is."""
    program = tmp_path / "my tray"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    environment = (("BACKUP_TRAY_HOME", "/srv/a b%"),)
    made = units.of(Plan(job, parse("daily"), (str(program),), environment=environment, kind=kind))
    for path, text in made.files(tmp_path).items():
        path.write_text(text)
    files = [str(path) for path in made.files(tmp_path)]
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *files], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), shlex.join(files)
