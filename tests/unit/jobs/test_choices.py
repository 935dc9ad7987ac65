"""Choices of a first backup: the user's own folders, connected drives and remotes of rclone."""

import os
import shutil
from collections import namedtuple
from pathlib import Path

import psutil
import pytest

from tray.jobs import choices

_Part = namedtuple("_Part", "device mountpoint fstype opts")
_Usage = namedtuple("_Usage", "total used free")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's home folder."""
    monkeypatch.setattr(choices, "expand", lambda _: str(tmp_path))
    return tmp_path


def test_folders_have_the_names_that_the_desktop_gives_them(home: Path) -> None:
    """A folder that is missing, or that is the home itself, is not offered."""
    (home / ".config").mkdir()
    lines = 'XDG_DOCUMENTS_DIR="$HOME/Dokumente"\nXDG_MUSIC_DIR="$HOME/."\n# XDG_VIDEOS_DIR="$HOME/Filme"\n'
    (home / ".config" / "user-dirs.dirs").write_text(lines)
    for name in ("Dokumente", "Documents", "Pictures", "Filme"):
        (home / name).mkdir()
    assert choices.folders() == [str(home / "Dokumente"), str(home / "Pictures")]


def test_without_a_desktop_the_usual_names_are_tried(home: Path) -> None:
    """A server's user has none of them, and is offered none."""
    assert choices.folders() == []
    (home / "Downloads").mkdir()
    assert choices.folders() == [str(home / "Downloads")]


def test_drives_are_shown_by_their_label_and_that_with_the_most_room_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine's own disks, drives that cannot be written and drives that are just being pulled out are none."""
    labels = tmp_path / "by-label"
    labels.mkdir()
    (labels / "Anns\\x20stick").symlink_to("/dev/sdz1")
    parts = [
        _Part("/dev/sda1", "/", "ext4", "rw"),
        _Part("/dev/sda2", "/media", "ext4", "rw"),
        _Part("/dev/sdz1", "/media/ann/1234-ABCD", "vfat", "rw,nosuid"),
        _Part("/dev/sdy1", "/run/media/ann/BIG", "ext4", "rw"),
        _Part("/dev/sr0", "/media/cdrom", "iso9660", "ro"),
        _Part("/dev/sdx1", "/mnt/gone", "ext4", "rw"),
        _Part("/dev/sdw1", "/mnt/foreign", "ext4", "rw"),
    ]

    def usage(path: str) -> _Usage:
        if path == "/mnt/gone":
            raise OSError(5, "Input/output error")
        return _Usage(100, 0, 90 if path.endswith("BIG") else 10)

    monkeypatch.setattr(choices, "_LABELS", labels)
    monkeypatch.setattr(psutil, "disk_partitions", lambda: parts)
    monkeypatch.setattr(shutil, "disk_usage", usage)
    monkeypatch.setattr(os, "access", lambda path, _: path != "/mnt/foreign")
    assert [(drive.name, drive.free) for drive in choices.drives()] == [("BIG", 90), ("Anns stick", 10)]


@pytest.mark.parametrize(
    ("path", "external"),
    [
        ("/media/ann/STICK/backup", True),
        ("/mnt/nas", True),
        ("/mnt", False),
        ("/srv/backup", False),
        ("/media-x/y", False),
    ],
)
def test_a_path_below_the_usual_mounts_is_on_an_external_drive(path: str, external: bool) -> None:
    """A job with a repository there waits for the drive."""
    assert choices.on_external_drive(path) == external


def test_a_repository_on_a_drive_takes_a_name_that_is_free(tmp_path: Path) -> None:
    """Folders that are there stay."""
    assert choices.on_drive(str(tmp_path), "home") == str(tmp_path / "backup-home")
    (tmp_path / "backup-home").mkdir()
    assert choices.on_drive(str(tmp_path), "home") == str(tmp_path / "backup-home-2")
    assert choices.on_drive(str(tmp_path), "../x") == str(tmp_path / "backup-x")


@pytest.mark.process
def test_remotes_are_those_that_rclone_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without rclone, and without a remote, there are none."""
    monkeypatch.setenv("RCLONE_CONFIG", str(tmp_path / "rclone.conf"))
    assert choices.remotes() == []
    (tmp_path / "rclone.conf").write_text("[drive]\ntype = local\n[nas]\ntype = local\n")
    assert choices.remotes() == ["drive:", "nas:"]
    monkeypatch.setenv("PATH", "/nowhere")
    assert choices.remotes() == []
