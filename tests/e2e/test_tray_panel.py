"""The tray on a real panel (xfce4-panel, a StatusNotifierItem host) under Xvfb."""

import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import psutil
import pytest

from tests.e2e.desktop import ITEM, WIDTH, Desktop
from tests.e2e.program import PASSWORD, engine_pid, make_repository, make_tree, tray
from tests.e2e.trays import (
    BLUE,
    GREEN,
    GREY,
    RED,
    Publisher,
    keep,
    percentage,
    pixels,
    record,
    tray_desktop,
    windows_of,
)
from tests.waiting import wait_for
from tray import wording
from tray.core.paths import Places


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desktop]:
    """A desktop with a panel."""
    with tray_desktop(tmp_path, "xfce") as made:
        yield made


def seen(desk: Desktop, colour: tuple[int, int, int], least: int, pictures: Path) -> None:
    """Wait until at least so many pixels of a colour are at the icon's place."""
    try:
        wait_for(
            lambda: pixels(desk.corner(pictures / "corner.png"), colour) >= least, what=f"{least} pixels of {colour}"
        )
    except AssertionError as error:
        there = sorted(desk.corner(pictures / "corner.png").getcolors(WIDTH) or (), reverse=True)[:8]
        raise AssertionError(f"{error}; there are {there}; the icon says {desk.tooltip(desk.item())!r}") from None


def says(desk: Desktop, item: str, text: str) -> str:
    """Wait until the tooltip holds *text*, and return all of it."""
    return wait_for(lambda: (shown := desk.tooltip(item)) and text in shown and shown, what=f"a tooltip with {text!r}")


def test_the_icon_appears_in_the_panel(desk: Desktop, tmp_path: Path) -> None:
    """AF-1 at a glance: with no run on record the icon is a dashed circle, in every size that panels ask for."""
    empty = desk.corner(tmp_path / "empty.png")
    desk.tray()
    item = desk.item()
    says(desk, item, "No backups performed\nBackup Tray has seen none yet")
    seen(desk, GREY, 30, tmp_path)
    assert pixels(empty, GREY) == 0
    assert [row[0] for row in desk.get(item, "/StatusNotifierItem", ITEM, "IconPixmap")] == [16, 22, 24, 32, 48]
    assert desk.get(item, "/StatusNotifierItem", ITEM, "Id") == "backup-tray"


def test_hovering_shows_the_tooltip_on_the_screen(desk: Desktop, tmp_path: Path) -> None:
    """A window of two lines comes up beside the icon."""
    record("home", "succeeded")
    desk.tray()
    text = says(desk, desk.item(), "home, 2 hours ago")
    assert text == "Your backup is fine\nhome, 2 hours ago, 12.3 GB, 20,220 files, took 1 min"
    _, _, width, height = desk.hover()
    assert width > 200
    assert 30 < height < 90


def test_the_icon_follows_a_run_and_keeps_a_failure_in_sight(desk: Desktop, tmp_path: Path) -> None:
    """Running is a blue ring that grows; a failure on record stays red inside it; and no percentage before the scan is over."""
    desk.tray()
    item = desk.item()
    run = Publisher("home")
    assert "%" not in says(desk, item, "Backing up home: scanning, 0 files so far")
    run.reach(25)
    says(desk, item, "Backing up home: 25 %, 5,050 of 20,200 files\n12.3 MB/s, 3 min left")
    seen(desk, BLUE, 40, tmp_path)
    quarter = pixels(desk.corner(tmp_path / "quarter.png"), BLUE)
    run.reach(90)
    says(desk, item, "90 %")
    seen(desk, BLUE, quarter + 40, tmp_path)
    record("photos", "failed", reason="Wrong password or no key found.")
    assert (
        says(desk, item, "backups failed: photos")
        == "1 of 2 backups failed: photos\nBacking up home now: 90 %, 3 min left"
    )
    seen(desk, RED, 20, tmp_path)
    assert pixels(desk.corner(tmp_path / "both.png"), BLUE) > 40
    run.close()


