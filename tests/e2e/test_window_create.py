"""Create First Backup onto a drive in the real window: six clicks, a full drive, and one that is pulled out in the middle."""

import os
import re
import shlex
import signal
import stat
import subprocess
import time
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from tests.e2e.desktop import Desktop, desktop
from tests.e2e.machine import ROOT
from tests.e2e.no_engine import CALLED, without_restic
from tests.e2e.program import engine_pid, make_tree, status
from tests.e2e.storage import KEY, SECRET, storage
from tests.e2e.test_takeover import OWN_CRONTABS
from tests.e2e.test_window_backup import end_tracker
from tests.e2e.test_window_page import _PALE_TEXTS, _SMALL_TARGETS
from tests.e2e.webdriver import Driven, driven
from tests.waiting import wait_for
from tray.core import paths
from tray.core.paths import Places

pytestmark = pytest.mark.e2e

COUNT = "window.pressed = 0; addEventListener('mousedown', (event) => { window.pressed += event.isTrusted; }, true)"
"""Counts the clicks of the user, and not those that a label hands on to its input."""
PULL = """
import fcntl, os, struct, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587D, struct.pack("I", 2))
"""
"""Ends the file system at once, as ext4 does when its device is gone: each later access is an error (EXT4_IOC_SHUTDOWN)."""
MOST_CLICKS = 6
MOST_SECONDS = 60


class Plugged(Protocol):
    """Opens the window on a machine with a drive STICK, for a user with documents."""

    def __call__(self, drive: int, documents: int, *, mount: str = "", path: str = "", theme: str = "") -> Driven:
        """Open it.

        Args:
            drive: MiB of the drive.
            documents: Bytes of each of the 20 documents.
            mount: Further mounts, as shell commands.
            path: The search path, if it is not that of the test.
            theme: The desktop's theme.
        """


@pytest.fixture
def plugged(tmp_path: Path, places: Places) -> Iterator[Plugged]:
    """A drive is a real file system on a real device, in mounts that only the window and its processes see."""
    image = tmp_path / "image"
    with desktop(tmp_path / "desk", "none") as desk, ExitStack() as stack:

        def make(drive: int, documents: int, *, mount: str = "", path: str = "", theme: str = "") -> Driven:
            with image.open("wb") as file:
                file.truncate(drive << 20)
            owner = f"root_owner={os.geteuid()}:{os.getegid()}"
            subprocess.run(["mkfs.ext4", "-q", "-m", "0", "-E", owner, "-L", "STICK", image], check=True)
            mounts = "\n".join((OWN_CRONTABS, *_home(desk, tmp_path, documents), *_drive(image), mount))
            env = desk.env | ({"PATH": path} if path else {}) | ({"GTK_THEME": theme} if theme else {})
            window = stack.enter_context(driven(tmp_path / "w", env, fed=False, mount=mounts))
            stack.callback(end_tracker, places)
            window.script(COUNT)
            return window

        yield make


def _home(desk: Desktop, tmp_path: Path, size: int) -> list[str]:
    """Return the mounts that give the user a home folder with documents, root too."""
    home = Path(paths.expand("~") if os.geteuid() == 0 else desk.env["HOME"])
    made = make_tree(tmp_path / "home" / "Documents", files=20, size=size)
    return [f"mount --bind {shlex.quote(str(made.parent))} {shlex.quote(str(home))}"]


def _drive(image: Path) -> list[str]:
    stick = "/media/ann/STICK"
    return ["mount -t tmpfs tmpfs /media", f"mkdir -p {stick}", f"mount -o loop {shlex.quote(str(image))} {stick}"]


def choose(window: Driven) -> None:
    """Choose documents and drive, and keep the password: five clicks with the one that starts the backup."""
    window.wait("h1", "No backups performed")
    window.click("button", "Create First Backup")
    window.click("#suggestions button", "Documents")
    window.click("#place-drive-0")
    assert "STICK" in window.read("#drives", " free of ")
    window.click("#kept")


