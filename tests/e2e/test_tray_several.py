"""Several jobs that are not fine: tooltip, menu, Dashboard and terminal count them all and name the same one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.desktop import WIDTH, Desktop
from tests.e2e.program import tray
from tests.e2e.trays import RED, keep, pixels, tray_desktop, windows_of
from tests.e2e.webdriver import driven
from tests.unit.audit.help import BODY
from tests.waiting import wait_for
from tray.audit import spool
from tray.audit.entry import Action, Draft
from tray.core import clock
from tray.core.paths import places

HOUR = 3_600_000
TALLY = "2 of 6 backups failed, 2 have warnings"
ENDS = (
    ("database", "succeeded", 72, "backup", ""),
    ("database", "failed", 50, "backup", "The repository is locked by another process."),
    ("server", "succeeded", 40, "backup", ""),
    ("database", "failed", 26, "backup", "The repository is locked by another process."),
    ("home", "succeeded", 22, "backup", ""),
    ("documents and pictures of the whole family", "succeeded", 20, "backup", ""),
    ("photos", "warning", 9, "backup", "3 files could not be read and are not in the backup."),
    ("mail", "warning", 7, "backup", "1 file changed while it was read."),
    ("home", "failed", 5, "check", "The repository has errors: pack 1f2e is damaged."),
    ("database", "failed", 2, "backup", "The repository is locked by another process."),
    ("server", "lost", 1, "backup", "The wrapper stopped before the backup ended."),
)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desktop]:
    """A desktop with a panel, and the record of six jobs."""
    with tray_desktop(tmp_path, "xfce") as made:
        for job, outcome, hours, kind, reason in ENDS:
            body = {**BODY, "reason": reason or "All files were saved.", "repository": "/media/backup/restic"}
            draft = Draft(
                Action.RUN_FINISHED,
                run=clock.new_id(),
                job=job,
                engine="restic",
                kind=kind,
                result=outcome,
                time_ms=clock.now_ms() - hours * HOUR,
                duration_ms=64_000,
                bytes_processed=12_300_000_000,
                files=20_220,
                body=body,
            )
            assert spool.record(places(), [draft]) is not None
        yield made


def test_every_surface_counts_all_jobs_and_names_the_worst(desk: Desktop, tmp_path: Path) -> None:
    """No failure hides behind another: one sentence, and one click from the alarm to the run that it is about."""
    process = desk.tray()
    item = desk.item()
    hover = wait_for(lambda: (text := desk.tooltip(item)).startswith(TALLY) and text, what="the count in the tooltip")
    assert hover.splitlines()[1].startswith("database: failed 3 times, last good 3 days ago: The repository")
    wait_for(lambda: pixels(desk.corner(tmp_path / "red.png"), RED) > 20, what="the red icon")
    x, y, _, height = desk.hover()
    keep(
        desk.screenshot(tmp_path / "tooltip.png").crop((x - 60, 0, WIDTH, y + height + 12)), "tray-several-tooltip.png"
    )
    labels = list(desk.menu(item))
    assert labels[:3] == [f"{TALLY}, …", "database: failed 3×, last good 3 days ago", "Open Dashboard"]
    assert labels[3:6] == [
        "Report of database (failed)",
        "Report of server (failed)",
        "Report of home (check) (failed)",
    ]
    assert max(map(len, labels)) <= 45
    desk.click(3)
    menu = wait_for(desk.menu_place, what="the menu on the screen")
    keep(
        desk.screenshot(tmp_path / "menu.png").crop((menu[0] - 12, 0, WIDTH, menu[1] + menu[3] + 12)),
        "tray-several-menu.png",
    )
    desk.xdotool("key", "Escape")
    run = tray("history", "--json", "--job", "server", "--limit", "1").stdout.split('"run": "')[1][:36]
    desk.choose(item, "Report of server (failed)")
    wait_for(lambda: f"report/{run}" in windows_of(process), what="the report of the run that was lost")
    printed = tray("status")
    assert printed.returncode == 2
    assert printed.stdout.startswith(f"{TALLY}, a check failed. Worst: database, failed 3 times, last good 3 days ago.")
    assert "home (check)" in printed.stdout


def test_a_job_is_forgotten_from_the_dashboard(desk: Desktop, tmp_path: Path) -> None:
    """The row goes after a question, comes back with the next run, and the other jobs stay."""
    with driven(tmp_path / "w", desk.env, fed=False) as window:
        window.wait("h1", f"{TALLY}, a check failed. Worst: database")
        page = window.text()
        assert "3 days ago" in page
        assert "Last good" in page
        window.keep("window-several.png")
        window.click("button[aria-label='Forget database']", "Forget…")
        assert "until it runs again" in window.read("#confirm", "Forget database?")
        window.click("#confirm button", "Keep it")
        wait_for(lambda: window.find("#confirm") is None)
        window.click("button[aria-label='Forget database']", "Forget…")
        window.click("#confirm button", "Forget the job")
        window.wait("h1", "1 of 5 backups failed, 2 have warnings")
        wait_for(lambda: window.find("button[aria-label='Forget database']") is None, what="a page without the job")
    assert "database" not in tray("status").stdout
    assert "database" in tray("history").stdout
