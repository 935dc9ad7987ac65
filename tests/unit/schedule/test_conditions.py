"""Conditions of a scheduled start, asked from the real system as far as it can be had in a test."""

import os
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from tray.config.jobs import Job
from tray.recording import skips
from tray.schedule import conditions

CONDITIONS = ("power", "unmetered", "target")


@pytest.fixture
def listening() -> Iterator[int]:
    """The port of a server on this machine."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield server.getsockname()[1]


def network_manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    """A `busctl` that answers as NetworkManager would; "" for none."""
    program = tmp_path / "busctl"
    program.write_text(f"#!/bin/sh\necho '{answer}'\n[ -n '{answer}' ]\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")


@pytest.mark.parametrize(
    ("battery", "mains"),
    [(None, True), (SimpleNamespace(power_plugged=None), True), (SimpleNamespace(power_plugged=False), False)],
)
def test_only_a_machine_that_is_known_to_run_on_battery_is_on_battery(
    monkeypatch: pytest.MonkeyPatch, battery: object, mains: bool
) -> None:
    """A desktop has no battery, and an unknown state does not stop backups for ever."""
    monkeypatch.setattr(psutil, "sensors_battery", lambda: battery)
    assert conditions.on_mains() is mains
    held = conditions.unmet(Job("home", command=("true",), conditions=("power",)))
    assert (held is None) is mains
    assert held is None or held.reason == skips.ON_BATTERY


@pytest.mark.process
@pytest.mark.parametrize(
    ("answer", "metered"), [("u 1", True), ("u 3", True), ("u 2", False), ("u 4", False), ("", False)]
)
def test_the_network_is_metered_if_networkmanager_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, metered: bool
) -> None:
    """Its guesses count; without NetworkManager it is not known, and the backup starts."""
    network_manager(tmp_path, monkeypatch, answer)
    assert conditions.metered() is metered
    held = conditions.unmet(Job("home", command=("true",), conditions=("unmetered",)))
    assert (held is not None and held.reason == skips.METERED) is metered


@pytest.mark.process
def test_a_mount_point_without_its_disk_is_no_target(tmp_path: Path) -> None:
    """The folder is there and empty: restic would say that it is no repository, after the user's patience is gone."""
    job = Job("home", sources=("/home",), repository=str(tmp_path), conditions=("target",))
    held = conditions.unmet(job)
    assert held is not None
    assert (held.reason, str(tmp_path) in held.why) == (skips.TARGET_AWAY, True)
    (tmp_path / "config").touch()
    assert conditions.unmet(job) is None


@pytest.mark.process
@pytest.mark.parametrize(
    ("command", "repository"),
    [
        (("restic", "-r", "/srv/backup", "backup", "/home"), "/srv/backup"),
        (("borg", "create", "/srv/borg::{now}", "/home"), "/srv/borg"),
        (("nightly.sh",), None),
    ],
)
def test_the_target_of_a_command_is_read_from_it(command: tuple[str, ...], repository: str | None) -> None:
    """A job need not name its repository beside its command."""
    job = Job("home", None, command=command, conditions=("target",))
    assert conditions.target(job)[1] == repository
    assert (conditions.unmet(job) is None) is (repository is None)


@pytest.mark.process
@pytest.mark.parametrize(
    "address",
    [
        "rest:http://127.0.0.1:{}/",
        "s3:http://127.0.0.1:{}/bucket",
        "sftp://me@127.0.0.1:{}//srv",
        "ssh://127.0.0.1:{}/srv",
    ],
)
def test_a_server_is_a_target_if_it_takes_a_connection(listening: int, address: str) -> None:
    """The port comes from the address."""
    assert conditions.reachable(address.format(listening), "restic")


@pytest.mark.process
@pytest.mark.parametrize(
    "address", ["sftp:backup-host:/srv", "sftp://ann@backup-host//srv", "ssh://backup-host/./r", "ann@backup-host:r"]
)
def test_a_host_that_only_ssh_knows_is_asked_for_where_ssh_connects_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listening: int, address: str
) -> None:
    """A name of ~/.ssh/config is no name of a network, and a host behind another one cannot be reached from here."""
    program = tmp_path / "ssh"
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    for port, more, there in ((listening, "", True), (1, "", False), (1, "proxyjump gate", True)):
        answer = f"user ann\\nhostname 127.0.0.1\\nport {port}\\n{more}\\n"
        program.write_text(f"#!/bin/sh\n[ \"$1\" = -G ] && printf '{answer}'\n")
        program.chmod(0o755)
        assert conditions.reachable(address, "restic") is there


def test_a_job_with_an_ssh_command_of_its_own_is_started() -> None:
    """Only that command knows the way; the name of the host is none of a network."""
    for option in ("--option=sftp.command=ssh -p 2222 x", "-osftp.args=-p 2222"):
        to = "sftp:no-such-host.invalid:/srv"
        job = Job("home", "restic", ("/home",), to, options=(option,), conditions=("target",))
        assert conditions.unmet(job) is None


def test_a_server_that_is_away_is_no_target() -> None:
    """Its port is closed."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
    assert not conditions.reachable(f"rest:http://127.0.0.1:{port}/", "restic")


@pytest.mark.parametrize(
    "address", ["b2:bucket:path", "rclone:remote:path", "azure:box:/", "rest:http://[bad", "relative/path"]
)
def test_a_target_that_cannot_be_asked_counts_as_there(address: str) -> None:
    """The engine says by itself if it is not."""
    assert conditions.reachable(address, "restic")


@pytest.mark.process
def test_a_disk_that_hangs_is_away_after_a_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lost network disk answers no question; the run does not hang with it."""
    (tmp_path / "test").symlink_to("/usr/bin/yes")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(conditions, "LIMIT_SECONDS", 0.2)
    monkeypatch.setattr(conditions.subprocess, "Popen", _quiet(conditions.subprocess.Popen))
    assert not conditions.reachable("/srv/backup", "rsync")


def _quiet(popen: object) -> object:
    return lambda argv, **options: popen(argv, stdout=-3, **options)  # type: ignore[operator] # -3: the null device


def test_the_reason_of_a_skip_holds_no_password() -> None:
    """It goes to stderr, and so into systemd's journal."""
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"rest:http://joe:hunter2@127.0.0.1:{port}/x"
    unmet = conditions.unmet(Job("home", "restic", ("/etc",), address, conditions=("target",)))
    assert unmet is not None
    assert unmet.why == f"The target rest:http://joe:***@127.0.0.1:{port}/x is not there."
