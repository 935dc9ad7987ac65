"""The doctor looks at targets, secrets and the clock: what is wrong is named with its remedy, what is well is not."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.audit.help import end, writer
from tray.config import saving
from tray.config.jobs import Job
from tray.core import clock
from tray.core.clock import DAY_MS
from tray.core.model import RepositoryState
from tray.core.paths import Places
from tray.doctor import Check, Level, installation, targets, wall_clock
from tray.repository import after, cache
from tray.repository.cache import Entry, Room

NOW = clock.now_ms()
GB = 1_000_000_000
NASTY = "<script>alert('x')</script>"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A folder that restic would take for its repository."""
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "config").write_text("x")
    return folder


def configured(places: Places, repository: str, name: str = "home", **more: object) -> Job:
    """Make a job of restic."""
    job = Job(name, sources=("/home",), repository=repository, **more)  # type: ignore[arg-type]
    saving.save_job(places, job)
    return job


def measured(places: Places, folder: Path, free: list[float]) -> None:
    """Keep one measurement a day, the last of yesterday."""
    rooms = tuple(Room(NOW - (len(free) - day) * DAY_MS, int(left * GB), 500 * GB) for day, left in enumerate(free))
    cache.write(
        places, Entry(RepositoryState(str(folder), "restic", NOW), folder=str(folder), used_ms=NOW, rooms=rooms)
    )


def disk(monkeypatch: pytest.MonkeyPatch, free: float, total: float = 500) -> None:
    """Let every disk have so much room."""
    monkeypatch.setattr(after, "room", lambda _, now_ms: Room(now_ms, int(free * GB), int(total * GB)))


