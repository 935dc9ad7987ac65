"""Four engines at once, each started in another way: tray, window, terminal and audit log agree on all of them."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.desktop import Desktop
from tests.e2e.machine import GROUP, Machine
from tests.e2e.program import PASSWORD, make_repository, make_tree, snapshots, start, status, tray
from tests.e2e.trays import BLUE, RED, keep, pixels, tray_desktop
from tests.e2e.webdriver import Driven, driven
from tests.waiting import wait_for

ANN = 54_321
JOBS = {"restic": "home", "rclone": "cloud"}
_DAEMON = """
import os, sys
if os.fork():
    os._exit(0)
os.setsid()
if os.fork():
    os._exit(0)
with open(sys.argv[1], "w") as file:
    file.write(str(os.getpid()))
os.execvp(sys.argv[2], sys.argv[2:])
"""


@pytest.fixture
def machine() -> Iterator[Machine]:
    """A machine on which root's service runs, and shows itself to a group that the present user is in."""
    made = Machine(str(GROUP if os.geteuid() == 0 else os.getegid()))
    try:
        made.serve()
        yield made
    finally:
        made.end()


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a short name, as it looks better in a picture."""
    with tempfile.TemporaryDirectory(prefix="demo-") as name:
        yield Path(name)


@pytest.fixture
def desk(machine: Machine, tmp_path: Path, short: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desktop]:
    """The desktop of a user who may look at root's backups."""
    for name, value in {
        "BACKUP_TRAY_SYSTEM": str(machine.view),
        "RESTIC_PASSWORD": PASSWORD,
        "RESTIC_CACHE_DIR": str(tmp_path / "cache"),
        "BORG_BASE_DIR": str(tmp_path / "borg"),
        "RCLONE_CONFIG": str(tmp_path / "rclone.conf"),
    }.items():
        monkeypatch.setenv(name, value)
    with tray_desktop(tmp_path, "xfce") as made:
        yield made


