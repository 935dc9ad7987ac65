"""The installer's part that sets up the system-wide service, in mounts of its own: the test changes nothing on this machine."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.e2e.conftest import CHECKOUT
from tests.mounts import unshare

SERVICE = CHECKOUT / "installers/linux/service.sh"
ROOT = [] if os.geteuid() == 0 else ["sudo", "-n"]
_PRIVATE = """
cp -a /etc "$1/etc" 2>/dev/null || cp -aT /etc "$1/etc"  # another test may be changing accounts
rm -f "$1"/etc/*.lock
mount --bind "$1/etc" /etc
mount -t tmpfs tmpfs /usr/local
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /usr/local/bin
printf '#!/bin/sh\\n' >/usr/local/bin/backup-tray
chmod 755 /usr/local/bin/backup-tray
service() { "$2/service.sh" "$@"; }
"""


def private(tmp_path: Path, script: str) -> str:
    """Run *script* as root, with a copy of /etc, an installed command and a system without systemd; return its output."""
    scripts = tmp_path / "scripts"
    shutil.copytree(SERVICE.parent, scripts)
    body = _PRIVATE.replace('"$2/service.sh" "$@"', f'"{scripts}/service.sh" "$@"') + script
    done = subprocess.run(
        [*ROOT, *unshare(), "sh", "-ec", body, "sh", tmp_path, scripts],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    subprocess.run([*ROOT, "rm", "-rf", tmp_path / "etc"], check=True)
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    """systemd accepts the unit; where systemd does not run, the installer names the command that starts the service."""
    said = private(
        tmp_path,
        "service install; systemd-analyze verify /etc/systemd/system/backup-tray.service; cat /etc/systemd/system/b*",
    )
    assert "Start it by hand: /usr/local/bin/backup-tray system" in said
    assert "ExecStart=/usr/local/bin/backup-tray system --group backup-tray" in said
    for word in ("Unknown", "Failed", "ignoring"):
        assert word not in said


def test_the_folder_is_there_before_the_service_and_only_for_the_group(tmp_path: Path) -> None:
    """The folder exists before the service runs, so the members' trays notice a service that does not run."""
    said = private(
        tmp_path,
        "service install; systemd-tmpfiles --create /etc/tmpfiles.d/backup-tray.conf; stat -c '%A %U:%G' /run/backup-tray-view",
    )
    assert "drwxr-x--- root:backup-tray" in said


def test_a_second_call_changes_nothing_and_users_read_how_to_join(tmp_path: Path) -> None:
    """Until the user who called sudo is in the group, the installer prints the command that adds this user to it."""
    said = private(
        tmp_path,
        "export SUDO_USER=nobody; service install; cksum /etc/systemd/system/b* >/run/a; getent group backup-tray\n"
        "usermod -aG backup-tray nobody; echo now; service install; cksum /etc/systemd/system/b* | cmp - /run/a",
    )
    before, after = said.split("now\n")
    assert "usermod -aG backup-tray nobody" in before
    assert "usermod" not in after


@pytest.mark.parametrize(("member", "stays"), [("nobody", True), ("", False)])
def test_it_is_taken_away_whole(tmp_path: Path, member: str, stays: bool) -> None:
    """The uninstaller removes all but a group that has members, and says so."""
    said = private(
        tmp_path,
        f"service install; [ -z '{member}' ] || usermod -aG backup-tray {member}; mkdir /run/backup-tray-view\n"
        "service remove; find /etc/systemd /etc/tmpfiles.d /run -name 'backup-tray*'; getent group backup-tray || echo no group",
    )
    assert "/etc/" not in said.split("(and log in again)")[1]
    assert "/run/backup-tray-view" not in said
    assert ("stays, since it has members: nobody" in said, "no group" in said) == (stays, not stays)


def test_a_unit_of_another_program_is_left_alone(tmp_path: Path) -> None:
    """The installer does not overwrite, and the uninstaller does not remove, a service of this name that is not ours."""
    said = private(
        tmp_path,
        "echo mine >/etc/systemd/system/backup-tray.service; service install || echo code $?\n"
        "service remove; cat /etc/systemd/system/backup-tray.service",
    )
    assert "code 73" in said
    assert said.endswith("mine\n")


def test_only_root_can_set_it_up() -> None:
    """An ordinary user reads the command for root, and the script changes nothing."""
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are closed to others
        Path(folder).chmod(0o755)
        copy = shutil.copytree(SERVICE.parent, Path(folder) / "scripts")
        done = subprocess.run([*nobody, copy / "service.sh", "install"], capture_output=True, text=True, check=False)
    assert (done.returncode, "sudo" in done.stderr) == (77, True), done.stderr
