import os
from pathlib import Path

import pytest

from tray.core import files
from tray.core.files import Listing


def test_every_change_is_seen_however_quickly_it_follows(tmp_path: Path) -> None:
    """A record that comes in the same instant as a look is not missed for ever."""
    names = Listing(tmp_path)
    for number in range(300):
        (tmp_path / f"{number:03}").touch()
        assert len(names.names()) == number + 1
    for number in range(300):
        (tmp_path / f"{number:03}").unlink()
        assert len(names.names()) == 299 - number


def test_a_folder_at_rest_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A question a second must cost next to nothing."""
    (tmp_path / "one").touch()
    os.utime(tmp_path, (1_700_000_000, 1_700_000_000))
    names = Listing(tmp_path)
    assert names.names() == ["one"]
    monkeypatch.setattr(files.os, "listdir", lambda _folder: pytest.fail("read again"))
    assert names.names() == ["one"]


def test_a_folder_that_comes_and_goes_is_followed(tmp_path: Path) -> None:
    """Before the first run there is no folder, and a user may remove it."""
    folder = tmp_path / "later"
    names = Listing(folder)
    assert names.names() == []
    folder.mkdir()
    (folder / "x").touch()
    assert names.names() == ["x"]
    (folder / "x").unlink()
    folder.rmdir()
    assert names.names() == []