class Four:
    """The four backups."""

    def __init__(self, machine: Machine, short: Path, tmp_path: Path) -> None:
        self._machine, self._short, self._scratch = machine, short, tmp_path
        self.source = make_tree(short / "Documents", files=28, size=5_000_000)
        self.repository = make_repository(short / "disk")
        subprocess.run(["borg", "init", "-e", "none", short / "borg"], check=True, capture_output=True)
        self._endless = tmp_path / "endless"
        os.mkfifo(self._endless)

    def start(self) -> None:
        """Start all four: the user wraps one, root wraps one, and a daemon starts two."""
        slow = ("--limit-upload", "4000")
        self.restic = start(
            "run", "--job", "home", "--", "restic", "-r", self.repository, *slow, "backup", self.source,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        cloud = [
            "rclone",
            "sync",
            "--bwlimit",
            "4M",
            "--config",
            "/dev/null",
            self.source,
            self._machine.home / "cloud",
        ]
        self.rclone = self._machine.start(
            self._machine.root_tray("run", "--job", "cloud", "--", *cloud),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.rsync = self._daemon("rsync", "-a", "--bwlimit=4000", f"{self.source}/", f"{self._short}/mirror/")
        self.borg = self._daemon("borg", "create", "--read-special", f"{self._short}/borg::tonight", self._endless)
        self._writer = os.open(self._endless, os.O_RDWR)

    def end(self) -> None:
        """Let three of them end, and kill the fourth."""
        os.kill(self.borg, signal.SIGKILL)
        assert self.restic.wait(120) == 0
        assert self.rclone.wait(120) == 0
        os.close(self._writer)

    def _daemon(self, *argv: str | Path) -> int:
        """Start a command as a service manager does: in a session of its own, a child of init."""
        note = self._scratch / f"{argv[0]}.pid"
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run([sys.executable, "-c", _DAEMON, note, *argv], check=True, **quiet)  # type: ignore[call-overload] # the options are its own
        return int(wait_for(lambda: note.exists() and note.read_text(), what=f"{argv[0]}'s process"))


def engines(answer: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the live runs by engine."""
    return {run["engine"]: run for run in answer["runs"]}


def test_four_engines_started_in_four_ways_are_one_true_story(
    desk: Desktop, machine: Machine, short: Path, tmp_path: Path
) -> None:
    """Every surface shows the wrapped, the observed, root's and the killed run once, live and ended, with its true outcome."""
    four = Four(machine, short, tmp_path)
    desk.tray()
    item = desk.item()
    wait_for(lambda: desk.tooltip(item).startswith("No backups performed"), what="the first poll")
    with driven(tmp_path / "w", desk.env, fed=False) as window:
        window.wait("h1", "No backups performed")
        four.start()
        try:
            _live(desk, item, window, machine, four, tmp_path)
        finally:
            four.end()
        _ended(desk, item, window, tmp_path)
    _recorded(machine, four)


def _live(desk: Desktop, item: str, window: Driven, machine: Machine, four: Four, tmp_path: Path) -> None:
    """While they run every surface shows four runs, each with its source and the known figures."""
    wait_for(lambda: "4 backups running" in desk.tooltip(item), what="four runs in the tooltip")
    wait_for(lambda: any("4 backups running" in label for label in desk.menu(item)), what="four runs in the menu")
    runs = wait_for(lambda: len(now := engines(status())) == 4 and now, what="four runs in the terminal")
    assert isinstance(runs, dict)
    assert {engine: (run["source"], run["instance"]) for engine, run in runs.items()} == {
        "restic": ("wrapped", "user"),
        "rclone": ("wrapped", "system"),
        "rsync": ("observed", "user"),
        "borg": ("observed", "user"),
    }
    assert runs["borg"]["repository"] == f"{four.repository.parent}/borg"
    assert [run["percent"] for engine, run in runs.items() if engine in ("rsync", "borg")] == [None, None]
    wait_for(lambda: engines(status()).get("restic", {}).get("percent"), what="restic's progress")
    assert [run["engine"] for run in machine.status(ANN)["runs"]] == ["rclone"]  # another user who may look on
    page = window.read("#page", "cloud")
    for words in ("home", "System", "Observed", "rsync", "borg"):
        assert words in page
    assert pixels(desk.corner(tmp_path / "live.png"), BLUE) > 10
    desk.hover()
    keep(desk.screenshot(tmp_path / "four.png"), "desktop-engines.png")
    desk.away()


def _ended(desk: Desktop, item: str, window: Driven, tmp_path: Path) -> None:
    """After them: three successes and one failure, and every surface shows the failure first."""
    after = wait_for(lambda: not (now := status())["runs"] and len(now["jobs"]) == 4 and now, what="the four ends")
    assert isinstance(after, dict)
    outcomes = {job["last"]["engine"]: (job["state"], job["last"]["outcome"], job["instance"]) for job in after["jobs"]}
    assert outcomes == {
        "restic": ("ok", "succeeded", "user"),
        "rclone": ("ok", "succeeded", "system"),
        "rsync": ("ok", "succeeded", "user"),
        "borg": ("failed", "failed", "user"),
    }
    assert after["state"] == "failed"
    wait_for(lambda: desk.tooltip(item).startswith("1 of 4 backups failed\nborg"), what="the failure in the tooltip")
    assert "failed" in desk.tooltip(item)
    assert "SIGKILL" in window.read("#page", "Needs attention")
    wait_for(lambda: pixels(desk.corner(tmp_path / "failed.png"), RED) > 40, what="the red icon")
    assert tray("status").returncode == 2
    cloud = next(job["last"]["run"] for job in after["jobs"] if job["instance"] == "system")
    window.script("BT.visit('history')")
    assert "System" in window.read("table", "cloud")
    window.script(f"BT.visit('report/{cloud}')")
    assert "the system's" in window.read("#page", "Verified")  # verified by root's own service
    window.script(f"BT.visit('log/{cloud}')")
    window.wait("#log-text", "succeeded")


def _recorded(machine: Machine, four: Four) -> None:
    """The audit logs hold each run once, with its source, and restic agrees."""
    mine = [json.loads(line) for line in tray("history", "--json").stdout.splitlines()]
    known = {run["engine"]: (run["source"], run["outcome"], run["inferred"], run["instance"]) for run in mine}
    assert known == {
        "restic": ("wrapped", "succeeded", False, "user"),
        "rclone": ("wrapped", "succeeded", False, "system"),
        "rsync": ("observed", "succeeded", True, "user"),
        "borg": ("observed", "failed", True, "user"),
    }
    assert len(mine) == 4
    assert len(snapshots(four.repository)) == 1
    borg = next(run["run"] for run in mine if run["engine"] == "borg")
    report = tray("report", borg).stdout
    assert "Evidence" in report, report
    assert tray("audit", "verify").returncode == 0  # the copy beside the configuration agrees
    assert {job["job"] for job in machine.root_status()["jobs"]} == {"cloud"}
