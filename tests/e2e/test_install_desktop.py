"""The trial on a desktop: icon and window beside a real backup, and a clear error where one of them cannot be shown."""

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Installed
from tests.e2e.desktop import Desktop, desktop
from tests.waiting import wait_for

SCREEN = ("DISPLAY", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR", "XDG_SESSION_TYPE", "GDK_BACKEND", "NO_AT_BRIDGE")


def on(desk: Desktop) -> dict[str, str]:
    """Return the variables that tell a program about the screen."""
    return {name: desk.env[name] for name in SCREEN}


@pytest.fixture
def copy(installed: Installed) -> Iterator[Installed]:
    """An installation of its own, in a home whose path is as short as homes are: sockets take 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="bt") as folder:
        yield installed.copied(Path(folder) / "home")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A small folder to back up."""
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "letter.txt").write_text("dear reader\n")
    return folder


def test_the_trial_shows_icon_and_window_and_the_uninstaller_ends_them(
    copy: Installed, tmp_path: Path, source: Path
) -> None:
    """One command shows icon, tooltip and Dashboard of a real backup; uninstalling leaves no process running."""
    with desktop(tmp_path / "desk") as desk:
        done = copy.run(copy.scripts / "start.sh", "--user", source, **on(desk))
        try:
            assert done.returncode == 0, done.stdout + done.stderr
            wait_for(lambda: "Your backup is fine" in desk.tooltip(desk.item()), what="the outcome in the tooltip")
            assert any(width > 400 and height > 300 for _, _, _, width, height in desk.windows())
            assert "stays until you choose Quit" in done.stdout
            again = copy.run(copy.scripts / "start.sh", "--user", source, **on(desk))
            assert again.returncode == 0, again.stdout + again.stderr
            assert len(desk.items()) == 1
        finally:
            removed = copy.run(copy.prefix / "uninstall.sh")
        assert removed.returncode == 0, removed.stderr
        wait_for(lambda: desk.items() == [], what="the end of the icon")
        wait_for(lambda: processes(copy) == [], what="the end of every process of the program")


def test_a_screen_without_a_place_for_the_icon_fails_with_the_remedy(
    copy: Installed, tmp_path: Path, source: Path
) -> None:
    """On plain GNOME the trial makes the backup, shows it in the window, and names the missing extension for the icon."""
    with desktop(tmp_path / "desk", "none") as desk:
        try:
            done = copy.run(copy.scripts / "start.sh", "--user", source, XDG_CURRENT_DESKTOP="GNOME", **on(desk))
            assert done.returncode == 70, done.stdout + done.stderr
            assert "trial: succeeded" in done.stdout
            assert "not shown: The icon" in done.stderr
            assert "gnome-shell-extension-appindicator" in done.stderr
        finally:
            assert copy.run(copy.prefix / "uninstall.sh").returncode == 0
        wait_for(lambda: processes(copy) == [], what="the end of every process of the program")


def test_an_upgrade_replaces_icon_and_tracker_and_nothing_that_hangs_survives(copy: Installed, tmp_path: Path) -> None:
    """Calling the installer again starts the new program, also where the old one hangs; the uninstaller ends both."""
    with desktop(tmp_path / "desk") as desk:
        home = {"BACKUP_TRAY_HOME": str(copy.home / "bt")}
        try:
            started = subprocess.Popen(
                [copy.launcher, "tray"], env=copy.environ | on(desk) | home, cwd="/", stderr=subprocess.DEVNULL
            )
            desk.item()
            before = wait_for(
                lambda: len(running := pids(copy, "tray", "tracker")) == 2 and running, what="tray and tracker"
            )
            os.kill(before["tracker"], signal.SIGSTOP)
            os.kill(before["tray"], signal.SIGSTOP)
            with (copy.checkout / "README.md").open("a") as file:
                file.write("\n")
            done = copy.run(copy.scripts / "install.sh", "--user")
            assert done.returncode == 0, done.stdout + done.stderr
            assert "replaced by the new program" in done.stdout
            assert started.wait(60) == -signal.SIGKILL
            after = wait_for(
                lambda: len(running := pids(copy, "tray", "tracker")) == 2 and running, what="the new ones"
            )
            assert not set(before.values()) & set(after.values())
            wait_for(lambda: len(desk.items()) == 1, what="the icon of the new program")
            environ = Path(f"/proc/{after['tray']}/environ").read_bytes().split(b"\0")
            assert f"BACKUP_TRAY_HOME={home['BACKUP_TRAY_HOME']}".encode() in environ
            for pid in after.values():
                os.kill(pid, signal.SIGSTOP)
        finally:
            removed = copy.run(copy.prefix / "uninstall.sh")
        assert (removed.returncode, removed.stderr) == (0, "")
        assert processes(copy) == []


def test_a_sender_that_waits_for_a_retry_ends_with_the_program(copy: Installed) -> None:
    """Its files are gone after uninstalling, and an upgrade must not leave the old program at work."""
    home = copy.home / "bt"
    (home / "config").mkdir(parents=True, mode=0o700)
    home.chmod(0o700)
    (home / "config/config.toml").write_text('[channels.hook]\ntype = "webhook"\nurl = "http://127.0.0.1:9/"\n')
    run = copy.run(copy.launcher, "run", "--", "false", BACKUP_TRAY_HOME=str(home))
    assert run.returncode == 1
    try:
        before = wait_for(lambda: pids(copy, "tray.notify.sender"), what="the sender")
        with (copy.checkout / "README.md").open("a") as file:
            file.write("\n")
        done = copy.run(copy.scripts / "install.sh", "--user")
        assert done.returncode == 0, done.stdout + done.stderr
        assert pids(copy, "tray.notify.sender") != before
    finally:
        removed = copy.run(copy.prefix / "uninstall.sh")
    assert (removed.returncode, removed.stderr) == (0, "")
    assert processes(copy) == []


def pids(copy: Installed, *verbs: str) -> dict[str, int]:
    """Return the processes of this installation that run these commands."""
    running = {}
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = file.read_bytes().decode(errors="replace").split("\0")
            if words[0].startswith(f"{copy.prefix}/venv/bin/python"):
                running |= {verb: int(file.parent.name) for verb in verbs if verb in words}
    return running


def processes(copy: Installed) -> list[bytes]:
    """Return the command lines of processes that run this installation."""
    commands = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = file.read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0].startswith(f"{copy.prefix}/venv/bin/python".encode()):
            commands.append(b" ".join(words))
    return commands
