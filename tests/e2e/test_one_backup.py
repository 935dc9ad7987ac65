"""One real backup, followed from restic's first line to the verified entry, on every surface at once."""

import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.desktop import Desktop
from tests.e2e.program import PASSWORD, make_repository, make_tree, snapshots, start, status, tray
from tests.e2e.trays import BLUE, GREEN, RED, keep, percentage, pixels, record, tray_desktop
from tests.e2e.webdriver import Driven, driven
from tests.waiting import wait_for

SLOW = ("--limit-upload", "7000")  # KiB/s: some fifteen seconds for the files of `big`


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desktop]:
    """A desktop with Xfce's panel."""
    with tray_desktop(tmp_path, "xfce") as made:
        yield made


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a short name, as it looks better in a picture."""
    with tempfile.TemporaryDirectory(prefix="demo-") as name:
        yield Path(name)


@pytest.fixture
def repository(short: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty restic repository whose password is in the environment."""
    monkeypatch.setenv("RESTIC_PASSWORD", PASSWORD)
    monkeypatch.setenv("RESTIC_CACHE_DIR", str(tmp_path / "cache"))
    return make_repository(short / "disk")


def test_one_backup_is_the_same_story_everywhere(desk: Desktop, repository: Path, short: Path, tmp_path: Path) -> None:
    """Icon, tooltip, menu, window and terminal show the same run while it goes on, and the same end; restic agrees."""
    big = make_tree(short / "Documents", files=28, size=5_000_000)
    desk.tray()
    item = desk.item()
    wait_for(lambda: desk.tooltip(item).startswith("No backups performed"), what="the first poll")
    with driven(tmp_path / "w", desk.env, fed=False) as window:
        window.wait("h1", "No backups performed")
        run = start(
            "run", "--job", "home", "--", "restic", "-r", repository, *SLOW, "backup", big, stdout=subprocess.DEVNULL
        )
        wait_for(lambda: 20 <= percentage(desk.tooltip(item)) <= 80, what="a tooltip between 20 and 80 %")
        _live(desk, item, window, repository, tmp_path)
        assert run.wait(timeout=120) == 0
        _ended(desk, item, window, tmp_path)
    assert len(snapshots(repository)) == 1
    assert tray("audit", "verify").returncode == 0
    report = tray("report", "last").stdout
    assert "home: succeeded" in report
    assert str(snapshots(repository)[0]["id"])[:8] in report


def _live(desk: Desktop, item: str, window: Driven, repository: Path, tmp_path: Path) -> None:
    """While it runs every surface shows the same job, files and percentage, at most one poll apart."""
    desk.hover()
    keep(desk.screenshot(tmp_path / "tooltip.png"), "desktop-running.png")
    desk.away()
    run = status()["runs"][0]
    assert (run["job"], run["repository"], run["files_total"]) == ("home", str(repository), 28)
    hover, menu, page = desk.tooltip(item), "\n".join(desk.menu(item)), window.read(".card", "home")
    for text in (hover, menu, page):
        assert abs(percentage(text) - run["percent"]) <= 20, (text, run)
    assert "of 28 files" in hover
    assert str(repository) in page
    assert re.search(r"\d of 28", page)
    assert pixels(desk.corner(tmp_path / "live.png"), BLUE) > 10
    later = wait_for(lambda: percentage(window.read(".card", "home")) > run["percent"], what="progress on the page")
    assert later


def _ended(desk: Desktop, item: str, window: Driven, tmp_path: Path) -> None:
    """After it every surface shows one outcome, in words and in the icon."""
    assert status()["state"] == "ok"
    wait_for(lambda: "Your backup is fine\nhome, just now" in desk.tooltip(item), what="the tooltip's outcome")
    assert next(iter(desk.menu(item))) == "Your backup is fine"
    assert "home" in window.read("#page", "Succeeded")
    wait_for(lambda: pixels(desk.corner(tmp_path / "ok.png"), GREEN) > 40, what="the green icon")
    keep(desk.screenshot(tmp_path / "done.png"), "desktop-done.png")


def test_a_failure_shows_everywhere_beside_a_run_that_goes_on(desk: Desktop, repository: Path, tmp_path: Path) -> None:
    """Every surface shows last night's failure beside tonight's run."""
    record("photos", "failed", hours=9, reason="The repository could not be reached.")
    big = make_tree(tmp_path / "big", files=28, size=5_000_000)
    desk.tray()
    item = desk.item()
    run = start(
        "run", "--job", "home", "--", "restic", "-r", repository, *SLOW, "backup", big, stdout=subprocess.DEVNULL
    )
    with driven(tmp_path / "w", desk.env, fed=False) as window:
        wait_for(lambda: "now" in desk.tooltip(item), what="the run beside the failure")
        assert desk.tooltip(item).startswith("1 of 2 backups failed: photos\n")
        assert status()["state"] == "failed"
        corner = desk.corner(tmp_path / "both.png")
        assert pixels(corner, RED) > 10
        assert pixels(corner, BLUE) > 10
        page = window.read("#page", "photos")
        assert "home" in page
        assert tray("status").returncode == 2
    run.terminate()
    run.wait(60)
