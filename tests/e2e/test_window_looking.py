"""Looking changes nothing: every page of the real window, every page of the icon's menu, and the read-only commands."""

import hashlib
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from tests.e2e.desktop import Desktop, desktop
from tests.e2e.program import PASSWORD, TRAY, make_repository, make_tree, start, tray
from tests.e2e.webdriver import Driven, driven, end_tree
from tests.waiting import wait_for
from tray.audit.store import AuditLog
from tray.core import paths
from tray.core.paths import Places
from tray.housekeeping import task_memory
from tray.window.instance import PAGES

pytestmark = pytest.mark.e2e
ASKS_FOR_MORE = {"verify"}
"""Opening this page asks for a verification, which goes on record."""


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desktop]:
    """A screen without a panel."""
    with desktop(tmp_path / "desk", "none") as made:
        yield made


@pytest.fixture
def repository(tmp_path: Path, places: Places, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A real repository with a job that succeeded twice and failed once, and no task left that is due."""
    monkeypatch.setenv("RESTIC_PASSWORD", PASSWORD)
    monkeypatch.setenv("RESTIC_CACHE_DIR", str(tmp_path / "cache"))
    made, source = make_repository(tmp_path / "repository"), make_tree(tmp_path / "documents", files=4)
    (tmp_path / "password").write_text(PASSWORD)
    paths.private(places.config)
    places.config_file.write_text(
        f'version = 1\n[jobs.home]\nengine = "restic"\nsources = ["{source}"]\nrepository = "{made}"\n'
        f'password_file = "{tmp_path / "password"}"\n'
    )
    for folder in (source, source, tmp_path / "nowhere"):
        tray("run", "--job", "home", "--", "restic", "-r", made, "backup", folder)
    return made


@pytest.fixture
def tracker(repository: Path, places: Places) -> Iterator[None]:
    """A tracker that has finished the tasks of its start."""
    process = start("tracker", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: "wall_ms" in task_memory.load(places, "clock"), what="the first round of housekeeping")
        wait_for(lambda: not helpers(process.pid), what="the helpers to end")
        yield
    finally:
        end_tree(process.pid)
        process.wait(60)


def helpers(pid: int) -> list[psutil.Process]:
    """The tracker's helpers that still run."""
    return [child for child in psutil.Process(pid).children() if child.status() != psutil.STATUS_ZOMBIE]


def tree(folder: Path) -> dict[str, str]:
    """Every file below *folder* with a hash of its bytes."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def state(places: Places, repository: Path) -> dict[str, object]:
    """Everything that must not change: each row of the log, the signed head, the standing, configuration, baselines, repository."""
    with closing(sqlite3.connect(f"file:{places.audit_db}?mode=ro", uri=True)) as connection:
        tables = ("entries", "bodies", "head", "open_runs", "tiles", "segments", "base")
        rows = {
            name: connection.execute(f"SELECT * FROM {name} ORDER BY 1").fetchall()  # noqa: S608 - names of ours
            for name in tables
        }
    kept = {
        path.name: path.read_bytes()
        for path in places.state.glob("audit.*")
        if path.suffix in (".key", ".pub", ".standing")
    }
    assert len(rows["entries"]) > 6
    assert any("baselines" in name for name in tree(places.config))
    return {
        **rows,
        "files": kept,
        "config": tree(places.config),
        "repository": tree(repository),
        "runs": tree(places.runs),
    }


def visit(window: Driven, page: str) -> None:
    """Open a page and wait until all that it shows is there."""
    window.script(f"BT.visit('{page}')")
    window.wait(f"#page[data-page={page.split('/')[0]}] h1")
    wait_for(lambda: not window.script("return BT.place.loading"), what=f"{page} to be loaded")
    assert window.script("return BT.place.error") is None, page


def use(window: Driven) -> None:
    """Use each read-only control of a page: search, filter, turn pages, copy, help, refresh."""
    if window.find("#filter-text") is not None:
        window.type("#filter-text", "repository")
        wait_for(lambda: "found" in str(window.script("return document.getElementById('live').textContent")))
        window.click("[data-do=clear-filter]")
    window.script("for (const one of document.querySelectorAll('[data-do=copy]')) one.click()")
    window.script("BT.actions.help(); BT.actions['close-help'](); BT.actions['close-confirm']()")
    window.script("return BT.call('retry')")


def test_looking_at_everything_changes_nothing(
    desk: Desktop, tracker: None, repository: Path, places: Places, tmp_path: Path
) -> None:
    """No page, menu or read-only command adds an entry or writes to configuration, baselines or the repository."""
    with AuditLog.read(places.audit_db) as log:
        run = log.history(limit=1)[0].run
    before = state(places, repository)
    with driven(tmp_path / "w", desk.env | {paths.HOME_VARIABLE: os.environ[paths.HOME_VARIABLE]}, fed=False) as window:
        window.wait(".card", "home")
        for page in sorted(set(PAGES) - ASKS_FOR_MORE):
            visit(window, {"entry": "entry/2", "job": "job/home"}.get(page, page))
            use(window)
        for page in (f"report/{run}", f"log/{run}", "entry/0"):
            visit(window, page)
        visit(window, "report")
        assert "Verified" in window.read(".card", "Unchanged since it was written")
        assert state(places, repository) == before, "pages of the window"
        for page in ("dashboard", "history", "report", "log", "audit"):  # as the icon's menu opens them
            assert subprocess.run([*TRAY, "window", page], env=window.env, timeout=60, check=False).returncode == 0
            window.wait(f"#page[data-page={page}] h1")
        assert state(places, repository) == before, "pages of the menu"
    for command in (
        ["status"], ["status", "--json"], ["history"], ["history", "--json"], ["log", "last"], ["report", "last"],
        ["audit", "show"], ["audit", "show", "2"], ["audit", "show", "--json"], ["audit", "checkpoint"], ["audit", "key"],
    ):  # fmt: skip
        done = tray(*command)
        assert done.returncode in (0, 1, 2), done.stderr
        assert done.stdout, command
        assert state(places, repository) == before, command
