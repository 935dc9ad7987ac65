"""The tray where no StatusNotifierItem panel is: an older tray (XEmbed), no tray at all, no bus, no desktop."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.desktop import Desktop
from tests.e2e.program import tray
from tests.e2e.trays import GREY, RED, pixels, record, tray_desktop, windows_of
from tests.waiting import wait_for


@pytest.fixture
def older(tmp_path: Path) -> Iterator[Desktop]:
    """A desktop whose tray knows XEmbed only."""
    with tray_desktop(tmp_path, "trayer") as made:
        yield made


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Desktop]:
    """A desktop without any tray, like plain GNOME."""
    with tray_desktop(tmp_path, "none") as made:
        yield made


def notifications(desk: Desktop) -> list[tuple[str, str]]:
    """Return summary and body of the notifications that dunst shows."""
    subprocess.run(["dunstctl", "close-all"], env=desk.env, check=True, timeout=60)
    shown = subprocess.run(["dunstctl", "history"], env=desk.env, capture_output=True, check=True, timeout=60).stdout
    return [(entry["summary"]["data"], entry["body"]["data"]) for entry in json.loads(shown)["data"][0]]


def embedded(desk: Desktop, colour: tuple[int, int, int], pictures: Path) -> None:
    """Wait until the icon is drawn in the older tray."""
    wait_for(lambda: pixels(desk.corner(pictures / "corner.png"), colour) >= 30, what="the icon in the older tray")


@pytest.mark.parametrize("bus", [True, False], ids=["with a bus", "without a bus"])
def test_an_older_tray_shows_icon_and_tooltip(older: Desktop, tmp_path: Path, bus: bool) -> None:
    """XEmbed through GTK: the same icon, with the hover text that pystray's backend lacks, and no temporary file."""
    record("home", "failed", reason="Disk full.")
    process = older.tray(
        env={} if bus else {"DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent", "XDG_RUNTIME_DIR": ""}
    )
    embedded(older, RED, tmp_path)
    assert older.hover()[2] > 100
    assert {title for title, _ in notifications(older)} <= {"home: backup failed"}
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    assert os.listdir(tmp_path / "tmp") == []
    assert "Traceback" not in older.log("tray")


def test_the_older_tray_follows_a_run(older: Desktop, tmp_path: Path) -> None:
    """The icon is redrawn and the menu comes up; a left click opens the Dashboard."""
    process = older.tray()
    embedded(older, GREY, tmp_path)
    record("home", "failed")
    embedded(older, RED, tmp_path)
    before = older.screenshot(tmp_path / "before.png")
    older.click(3)
    wait_for(lambda: older.screenshot(tmp_path / "menu.png").tobytes() != before.tobytes(), what="the menu")
    older.xdotool("key", "Escape")
    older.away()
    older.click(1)
    wait_for(lambda: windows_of(process) == ["dashboard"], what="the window's process")
    process.send_signal(signal.SIGKILL)
    process.wait(60)
    assert [name for name in os.listdir(tmp_path / "tmp") if name.endswith(".png") or "tmp" in name] == []


def test_without_a_tray_the_dashboard_opens_and_one_notification_says_so(bare: Desktop) -> None:
    """The window and one notification replace the icon; a panel with a tray that starts later gets the icon."""
    process = bare.tray()
    wait_for(lambda: windows_of(process) == ["dashboard"], what="the Dashboard")
    wait_for(lambda: bare.titles("Backup"), what="the window on the screen")
    shown = wait_for(lambda: notifications(bare), what="the notification")
    assert [summary for summary, _ in shown] == ["Backup Status has no tray"]
    assert "backup-tray doctor" in shown[0][1]
    bare.host = "xfce"
    bare.start_panel()
    assert "No backups performed" in bare.tooltip(bare.item())


def test_without_a_desktop_the_terminal_is_named(tmp_path: Path) -> None:
    """Over ssh `backup-tray` names the command for a terminal, and does not pretend to run."""
    keep = {
        name: value for name, value in os.environ.items() if not name.startswith(("DISPLAY", "WAYLAND", "DBUS", "XDG"))
    }
    done = tray("tray", env=keep | {"DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent"})
    assert done.returncode == 3
    assert "The icon cannot be shown here." in done.stderr
    assert "backup-tray status --watch" in done.stderr
    assert "Traceback" not in done.stderr
