import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tray import engines
from tray.core import clock
from tray.core.errors import RepositoryUnreachableError
from tray.core.locks import process_start
from tray.repository import files, local, locks, look, new_snapshots

DAY = 86_400_000
ENGINES = sorted(known.name for known in engines.ENGINES if files.can_read(known.name))


def restic(folder: Path, *snapshots: tuple[str, int]) -> Path:
    """Make the folders of a restic repository with *snapshots* (beginning of the id, time)."""
    for name in ("data", "index", "keys", "locks", "snapshots"):
        (folder / name).mkdir(parents=True)
    (folder / "config").write_bytes(b"x" * 155)
    for name, when in snapshots:
        written(folder / "snapshots" / name.ljust(64, "0"), when)
    return folder


def borg(folder: Path, *, changed: int = 5000) -> Path:
    """Make the files of a borg repository."""
    (folder / "data" / "0").mkdir(parents=True)
    (folder / "config").write_text("[repository]\nversion = 1\n")
    written(folder / "index.5", changed)
    return folder


def written(path: Path, when: int, text: str = "x") -> Path:
    """Write a file at a time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, ns=(when * 1_000_000, when * 1_000_000))
    return path


def tree(folder: Path) -> list[tuple[str, int, int, int]]:
    """Everything in a folder with its times, but for the time of reading."""
    return sorted(
        (str(path), found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        for path in [folder, *folder.rglob("*")]
        for found in [path.lstat()]
    )


def gone_pid() -> int:
    """Return the id of a process that has ended."""
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


@pytest.mark.parametrize(
    ("engine", "address", "where", "folder"),
    [
        ("restic", "/mnt/b", None, "/mnt/b"),
        ("restic", "/mnt/b/../c/", None, "/mnt/c"),
        ("restic", "local:/mnt/b", None, "/mnt/b"),
        ("restic", "b", "/mnt", "/mnt/b"),
        ("restic", "b", None, None),
        ("restic", "local:b", "/mnt", "/mnt/b"),
        ("restic", "~/b", "/mnt", None),
        ("restic", "rest:http://nas:8000/b", "/mnt", None),
        ("restic", "sftp:me@nas:/b", "/mnt", None),
        ("restic", "s3:host/b", "/mnt", None),
        ("restic", "named in /etc/repository", "/mnt", None),
        ("restic", "", "/mnt", None),
        ("restic", None, "/mnt", None),
        ("restic", "/mnt/\0", None, None),
        ("borg", "file:///mnt/b", None, "/mnt/b"),
        ("borg", "ssh://nas/b", "/mnt", None),
        ("borg", "me@nas:b", "/mnt", None),
        ("borg", "nas:b", "/mnt", None),
        ("rclone", "remote:b", "/mnt", None),
        ("rsync", "rsync://nas/b", "/mnt", None),
        ("duplicity", "file:///mnt/b", None, "/mnt/b"),
        ("duplicity", "b", "/mnt", None),
    ],
)
def test_an_address_is_a_folder_only_where_the_engine_takes_it_as_one(
    engine: str, address: str | None, where: str | None, folder: str | None
) -> None:
    """We never look at the wrong folder because an address of another machine looks like one here."""
    assert local.folder(engine, address, where) == (None if folder is None else Path(folder))


def test_a_folder_of_the_temporary_files_is_on_a_disk_and_one_of_the_kernel_is_not(tmp_path: Path) -> None:
    """Only file systems that are known to answer at once are asked."""
    assert local.on_a_disk(tmp_path)
    assert local.on_a_disk(tmp_path / "not" / "there")
    assert not local.on_a_disk(Path("/proc/self"))


def test_a_link_is_followed_to_the_file_system_that_it_leads_to(tmp_path: Path) -> None:
    """A link on a disk to a share on a network is a share on a network, and a ring of links is nothing."""
    (tmp_path / "to-proc").symlink_to("/proc")
    (tmp_path / "back").symlink_to("to-proc/../" + str(tmp_path)[1:])
    (tmp_path / "ring").symlink_to("ring")
    assert not local.on_a_disk(tmp_path / "to-proc" / "1")
    assert not local.on_a_disk(tmp_path / "back")
    assert not local.on_a_disk(tmp_path / "ring")


def test_restic_snapshots_are_counted_and_the_newest_is_named(tmp_path: Path) -> None:
    """Count, newest and its time come from names and times alone; a name that is no id does not count."""
    folder = restic(tmp_path / "r", ("aa", 1000), ("bb", 3000), ("cc", 2000))
    written(folder / "snapshots" / "tmp-file", 9000)
    found = files.look("restic", folder)
    assert (found.snapshots, found.last_snapshot, found.last_ms) == (3, "bb".ljust(64, "0"), 3000)
    assert found.has("aa000000")
    assert not found.has("ab")


def test_an_empty_restic_repository_has_no_newest_snapshot(tmp_path: Path) -> None:
    """Zero is a number, and different from not known."""
    found = files.look("restic", restic(tmp_path / "r"))
    assert (found.snapshots, found.last_snapshot, found.last_ms) == (0, None, None)


def test_borg_archives_are_not_counted_without_the_key(tmp_path: Path) -> None:
    """Encrypted contents are unknown; the time of the last commit is known."""
    found = files.look("borg", borg(tmp_path / "b", changed=7000))
    assert (found.snapshots, found.last_ms, found.ids, found.changed_ms) == (None, None, None, 7000)


def test_duplicity_sets_count_once_their_manifest_is_there(tmp_path: Path) -> None:
    """A volume without a manifest is a backup that did not end."""
    written(tmp_path / "duplicity-full.20260101T000000Z.manifest.gpg", 1000)
    written(tmp_path / "duplicity-inc.20260101T000000Z.to.20260102T000000Z.manifest", 2000)
    written(tmp_path / "duplicity-inc.20260102T000000Z.to.20260103T000000Z.vol1.difftar.gz", 3000)
    found = files.look("duplicity", tmp_path)
    assert (found.snapshots, found.last_snapshot, found.last_ms) == (2, "20260101T000000Z.to.20260102T000000Z", 2000)


def test_rdiff_backup_sessions_count_once_their_statistics_are_there(tmp_path: Path) -> None:
    """The mirror of an interrupted session is no snapshot."""
    data = tmp_path / "rdiff-backup-data"
    written(data / "session_statistics.2026-01-01T00:00:00Z.data", 1000)
    written(data / "current_mirror.2026-01-02T00:00:00Z.data", 2000)
    found = files.look("rdiff-backup", tmp_path)
    assert (found.snapshots, found.last_snapshot, found.last_ms) == (1, "2026-01-01T00:00:00Z", 1000)


def test_an_archive_of_tar_is_as_old_as_its_file(tmp_path: Path) -> None:
    """The file is all that there is."""
    archive = written(tmp_path / "a.tar", 4000, "12345")
    assert files.look("tar", archive).last_ms == 4000
    assert files.size(archive) == 5


@pytest.mark.parametrize("engine", ENGINES)
def test_a_repository_that_is_not_there_says_so(engine: str, tmp_path: Path) -> None:
    """A disk that is not mounted is an error with its reason, not an empty repository."""
    with pytest.raises(RepositoryUnreachableError) as caught:
        files.look(engine, tmp_path / "not" / "there")
    assert "may not be mounted" in caught.value.why
    assert "backup-tray repository --refresh" in caught.value.next


@pytest.mark.parametrize("engine", ["restic", "borg", "rdiff-backup"])
def test_the_empty_mount_point_of_a_repository_is_no_empty_repository(engine: str, tmp_path: Path) -> None:
    """An unmounted disk leaves an empty folder behind; that is no repository without snapshots."""
    with pytest.raises(RepositoryUnreachableError, match="cannot be looked at") as caught:
        files.look(engine, tmp_path)
    assert f"no {engine} repository" in caught.value.why


def test_a_file_where_a_folder_should_be_is_an_error_with_its_name(tmp_path: Path) -> None:
    """Whatever the file system says becomes a sentence."""
    written(tmp_path / "r", 1000)
    with pytest.raises(RepositoryUnreachableError, match="cannot be looked at") as caught:
        files.look("restic", tmp_path / "r")
    assert "is no folder" in caught.value.why


def test_looking_changes_nothing(tmp_path: Path) -> None:
    """The repository is as before, whatever was asked of it."""
    folder = restic(tmp_path / "r", ("aa", 1000))
    written(folder / "locks" / ("d" * 64), 1000)
    before = tree(folder)
    files.look("restic", folder)
    files.size(folder)
    locks.left_behind("restic", str(folder), 0)
    new_snapshots.snapshots("restic", str(folder), 0, clock.now_ms())
    assert tree(folder) == before


def test_a_size_is_counted_or_not_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A repository too large to measure in a moment has no size, not half of it."""
    folder = restic(tmp_path / "r", ("aa", 1000))
    assert files.size(folder) == 156
    monkeypatch.setattr(files, "MAX_SIZED", 3)
    assert files.size(folder) is None
    assert files.size(tmp_path / "none") is None


