"""Targets of a first backup that are folders: rights and room are checked before anything is made."""

import os
import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from tray.core.errors import JobSetupError
from tray.jobs import targets

_Usage = namedtuple("_Usage", "total used free")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A source of a million bytes in two folders."""
    (tmp_path / "src" / "below").mkdir(parents=True)
    (tmp_path / "src" / "a").write_bytes(b"x" * 400_000)
    (tmp_path / "src" / "below" / "b").write_bytes(b"x" * 600_000)
    return tmp_path / "src"


def test_a_folder_without_room_is_refused_before_the_backup_fills_it(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The measured size of the sources counts, and some room beside it; a byte more suffices."""
    needed = targets.measured([str(source)], limit=1 << 40) + targets.ROOM
    assert needed >= 1_000_000 + targets.ROOM
    monkeypatch.setattr(shutil, "disk_usage", lambda _: _Usage(needed, 0, needed - 1))
    with pytest.raises(JobSetupError) as caught:
        targets.check(str(tmp_path / "new" / "repo"), [str(source)], {})
    assert caught.value.field == "repository"
    assert "no room" in caught.value.what
    monkeypatch.setattr(shutil, "disk_usage", lambda _: _Usage(needed, 0, needed))
    targets.check(str(tmp_path / "new" / "repo"), [str(source)], {})


def test_the_measuring_stops_when_the_answer_is_known(source: Path) -> None:
    """A home folder of terabytes is not walked to its end for a small stick, and hard limits of time hold."""
    assert 0 < targets.measured([str(source)], limit=10) < 1_000_000
    assert targets.measured([str(source)], limit=1 << 40, seconds=-1) < 1_000_000


def test_a_sparse_file_counts_as_its_blocks(tmp_path: Path) -> None:
    """The image of a virtual disk does not make a target too small."""
    with (tmp_path / "image").open("wb") as file:
        file.truncate(1 << 40)
    assert targets.measured([str(tmp_path / "image")], limit=1 << 50) < 1 << 20


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where only a folder above it exists; root may write everywhere, so the system's answer is replaced."""
    monkeypatch.setattr(os, "access", lambda path, _: Path(path) != tmp_path)
    with pytest.raises(JobSetupError) as caught:
        targets.check(str(tmp_path / "new" / "repo"), [], {})
    assert str(tmp_path) in caught.value.what
    assert "cannot be written" in caught.value.what


@pytest.mark.parametrize(
    ("repository", "names"),
    [
        ("s3:s3.amazonaws.com/b", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]),
        ("b2:bucket:path", ["B2_ACCOUNT_KEY"]),
        ("sftp:nas:/x", []),
        ("/media/stick/backup", []),
    ],
)
def test_only_the_variables_of_the_targets_own_login_are_kept(repository: str, names: list[str]) -> None:
    """A file of a job holds no secret that the job does not need, and no empty one."""
    environ = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "", "AWS_CA_BUNDLE": "/x"}
    environ |= {"B2_ACCOUNT_KEY": "k", "PATH": "/bin", "RESTIC_PASSWORD": "p"}
    assert sorted(targets.login(repository, environ)) == names


@pytest.mark.parametrize(
    ("repository", "helper", "words", "why"),
    [
        ("rclone:nosuch:backup", "rclone", "didn't find section in config file", "rclone has no such remote"),
        ("sftp:nowhere.invalid:/backup", "ssh", "ssh: Could not resolve hostname nowhere.invalid", "name is not known"),
    ],
)
def test_the_helper_of_restic_is_asked_where_restic_did_not_pass_on_its_words(
    repository: str, helper: str, words: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a busy machine restic may end before the program by which it reaches the place has said why that failed."""

    def asked(argv: list[str], *_: object) -> tuple[int, str, str]:
        return 1, "", words if argv[0] == helper else "Fatal: unable to open repository: context canceled"

    monkeypatch.setattr(targets, "_asked", asked)
    with pytest.raises(JobSetupError) as caught:
        targets.check(repository, [], {})
    assert why in caught.value.why