def test_a_real_backup_is_seen_from_beginning_to_end(
    desk: Desktop, places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """restic under the wrapper: percentage and files while it runs, its success afterwards, the same in the terminal."""
    monkeypatch.setenv("RESTIC_PASSWORD", PASSWORD)
    repository, source = make_repository(tmp_path / "repo"), make_tree(tmp_path / "source", files=200, size=1_000_000)
    desk.tray()
    item = desk.item()
    restic = ["restic", "-r", str(repository), "backup", "--limit-upload", "16000", str(source)]
    backup = desk.tray("run", "--job", "home", "--", *restic, env={"RESTIC_PASSWORD": PASSWORD})
    text = wait_for(
        lambda: percentage(shown := desk.tooltip(item)) >= 15 and "/s" in shown and shown,
        what="progress in the tooltip",
    )
    assert re.fullmatch(r"Backing up home: \d+ %, \d+ of 200 files\n\d.*/s(, .* left)?", text)
    engine = psutil.Process(engine_pid(places))
    engine.suspend()  # else it may be over before the pictures are taken
    x, y, _, height = desk.hover()
    keep(desk.screenshot(tmp_path / "tooltip.png").crop((x - 60, 0, WIDTH, y + height + 12)), "tray-tooltip.png")
    desk.click(3)
    menu = wait_for(desk.menu_place, what="the menu on the screen")
    keep(desk.screenshot(tmp_path / "menu.png").crop((menu[0] - 12, 0, WIDTH, menu[1] + menu[3] + 12)), "tray-menu.png")
    assert percentage(desk.tooltip(item)) <= 80
    engine.resume()
    desk.xdotool("key", "Escape")
    assert backup.wait(60) == 0
    says(desk, item, "Your backup is fine\nhome, just now")
    seen(desk, GREEN, 60, tmp_path)
    status = json.loads(tray("status", "--json").stdout)
    assert (status["state"], status["last"]["job"]) == ("ok", "home")


def test_tooltip_menu_and_terminal_say_the_same(desk: Desktop) -> None:
    """There is one status: the menu's first lines are the tooltip, and `status` agrees."""
    record("home", "failed", reason="Disk full.")
    desk.tray()
    item = desk.item()
    text = says(desk, item, "home: failed")
    labels = list(desk.menu(item))
    first, _, second = text.partition("\n")
    assert labels[0] == first
    assert second.startswith(labels[1])
    assert labels[2:5] == ["Open Dashboard", "Report of home (failed)", "Details (full log)"]
    assert labels[5].startswith("Audit log: ")
    assert labels[6:] == ["Verify audit log", "Quit"]
    assert max(map(len, labels)) <= 45
    assert json.loads(tray("status", "--json").stdout)["state"] == "failed"


def test_the_menu_comes_up_on_a_right_click(desk: Desktop, tmp_path: Path) -> None:
    """The panel draws our menu: a big new window on the screen."""
    desk.tray()
    says(desk, desk.item(), "No backups performed")
    seen(desk, GREY, 30, tmp_path)
    desk.click(3)
    _, _, width, height = wait_for(desk.menu_place, what="the menu on the screen")
    assert width > 200
    assert height > 120
    desk.xdotool("key", "Escape")


@pytest.mark.parametrize("way", ["menu", "left click"])
def test_the_dashboard_opens(desk: Desktop, way: str, tmp_path: Path) -> None:
    """MF-1: one click on the icon, or the menu, opens the window."""
    process = desk.tray()
    item = desk.item()
    says(desk, item, "No backups performed")
    if way == "menu":
        desk.choose(item, "Open Dashboard")
    else:
        seen(desk, GREY, 30, tmp_path)
        desk.click(1)
    wait_for(lambda: windows_of(process) == ["dashboard"], what="the window's process")
    wait_for(lambda: desk.titles("Backup"), what="the window on the screen")


def test_report_log_and_verification_open_their_pages(desk: Desktop) -> None:
    """Each menu item opens the page that its label names."""
    run = record("home", "failed")
    process = desk.tray()
    item = desk.item()
    says(desk, item, "home: failed")
    for label, page in (
        ("Report of home (failed)", f"report/{run}"),
        ("Details (full log)", f"log/{run}"),
        ("Verify audit log", "verify"),
    ):
        desk.choose(item, label)
        wait_for(lambda page=page: page in windows_of(process), what=f"the page {page}")


def test_the_icon_returns_when_the_panel_restarts(desk: Desktop, tmp_path: Path) -> None:
    """A panel that crashed and came back shows the icon again, without a new tray."""
    process = desk.tray()
    says(desk, desk.item(), "No backups performed")
    desk.stop_panel()
    desk.start_panel()
    desk.item()
    seen(desk, GREY, 30, tmp_path)
    assert process.poll() is None


def test_a_second_tray_opens_the_window_of_the_first_and_ends_well(desk: Desktop) -> None:
    """Starting the program twice gives one icon and the window."""
    desk.tray()
    desk.item()
    second = desk.tray()
    assert second.wait(60) == 0
    wait_for(lambda: desk.titles("Backup"), what="the window on the screen")
    assert len(desk.items()) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
def test_however_it_ends_the_icon_goes_and_nothing_is_left(
    desk: Desktop, tmp_path: Path, number: signal.Signals
) -> None:
    """No dead icon in the panel, no temporary file; the next tray starts at once."""
    process = desk.tray()
    says(desk, desk.item(), "No backups performed")
    process.send_signal(number)
    assert process.wait(60) == (-9 if number == signal.SIGKILL else 0)
    wait_for(lambda: desk.items() == [], what="the icon to go")
    assert os.listdir(tmp_path / "tmp") == []
    desk.tray()
    assert desk.item()


def test_quit_ends_the_tray(desk: Desktop) -> None:
    """The menu's last item ends the tray."""
    process = desk.tray()
    item = desk.item()
    says(desk, item, "No backups performed")
    desk.choose(item, "Quit")
    assert process.wait(60) == 0


def test_the_tray_ends_with_the_session(desk: Desktop) -> None:
    """Log out: the bus goes away, and so does the tray, without a word of complaint."""
    process = desk.tray()
    says(desk, desk.item(), "No backups performed")
    desk.end(desk.bus)
    assert process.wait(60) == 0
    assert "Traceback" not in desk.log("tray")


def test_a_panel_that_comes_later_gets_the_icon(tmp_path: Path) -> None:
    """At login the tray may be quicker than the panel: it waits, without a notification."""
    with tray_desktop(tmp_path, "none") as desk:
        process = desk.tray()
        desk.host = "xfce"
        desk.start_panel()
        says(desk, desk.item(), "No backups performed")
        assert windows_of(process) == []


def test_names_cannot_forge_the_tooltip(desk: Desktop) -> None:
    """The tooltip shows markup, line breaks and escape codes in names and reasons as plain text."""
    record("a<img src=x>\n\x1b[31m\u202eb", "failed", reason="no <b>space</b> & more")
    desk.tray()
    _, _, title, body = wait_for(
        lambda: (tip := desk.get(desk.item(), "/StatusNotifierItem", ITEM, "ToolTip")) and "failed" in tip[2] and tip,
        what="the tooltip",
    )
    assert title == "A backup failed"
    name = "a&lt;img src=x&gt;\\n\\x1b[31m\\u202eb"
    assert body == f"{name}: failed 2 hours ago, never good yet: no &lt;b&gt;space&lt;/b&gt; &amp; more"


def test_a_log_that_cannot_be_read_turns_the_icon_grey_and_back(desk: Desktop, places: Places, tmp_path: Path) -> None:
    """AF-2: a damaged log is never green; the icon returns once the log can be read again."""
    record("home", "succeeded")
    desk.tray()
    item = desk.item()
    says(desk, item, "Your backup is fine\nhome, ")
    seen(desk, GREEN, 60, tmp_path)
    aside = places.audit_db.with_name("aside")
    places.audit_db.rename(aside)
    places.audit_db.write_bytes(os.urandom(8192))
    text = says(desk, item, "Backup status unavailable\n")
    assert "last known" in text or len(text.split("\n")[1]) > 20
    seen(desk, GREY, 30, tmp_path)
    aside.replace(places.audit_db)
    says(desk, item, "Your backup is fine\nhome, ")
    seen(desk, GREEN, 60, tmp_path)


def test_the_objects_can_be_looked_at(desk: Desktop) -> None:
    """Tools such as d-feet and busctl see item and menu."""
    desk.tray()
    item = desk.item()
    for path, interface in (("/StatusNotifierItem", ITEM), ("/MenuBar", "com.canonical.dbusmenu")):
        reply = desk.call(item, path, "org.freedesktop.DBus.Introspectable", "Introspect")
        assert reply is not None
        assert ElementTree.fromstring(reply[0]).find("interface").get("name") == interface
    assert desk.call(item, "/StatusNotifierItem", ITEM, "Nonsense") is None
    assert len(desk.tooltip(item)) <= wording.TOOLTIP_UNITS
