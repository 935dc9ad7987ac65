import os
import pwd
import socket
import sys
from pathlib import Path

import pytest

from tray.core import paths
from tray.core.errors import UnsafeFolderError


def test_a_trial_has_everything_under_one_folder(tmp_path: Path) -> None:
    """BACKUP_TRAY_HOME: a trial never mixes with real records, not even in the last resort."""
    here = paths.places({paths.HOME_VARIABLE: str(tmp_path)})
    other = paths.places({paths.HOME_VARIABLE: str(tmp_path / "other")})
    assert all(tmp_path in folder.parents for folder in (here.config, here.state, here.runtime, here.log))
    assert not set(here.spools) & set(other.spools)
    assert not set(here.run_roots) & set(other.run_roots)


def test_root_has_system_folders_whatever_its_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """sudo keeps HOME and XDG variables of the caller; root's files do not go there."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    here = paths.places({"HOME": "/home/joe", "XDG_STATE_HOME": "/home/joe/s", "XDG_CONFIG_DIRS": "/home/joe/c"})
    assert [str(folder) for folder in (here.config, here.state, here.runtime, here.log)] == [
        "/etc/xdg/backup-tray",
        "/var/lib/backup-tray",
        "/run/backup-tray",
        "/var/log/backup-tray",
    ]


def test_a_user_has_the_xdg_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An ordinary user's files are where other programs keep theirs."""
    uid = os.geteuid() or 12345
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "cfg"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    here = paths.places({})
    assert here.config == tmp_path / "cfg" / "backup-tray"
    assert here.state == tmp_path / ".local/state/backup-tray"
    assert here.runtime == tmp_path / "backup-tray"


@pytest.mark.parametrize("empty", ["", None])
def test_a_user_without_home_gets_the_folder_of_the_password_database(
    monkeypatch: pytest.MonkeyPatch, empty: str | None
) -> None:
    """cron and systemd may leave `HOME` out or empty; a user who has no entry either works below /var/tmp."""
    for variable in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(variable, raising=False)
    if empty is not None:
        monkeypatch.setenv("HOME", empty)
    monkeypatch.setattr(os, "geteuid", lambda: 65534)
    home = Path(pwd.getpwuid(65534).pw_dir)
    assert paths.places({}).state == home / ".local/state/backup-tray"
    monkeypatch.setattr(os, "geteuid", lambda: 54322)
    assert paths.places({}).state == Path("/var/tmp/backup-tray-54322/state")
    monkeypatch.setenv("HOME", "relative")
    assert "no home folder" in paths.places({}).makeshift


def test_a_runtime_folder_that_cannot_be_trusted_is_done_without(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A folder that another user has made, or none as for cron without a login, must not stop a backup."""
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    assert paths.places({}).runtime == tmp_path / ".local/state/backup-tray/runtime"
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr(paths, "_planted", lambda folder: folder)
    assert paths.places({}).runtime == tmp_path / ".local/state/backup-tray/runtime"


def test_private_folders_are_made_private_under_any_umask(tmp_path: Path) -> None:
    """Missing parents are ours alone as well."""
    before = os.umask(0)
    try:
        made = paths.private(tmp_path / "a" / "b" / "c")
    finally:
        os.umask(before)
    for folder in (made, made.parent, made.parent.parent):
        assert folder.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_is_not_ours_alone_is_refused(tmp_path: Path) -> None:
    """Others could read, or put something in our place."""
    wide = tmp_path / "wide"
    wide.mkdir()
    wide.chmod(0o750)
    link = tmp_path / "link"
    link.symlink_to(paths.private(tmp_path / "target"))
    file = tmp_path / "file"
    file.touch()
    for folder in (wide, link, file):
        with pytest.raises(UnsafeFolderError):
            paths.private(folder)


def test_assets_are_found_in_a_checkout() -> None:
    """The window's pages are there without an installation."""
    assert (paths.assets() / "web").is_dir()


@pytest.mark.skipif(sys.platform == "win32", reason="D-Bus is of Unix")
def test_the_session_bus_is_found_without_its_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Started outside a session's environment, the bus that systemd keeps is used; a plain file is not taken for one."""
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert paths.session_bus() is None
    with socket.socket(socket.AF_UNIX) as bus:
        bus.bind(str(tmp_path / "bus"))
        assert paths.session_bus() == f"unix:path={tmp_path}/bus"
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/x")
    assert paths.session_bus() == "unix:path=/x"