@pytest.mark.process
def test_what_one_process_found_arrives_in_another_unchanged(tmp_path: Path) -> None:
    """A look in a process of its own tells the same as one in ours."""
    folder = restic(tmp_path / "r", ("aa", 1000), ("bb", 3000))
    written(folder / "locks" / ("d" * 64), 1000)
    found = files.look("restic", folder)
    assert files.Found.from_json(json.loads(json.dumps(found.to_json()))) == found
    assert look.read_apart("restic", folder) == (found, None)


@pytest.mark.process
def test_a_look_apart_says_why_it_failed(tmp_path: Path) -> None:
    """The reason comes back from the other process."""
    with pytest.raises(RepositoryUnreachableError) as caught:
        look.read_apart("restic", tmp_path / "none")
    assert "may not be mounted" in caught.value.why


@pytest.mark.process
def test_a_folder_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dead server costs some seconds once, and the process that waits for it is remembered and not joined by another."""
    os.mkfifo(tmp_path / "fifo")
    hangs = tmp_path / "python"
    hangs.write_text(f"#!/bin/sh\nexec cat {tmp_path}/fifo\n")
    hangs.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(hangs))
    monkeypatch.setattr(look, "ANSWER_SECONDS", 0.2)
    found, stuck = look.read_apart("restic", tmp_path)
    assert found == files.Found()
    assert stuck is not None
    assert process_start(stuck.pid) is None  # this one could be killed


def test_a_restic_lock_is_found_by_its_file(tmp_path: Path) -> None:
    """Its holder is encrypted, its age is not; and a lock from before the run is not the run's."""
    folder = restic(tmp_path / "r")
    now = clock.now_ms()
    written(folder / "locks" / ("d" * 64), now)
    assert locks.held("restic", folder) == [locks.Lock("d" * 64, now)]
    assert locks.left_behind("restic", str(folder), now - 10) == "The repository is still locked (lock dddddddd)."
    assert locks.left_behind("restic", str(folder), now + 10_000) is None
    assert locks.left_behind("restic", "r", now - 10, str(tmp_path)) is not None