def test_a_backup_of_a_folder_on_a_drive_takes_six_clicks_and_a_minute(plugged: Plugged, places: Places) -> None:
    """From the empty page to a copy that was restored as a test and runs by itself; the clicks and the time are counted."""
    window = plugged(200, 3000)
    began = time.monotonic()
    choose(window)
    assert "The backup goes into /media/ann/STICK/backup-home." in window.read("#target-says", "are free there")
    window.click("#go")
    window.click("#set-schedule")
    window.wait("#card-schedule", "Scheduled")
    window.wait("h1", "home: succeeded")
    window.wait("#card-proof .tag", "Proven")
    assert time.monotonic() - began < MOST_SECONDS
    assert window.script("return window.pressed") <= MOST_CLICKS
    assert (status()["state"], status()["last"]["outcome"]) == ("ok", "succeeded")
    assert "skipped, and the skip is on record" in window.read("#card-schedule")
    assert tomllib.loads(places.config_file.read_text())["jobs"]["home"]["conditions"] == ["target"]


def test_the_sizes_of_folders_arrive_while_the_user_chooses(plugged: Plugged) -> None:
    """They block nothing: the form can be used at once. A folder that is typed is measured too, one that is gone is not."""
    window = plugged(200, 30_000)
    window.click("button", "Create First Backup")
    window.wait("#suggestions [data-size]", "kB")
    assert re.fullmatch(r"6\d\d kB", window.read("#suggestions [data-size]"))
    window.wait("#source-rows [data-size]", "kB")
    window.click("#suggestions button", "Documents")
    assert re.fullmatch(r"6\d\d kB", window.read("#source-rows [data-size]", "kB"))
    documents = window.wait("#source-0").get_attribute("value")
    window.type("#source-0", f"{documents}/d0")
    window.wait("#source-rows [data-size]", "12")
    assert re.fullmatch(r"12\d kB", window.read("#source-rows [data-size]"))
    window.type("#source-0", f"{documents}/gone")
    assert window.script("return document.querySelector('#source-rows [data-size]').textContent") == ""


def test_a_drive_without_room_is_told_before_anything_is_made(plugged: Plugged, places: Places) -> None:
    """The form says so as soon as the drive is chosen, and the button makes nothing: no password, no job, no repository."""
    window = plugged(70, 3000)
    choose(window)
    window.wait("#target-says", "there is no room for them")
    window.click("#go")
    assert "There is no room for the backup at /media/ann/STICK" in window.read("#form-problem .banner")
    assert not list(places.config.glob("*.password"))
    assert not places.config_file.exists()
    assert status()["last"] is None


def test_a_drive_that_is_pulled_out_in_the_middle_is_never_called_a_backup(plugged: Plugged, places: Places) -> None:
    """restic tries again for a quarter of an hour: the page shows that nothing moves. The run that then ends has failed."""
    window = plugged(900, 25_000_000)
    choose(window)
    window.click("#go")
    wait_for(lambda: any(run["bytes_done"] for run in status()["runs"]), what="the backup to copy files")
    inside = [
        *ROOT,
        "nsenter",
        "--target",
        str(window.pid),
        "--mount",
        "/usr/bin/python3",
        "-c",
        PULL,
        "/media/ann/STICK",
    ]
    subprocess.run(inside, check=True)
    window.wait("#page .facts", "0 B/s")
    os.kill(engine_pid(places), signal.SIGKILL)  # in place of its own end, a quarter of an hour later
    window.wait("h1", "home: failed")
    window.wait("#card-proof", "No file of it was restored as a test yet")
    assert (status()["state"], status()["jobs"][0]["proven"]) == ("failed", None)


def test_the_test_follows_also_where_the_window_is_closed_before_the_backup_ends(plugged: Plugged) -> None:
    """Backup and test are a process of their own."""
    window = plugged(400, 10_000_000)
    choose(window)
    window.click("#go")
    wait_for(lambda: status()["runs"], what="the backup")
    os.kill(window.pid, signal.SIGKILL)
    assert not any(job["proven"] for job in status()["jobs"])
    wait_for(lambda: any(job["proven"] for job in status()["jobs"]), what="the proof")


