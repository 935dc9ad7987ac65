"""The back end of Create First Backup: sizes that are measured in the background, a missing engine, and the reach of a target."""

import os
import threading
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.unit.window.test_pages import Desk, setup
from tests.waiting import wait_for
from tray.core.errors import EngineMissingError, JobSetupError
from tray.core.paths import Places
from tray.jobs import choices, engine_install, targets
from tray.window import create_page
from tray.window.create_page import Scales


class Told:
    """Collects what the page hears of sizes, and can keep the measuring waiting."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, int, bool]] = []

    def __call__(self, path: str, total: int, done: bool) -> None:
        """Remember one figure."""
        self.heard.append((path, total, done))

    def done(self) -> dict[str, int]:
        """The folders that are measured, with their sizes."""
        return {path: total for path, total, done in self.heard if done}


@pytest.fixture
def folders(tmp_path: Path) -> list[str]:
    """Two folders of known size."""
    for name, size in (("a", 100_000), ("b", 200_000)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_bytes(b"x" * size)
    return [str(tmp_path / "a"), str(tmp_path / "b")]


def test_folders_are_measured_in_the_background_each_once(folders: list[str]) -> None:
    """A folder that is asked for again is told at once, and a folder that does not exist has no size."""
    told = Told()
    scales = Scales(told)
    scales.weigh([*folders, "/does/not/exist"])
    wait_for(lambda: not scales._works, what="the sizes")
    assert list(told.done()) == folders
    assert 100_000 <= told.done()[folders[0]] < 120_000
    heard = len(told.heard)
    scales.weigh(folders)
    assert told.heard[heard:] == [(path, told.done()[path], True) for path in folders]


def test_figures_so_far_arrive_and_leaving_the_page_stops_the_measuring(monkeypatch: pytest.MonkeyPatch) -> None:
    """A home folder of millions of files does not go on being walked for a page that is gone."""
    told, walked, gone_on = Told(), threading.Event(), threading.Event()

    ended = threading.Event()

    def endless(_: list[str]) -> Iterator[int]:
        try:
            for number in count(1):
                yield 1
                if number == 10:
                    walked.set()
                    gone_on.wait(60)
        finally:
            ended.set()

    monkeypatch.setattr(targets, "sizes", endless)
    monkeypatch.setattr(create_page, "TELL_SECONDS", 0.0)
    scales = Scales(told)
    scales.weigh(["/home"])
    assert walked.wait(60)
    assert told.heard[-1] == ("/home", 10, False)
    scales.weigh([])
    gone_on.set()
    assert ended.wait(60)
    assert told.done() == {}


def test_a_page_that_is_opened_again_measures_anew(folders: list[str]) -> None:
    """Sizes change."""
    told = Told()
    scales = Scales(told)
    scales.weigh(folders)
    wait_for(lambda: len(told.done()) == 2, what="the sizes")
    scales.weigh([])
    (Path(folders[0]) / "more").write_bytes(b"x" * 500_000)
    scales.weigh(folders)
    wait_for(lambda: told.done()[folders[0]] >= 600_000, what="the new size")


def test_the_reach_of_a_folder_tells_its_room_and_makes_nothing(places: Places, tmp_path: Path) -> None:
    """The room that stays free beside the backup is not counted."""
    form = setup(places)
    answer = form.reach([str(tmp_path / "src")], str(tmp_path / "repo"), "", "")
    assert 0 <= answer["room"] <= os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize
    assert answer["words"].endswith("are free there.")
    assert not (tmp_path / "repo").exists()
    with pytest.raises(JobSetupError, match="would lie inside"):
        form.reach([str(tmp_path)], str(tmp_path / "repo"), "", "")


def test_drives_come_with_the_folder_that_the_backup_would_take(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page needs no more than a click."""
    drive = choices.Drive("Ann's stick", str(tmp_path), 23_100_000_000, 32_000_000_000)
    monkeypatch.setattr(choices, "drives", lambda: [drive])
    (shown,) = setup(places).drives()["drives"]
    assert (shown["name"], shown["room"]) == ("Ann's stick", "23.1 GB free of 32.0 GB")
    assert shown["place"] == str(tmp_path / "backup-home")


def test_an_engine_is_installed_only_by_the_command_that_the_page_shows(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is no such command, the error says how to install it by hand."""
    here: list[str] = []
    ran: list[list[str]] = []

    def install(engine: str, argv: list[str], *, terminal: bool) -> None:
        ran.append(argv)
        here.append(engine)

    monkeypatch.setattr(
        engine_install, "missing", lambda engine: None if engine in here else EngineMissingError(engine, "sudo x")
    )
    monkeypatch.setattr(engine_install, "command", lambda *_, **__: [])
    monkeypatch.setattr(engine_install, "install", install)
    form = setup(places, Desk())
    with pytest.raises(EngineMissingError):
        form.install_engine()
    monkeypatch.setattr(engine_install, "command", lambda engine, **_: ["pkexec", "apt-get", "install", engine])
    assert form._engine()["install"] == "pkexec apt-get install restic"
    assert form.install_engine() == {"problem": None, "install": ""}
    assert ran == [["pkexec", "apt-get", "install", "restic"]]