def _borg_lock(folder: Path, holder: str) -> None:
    written(folder / "lock.exclusive" / holder, 5000)


@pytest.mark.process
def test_a_borg_lock_names_its_holder_and_whether_that_is_gone(tmp_path: Path) -> None:
    """Only a process of this very machine can be known to be gone: name and hardware address must both be ours."""
    here, node = socket.gethostname(), next(iter(locks._nodes()))
    for holder, by, gone in (
        (f"{here}@{node}.{gone_pid()}-0", "process", True),
        (f"{here}@{node}.{os.getpid()}-0", f"process {os.getpid()} on {here.partition('.')[0]}", False),
        (f"{here}@{node + 1}.{gone_pid()}-0", "process", False),
        (f"nas.example.org@{node}.{gone_pid()}-0", "on nas", False),
    ):
        folder = borg(tmp_path / holder)
        _borg_lock(folder, holder)
        (found,) = locks.held("borg", folder)
        assert by in (found.holder or "")
        assert (found.gone, found.since_ms) == (gone, 5000)


def test_borg_readers_are_found_in_the_roster(tmp_path: Path) -> None:
    """A shared lock counts too."""
    folder = borg(tmp_path / "b")
    written(folder / "lock.roster", 6000, '{"exclusive": [], "shared": [["nas@1", 4711, 0]]}')
    (found,) = locks.held("borg", folder)
    assert (found.name, found.holder, found.since_ms) == ("shared", "process 4711 on nas", 6000)


@pytest.mark.parametrize("roster", ["", "[]", "{", '{"shared": 3}', '{"shared": [3]}', '{"shared": [["a", "b", 0]]}'])
def test_a_roster_that_makes_no_sense_is_no_lock(roster: str, tmp_path: Path) -> None:
    """Garbage is neither a lock nor a crash."""
    folder = borg(tmp_path / "b")
    (folder / "lock.roster").write_text(roster)
    assert locks.held("borg", folder) == []


@pytest.mark.parametrize("engine", ["rclone", "tar", "command", "unheard-of"])
def test_engines_without_locks_leave_none(engine: str, tmp_path: Path) -> None:
    """We say nothing about locks that are unknown."""
    assert locks.left_behind(engine, str(tmp_path), 0) is None
    assert new_snapshots.snapshots(engine, str(tmp_path), 0, clock.now_ms()) == []


def test_a_snapshot_is_evidence_only_if_it_is_as_new_as_the_run(tmp_path: Path) -> None:
    """A snapshot from a second before the run proves nothing about it."""
    folder = restic(tmp_path / "r", ("aa", 1000), ("bb", 3000))
    assert new_snapshots.snapshots("restic", str(folder), 3000, 9000) == [(3000, "bb".ljust(64, "0"))]
    assert new_snapshots.snapshots("restic", str(folder), 3001, 9000) == []
    assert new_snapshots.snapshots("borg", str(borg(tmp_path / "b")), 0, 9000) == []