def test_a_target_with_room_is_well_and_its_trend_is_told(
    places: Places, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No warning while there is time enough."""
    configured(places, str(repository))
    disk(monkeypatch, 100)
    (check,) = targets.targets(places)
    assert (check.level, check.remedy) == (Level.OK, "")
    assert check.what == f"{repository} (home): 100 GB of 500 GB are free."
    measured(places, repository, [120, 118, 116, 114, 112, 110, 108, 106, 104, 102])
    (check,) = targets.targets(places)
    assert check.level is Level.OK
    assert check.what.endswith("are free; full in about 50 days if it goes on so.")


@pytest.mark.parametrize(("free", "total"), [(4, 500), (0.04, 1)])
def test_a_target_that_is_nearly_full_is_named_with_a_command(
    places: Places, repository: Path, monkeypatch: pytest.MonkeyPatch, free: float, total: float
) -> None:
    """Before a backup fails for it."""
    configured(places, str(repository))
    disk(monkeypatch, free, total)
    (check,) = targets.targets(places)
    assert check.level is Level.WARN
    assert check.remedy.startswith(f"df -h {repository} ")


@pytest.mark.parametrize(("free", "total"), [(40, 1000), (200, 4000), (0.06, 1)])
def test_a_large_disk_with_a_small_share_left_is_no_alarm(
    places: Places, repository: Path, monkeypatch: pytest.MonkeyPatch, free: float, total: float
) -> None:
    """Forty gigabytes are room for months."""
    configured(places, str(repository))
    disk(monkeypatch, free, total)
    (check,) = targets.targets(places)
    assert check.level is Level.OK


def test_a_disk_that_will_be_full_within_days_is_a_warning(
    places: Places, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although there is much room now."""
    configured(places, str(repository))
    measured(places, repository, [200, 180, 160, 140, 120, 100, 80, 60])
    disk(monkeypatch, 40)
    (check,) = targets.targets(places)
    assert check.level is Level.WARN
    assert "full in about 2 days" in check.what


def test_a_drive_that_is_not_connected_is_noted_and_no_fault(places: Places, tmp_path: Path) -> None:
    """Many are there only for their backup. A job that is off needs none, and a name with tags or quotes is shown as it is."""
    folder = tmp_path / "away" / "repository"
    cache.write(
        places, Entry(RepositoryState(str(folder), "restic", NOW), folder=str(folder), used_ms=NOW - 3 * DAY_MS)
    )
    assert list(targets.targets(places)) == []
    configured(places, str(folder), NASTY)
    (check,) = targets.targets(places)
    assert (check.level, check.fine) == (Level.NOTE, True)
    assert f"{folder} ({NASTY}) is not there now" in check.what
    assert check.what.endswith("; it was last used 3 days ago.")
    assert """backup-tray jobs edit '<script>alert('"'"'x'"'"')</script>' --repository PLACE""" in check.remedy
    saving.change(places, lambda text: saving.with_keys(text, NASTY, {"off_until": "2099-01-01"}))
    assert list(targets.targets(places)) == []


@pytest.fixture
def server() -> Iterator[socket.socket]:
    """A server that takes connections."""
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


def test_a_server_is_asked_and_its_password_is_not_shown(places: Places, server: socket.socket) -> None:
    """Whether it takes a connection; its disk is not known here."""
    port = server.getsockname()[1]
    configured(places, f"rest:http://ann:hunter2@127.0.0.1:{port}/")
    (check,) = targets.targets(places)
    assert check.level is Level.OK
    server.close()
    (gone,) = targets.targets(places)
    assert gone.level is Level.NOTE
    assert "does not answer now" in gone.what
    assert "hunter2" not in check.what + gone.what + gone.remedy


def test_of_a_place_that_only_the_engine_can_reach_nothing_is_claimed(places: Places) -> None:
    """Neither that it is there nor that it is away."""
    configured(places, "rclone:cloud:backup")
    (check,) = targets.targets(places)
    assert (check.level, check.fine) == (Level.NOTE, True)
    assert check.what == "Whether rclone:cloud:backup (home) is there is known to restic only."


# -- the clock


def timedatectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    """Let timedatectl say these lines."""
    program = tmp_path / "bin" / "timedatectl"
    program.parent.mkdir(exist_ok=True)
    program.write_text("#!/bin/sh\n" + "".join(f"echo {line}\n" for line in lines))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")


def recorded(places: Places, monkeypatch: pytest.MonkeyPatch, ahead_ms: int) -> None:
    """Put an entry on record while the clock was so far ahead."""
    with monkeypatch.context() as patch:
        patch.setattr(clock, "now_ms", lambda: NOW + ahead_ms)
        with writer(places) as log:
            log.append([end()])


@pytest.mark.process
def test_a_clock_that_contradicts_nothing_is_well(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also without systemd, in a container, and right after a run."""
    recorded(places, monkeypatch, 0)
    timedatectl(tmp_path, monkeypatch, "CanNTP=no", "NTP=no", "NTPSynchronized=no")
    assert wall_clock.wall_clock(places).level is Level.OK
    timedatectl(tmp_path, monkeypatch, "CanNTP=yes", "NTP=yes", "NTPSynchronized=yes")
    assert wall_clock.wall_clock(places) == Check("clock", Level.OK, "It is synchronised with a time server.")
    timedatectl(tmp_path, monkeypatch, "CanNTP=yes", "NTP=no", "NTPSynchronized=no")
    check = wall_clock.wall_clock(places)
    assert (check.level, check.remedy) == (Level.NOTE, "sudo timedatectl set-ntp true")


@pytest.mark.process
def test_a_clock_behind_the_newest_entry_is_named_with_the_proof(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A battery that is empty, for one; where a time server has set the clock, it is the entry that is wrong."""
    recorded(places, monkeypatch, 3 * DAY_MS)
    timedatectl(tmp_path, monkeypatch, "CanNTP=yes", "NTP=no", "NTPSynchronized=no")
    check = wall_clock.wall_clock(places)
    moment = f"{clock.local(NOW + 3 * DAY_MS):%Y-%m-%d %H:%M}"
    assert (check.level, check.remedy) == (Level.WARN, "sudo timedatectl set-ntp true")
    assert f"the newest entry of the audit log is of {moment}: it is behind now, or was ahead then" in check.what
    timedatectl(tmp_path, monkeypatch, "CanNTP=yes", "NTP=yes", "NTPSynchronized=no")
    assert wall_clock.wall_clock(places).remedy.startswith("timedatectl timesync-status")
    timedatectl(tmp_path, monkeypatch, "CanNTP=yes", "NTP=yes", "NTPSynchronized=yes")
    check = wall_clock.wall_clock(places)
    assert (check.level, check.fine) == (Level.NOTE, True)
    assert "the clock was ahead then" in check.what


@pytest.mark.process
def test_the_times_of_files_tell_too(places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file in which systemd-timesyncd keeps the last time that it knew, for one."""
    file = tmp_path / "clock"
    file.write_text("")
    os.utime(file, (NOW / 1000 + 86_400, NOW / 1000 + 86_400))
    monkeypatch.setattr(wall_clock, "_SYSTEM_FILES", {str(file): "the last known time"})
    timedatectl(tmp_path, monkeypatch, "exit 1")
    check = wall_clock.wall_clock(places)
    assert check.level is Level.WARN
    assert f"the last known time ({file})" in check.what
    assert check.remedy


# -- secrets and programs


def answers(places: Places) -> list[Check]:
    """The answers about the configuration, without the line that lists the jobs."""
    return list(installation.configuration(places))[1:]


def test_a_password_file_is_there_not_empty_and_for_this_user_alone(
    places: Places, tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each fault has the command that mends it; a healthy file is not spoken of."""
    file = tmp_path / "secret 'x'"
    monkeypatch.setattr(installation.shutil, "which", lambda name: f"/usr/bin/{name}")
    configured(places, str(repository), password_file=str(file))
    (gone,) = answers(places)
    assert (gone.level, "No such file" in gone.what) == (Level.BAD, True)
    assert gone.remedy.endswith("backup-tray jobs edit home --password-file FILE")
    file.write_text("secret\n")
    file.chmod(0o600)
    assert answers(places) == []
    file.chmod(0o640)
    (readable,) = answers(places)
    assert (readable.level, readable.remedy) == (Level.WARN, f"chmod 600 '{tmp_path}/secret '\"'\"'x'\"'\"''")
    file.chmod(0o600)
    file.write_text("")
    (empty,) = answers(places)
    assert (empty.level, "is empty" in empty.what) == (Level.BAD, True)


def test_a_program_that_is_missing_is_named_with_its_package(
    places: Places, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package of borg has another name than its program."""
    monkeypatch.setattr(installation.shutil, "which", lambda _: None)
    saving.save_job(places, Job("home", "borg", sources=("/home",), repository=str(repository)))
    saving.save_job(places, Job("own", None, command=("pg_backup",)))
    saving.save_job(places, Job("asked", sources=("/a",), repository=str(repository), password_command=("pass", "x")))
    borg, own, restic, password = answers(places)
    assert borg.remedy == "sudo apt install borgbackup"
    assert own.remedy.endswith("backup-tray jobs edit own --command COMMAND")
    assert restic.remedy == "sudo apt install restic"
    assert "pass, is not there" in password.what
    for name in ("home", "own", "asked"):
        saving.change(places, lambda text, name=name: saving.with_keys(text, name, {"enabled": False}))
    assert answers(places) == []