def test_an_s3_storage_is_asked_with_the_keys_of_the_form(plugged: Plugged, places: Places, tmp_path: Path) -> None:
    """Wrong keys are told beside their field, before anything is made; with the right ones the backup is made and restored."""
    window = plugged(100, 3000)
    (tmp_path / "s3").mkdir()
    with storage(tmp_path / "s3") as address:
        window.click("button", "Create First Backup")
        window.click("#suggestions button", "Documents")
        window.click("#place-s3")
        window.type("#s3-server", address.removeprefix("s3:"))
        window.type("#s3-bucket", "bucket/laptop")
        window.type("#s3-key", KEY)
        assert "the keys of the storage" in window.read("#missing")
        window.type("#s3-secret", "another")
        window.click("#kept")
        window.wait("#target-says", "does not accept the access key")
        window.click("#go")
        window.wait("#form-problem .banner", "does not accept the access key")
        assert window.wait("#s3-key").get_attribute("aria-invalid") == "true"
        assert not [file for file in places.config.glob("*") if file.suffix in (".password", ".environment")]
        window.type("#s3-secret", SECRET)
        window.click("#name")
        window.wait("#target-says", "How much room is free there is not known.")
        window.click("#go")
        window.wait("h1", "home: succeeded")
        window.wait("#card-proof .tag", "Proven")
        (kept,) = places.config.glob("*.environment")
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        assert SECRET not in window.text() + places.config_file.read_text()


def test_a_missing_engine_is_installed_by_the_system_only_if_the_user_says_so(plugged: Plugged, tmp_path: Path) -> None:
    """The page shows the exact command; nothing runs before the click, and the form works after it."""
    mount, path = without_restic(tmp_path)
    window = plugged(200, 3000, mount=mount, path=path)
    window.click("button", "Create First Backup")
    shown = window.read("#form-problem", "“Install it” runs")
    assert "restic is not installed" in shown
    assert "apt-get install -y restic" in shown
    assert not (tmp_path / CALLED).exists()
    window.click("#suggestions button", "Documents")
    window.click("#place-drive-0")
    window.click("#kept")
    window.click("[data-do=install-engine]")
    wait_for(lambda: not window.find("#form-problem .banner"), what="the end of the installation")
    assert (tmp_path / CALLED).read_text() == "install -y restic\n"
    window.click("#go")
    window.wait("h1", "home: succeeded")


def tab_to(window: Driven, selector: str) -> None:
    """Press Tab until the element has the focus."""

    def reached() -> bool:
        window.hand("key", "Tab")
        return bool(window.script("return document.activeElement.matches(arguments[0])", selector))

    wait_for(reached, what=f"{selector} by the keyboard")


def looks_right(window: Driven) -> None:
    """Nothing is cut off in a wide and in a narrow window, every text has contrast, and each target has size."""
    for width in (1080, 720, 400):
        window.resize(width, 700)
        assert window.script("return document.documentElement.scrollWidth <= innerWidth"), width
        assert window.script(_PALE_TEXTS) == []
        assert window.script(_SMALL_TARGETS) == []


@pytest.mark.parametrize("theme", ["Adwaita", "Adwaita:dark"], ids=["light", "dark"])
def test_a_first_backup_can_be_made_by_keyboard_alone(plugged: Plugged, theme: str) -> None:
    """From the form to the schedule without a mouse; both pages fit narrow windows and can be read in both themes."""
    window = plugged(200, 3000, theme=theme)
    window.click("button", "Create First Backup")
    window.wait("#suggestions [data-size]", "kB")
    for kind in ("s3", "sftp", "rest", "rclone", "folder"):
        window.click(f"#place-{kind}")
        looks_right(window)
    window.script("document.getElementById('title').focus()")
    tab_to(window, "#suggestions button")
    window.hand("key", "Return")
    wait_for(
        lambda: "Documents" in str(window.script("return document.getElementById('source-0').value")), what="the folder"
    )
    tab_to(window, "#place-folder")
    window.hand("key", "Up")
    window.wait("#target-says", "The backup goes into /media/ann/STICK")
    tab_to(window, "#kept")
    window.hand("key", "space")
    tab_to(window, "#go")
    window.hand("key", "Return")
    window.wait("h1", "home: succeeded")
    window.wait("#card-proof .tag", "Proven")
    looks_right(window)
    window.script("document.getElementById('title').focus()")
    tab_to(window, "#set-schedule")
    window.hand("key", "Return")
    window.wait("#card-schedule", "Scheduled")
    looks_right(window)
