"""The tray when the audit log was tampered with: icon, tooltip, menu and notices on a real desktop."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.desktop import Desktop
from tests.e2e.notification_servers import a_minute_passes
from tests.e2e.program import tray
from tests.e2e.trays import RED, pixels, record, tray_desktop, windows_of
from tests.unit.audit.help import entry_bytes, tamper
from tests.waiting import wait_for
from tray.audit.store import AuditLog
from tray.core.paths import Places

DEAF = """
import asyncio
from dbus_fast.aio import MessageBus
async def main():
    bus = await MessageBus().connect()
    print("owned", (await bus.request_name("org.freedesktop.Notifications")).name, flush=True)
    await bus.wait_for_disconnect()
asyncio.run(main())
"""
"""Owns the bus name of the notification service, but has none of its methods."""

NOTICE = "The history of your backups was changed"
LINE = "Audit log: TAMPERED at entry 3 (altered)"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desktop]:
    """A desktop with a panel."""
    with tray_desktop(tmp_path, "xfce") as made:
        yield made


def displayed(desk: Desktop) -> list[tuple[str, str]]:
    """Return title and text of the notices that dunst shows; it tells only of those that it has closed, so they are closed."""
    closed = subprocess.run(["dunstctl", "close-all"], env=desk.env, capture_output=True, timeout=60)
    assert closed.returncode == 0
    history = subprocess.run(["dunstctl", "history"], env=desk.env, capture_output=True, text=True, timeout=60).stdout
    return [(item["summary"]["data"], item["body"]["data"]) for item in json.loads(history)["data"][0]]


def altered(places: Places) -> None:
    """Turn a failure into a success in the database, as an attacker with SQL would."""
    record("home", "failed")
    raw = entry_bytes(places, 3).replace(b'"result":"failed"', b'"result":"succeeded"')
    tamper(places, ("UPDATE entries SET entry = ? WHERE seq = 3", (raw,)))


def test_a_breach_alarms_until_it_is_acknowledged(desk: Desktop, places: Places, tmp_path: Path) -> None:
    """Icon, tooltip, menu and a notice show the breach at each start of the tray until the user acknowledges it."""
    altered(places)
    process = desk.tray()
    item = desk.item()
    text = wait_for(lambda: "TAMPERED" in (shown := desk.tooltip(item)) and shown, what="the breach in the tooltip")
    assert text == f"{LINE}\nthe history of your backups cannot be trusted"
    wait_for(lambda: pixels(desk.corner(tmp_path / "corner.png"), RED) >= 60, what="the red shield")
    shown = wait_for(lambda: [body for title, body in displayed(desk) if title == NOTICE], what="the notice")
    with AuditLog.read(places.audit_db) as log:
        assert shown[0].split("\n")[-1].startswith(f"audit log {log.entry(0).data['log'].split('/')[1][:8]}, ")
    desk.choose(item, LINE)
    wait_for(lambda: "audit" in windows_of(process), what="the page of the audit log")
    desk.end(process)
    a_minute_passes(places)
    process = desk.tray()
    item = desk.item()
    wait_for(lambda: [title for title, _ in displayed(desk)].count(NOTICE) == 2, what="the notice again")
    a_minute_passes(places)
    done = tray("audit", "acknowledge", "--reason", "a test")
    assert done.returncode == 0, done.stderr
    wait_for(lambda: "TAMPERED" not in desk.tooltip(item), what="the end of the alarm")
    labels = list(desk.menu(item))
    assert any(label.startswith("Audit log: tampered at entry 3, acknowledged") for label in labels)
    desk.end(process)
    process = desk.tray()
    wait_for(lambda: "intact" in desk.tooltip(desk.item()) or desk.menu(desk.item()), what="the tray again")
    assert [title for title, _ in displayed(desk)].count(NOTICE) == 2


def test_a_notice_that_the_desktop_does_not_show_is_on_record_once(desk: Desktop, places: Places) -> None:
    """The log records an alarm that no notice showed; the icon shows it all the same."""
    altered(places)
    (dunst,) = [process for process in desk.started if "dunst" in str(process.args)]
    desk.end(dunst)
    desk.run(sys.executable, "-c", DEAF, log="deaf")  # else the bus would start dunst again
    wait_for(lambda: "owned" in desk.log("deaf"), what="its name")
    desk.tray()
    item = desk.item()
    wait_for(lambda: "TAMPERED" in desk.tooltip(item), what="the breach in the tooltip")
    (entry,) = wait_for(lambda: _unheard(places), what="the entry")
    assert (entry["result"], entry["severity"]) == ("failed", "warning")


def _unheard(places: Places) -> list[dict[str, object]]:
    with AuditLog.read(places.audit_db) as log:
        return [dict(e.data) for e in log.entries(0, 1000) if e.data["action"] == "notification.failed"]
