"""The icon after the next login: the session ends, a new one begins, and the installed entry brings the icon back."""

import os
import signal
from pathlib import Path

from tests.e2e.conftest import Installed
from tests.e2e.desktop import Desktop, desktop
from tests.waiting import wait_for
from tray import ipc
from tray.core import locks
from tray.core.paths import HOME_VARIABLE, places


def start_entry(desk: Desktop, entry: Path, home: Path) -> int:
    """Start the autostart entry with `gio`, which reads it as a session does; return the icon's process."""
    started = desk.run("gio", "launch", str(entry), log="gio", env={"BACKUP_TRAY_HOME": str(home)})
    assert started.wait(60) == 0, desk.log("gio")
    bus = "org.freedesktop.DBus"
    owner = desk.call(bus, "/org/freedesktop/DBus", bus, "GetConnectionUnixProcessID", "s", desk.item())
    assert owner is not None
    return int(owner[0])


def end(pid: int) -> None:
    """End a process that we started, and wait until it is gone."""
    start = locks.process_start(pid)
    if start is not None:
        os.kill(pid, signal.SIGTERM)
    wait_for(lambda: locks.process_start(pid) != start, what=f"the end of process {pid}")


def end_tracker(home: Path) -> None:
    """End the tracker that the icon started."""
    client = ipc.Client(places({HOME_VARIABLE: str(home)}), "cli", timeout=5.0)
    client.close()
    end(client.tracker["pid"])


def test_the_icon_comes_back_with_the_next_session(installed: Installed, tmp_path: Path) -> None:
    """Logging out ends the icon; the next login starts it again, without any action of the user."""
    home = tmp_path / "state"
    with desktop(tmp_path / "first") as desk:
        first = start_entry(desk, installed.autostart, home)
        born = locks.process_start(first)
        assert f"{installed.prefix}/venv/bin/python".encode() in Path(f"/proc/{first}/cmdline").read_bytes()
        assert desk.tooltip(desk.item())
    wait_for(lambda: locks.process_start(first) != born, what="the end of the icon with its session")
    with desktop(tmp_path / "second") as desk:
        second = start_entry(desk, installed.autostart, home)
        try:
            assert (first, born) != (second, locks.process_start(second))
            wait_for(lambda: "No backup" in desk.tooltip(desk.item()), what="the status in the tooltip")
            assert "Open Dashboard" in desk.menu(desk.item())
        finally:
            end(second)
            end_tracker(home)
