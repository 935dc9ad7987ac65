"""`backup-tray check` with real restic: proofs, failures, checks that prove nothing, and checks that are stopped."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.program import PASSWORD, make_repository, make_tree, start, status, tray
from tests.e2e.storage import answers, free_port
from tests.waiting import wait_for
from tray.audit.store import AuditLog
from tray.core.paths import places


class Home:
    """A job `home` with a repository and one snapshot."""

    def __init__(self, base: Path) -> None:
        self.source = make_tree(base / "source", files=6, size=40_000)
        self.repository = make_repository(base / "repo")
        self.password = base / "password"
        self.password.write_text(PASSWORD + "\n")
        self.password.chmod(0o600)
        self.configure()

    def configure(self, more: str = "") -> None:
        """Write the configuration."""
        folder = places().config_file.parent
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        places().config_file.write_text(
            f"[jobs.home]\nsources = [{json.dumps(str(self.source))}]\nrepository = {json.dumps(str(self.repository))}\n"
            f"password_file = {json.dumps(str(self.password))}\n{more}"
        )

    def backup(self) -> None:
        """Make a snapshot."""
        done = tray("backup", "home")
        assert done.returncode == 0, done.stderr

    def pack(self) -> Path:
        """Return the file that holds the data."""
        files = (path for path in (self.repository / "data").rglob("*") if path.is_file())
        return max(files, key=lambda path: path.stat().st_size)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A job with one snapshot; its password is in its file alone."""
    monkeypatch.setenv("BACKUP_TRAY_HOME", str(tmp_path / "bt"))
    monkeypatch.setenv("RESTIC_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("RESTIC_PASSWORD", raising=False)
    job = Home(tmp_path)
    job.backup()
    return job


@pytest.fixture
def between(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program `restic` before the real one: runs that, then the code in the file `then` if the command is a restore."""
    folder, real = tmp_path / "bin", shutil.which("restic")
    folder.mkdir()
    (folder / "restic").write_text(
        f"#!{sys.executable}\nimport os, pathlib, subprocess, sys, time\n"
        f"code = subprocess.call([{real!r}, *sys.argv[1:]])\n"
        f"if 'restore' in sys.argv:\n    exec(pathlib.Path({str(tmp_path / 'then')!r}).read_text())\n"
        "sys.exit(code)\n"
    )
    (folder / "restic").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return tmp_path / "then"


def left() -> list[Path]:
    """Return the files that checks have left in their folder, besides locks and the lists of suspects."""
    return [path for path in (places().state / "restored").iterdir() if path.suffix not in (".lock", ".suspects")]


def body() -> dict[str, Any]:
    """Return the body of the newest entry about a run's end."""
    with AuditLog.read(places().audit_db) as log:
        entries = [entry for entry in log.entries() if entry.data["action"] == "run.finished"]
    return dict(entries[-1].body or {})


def checked() -> dict[str, Any]:
    """Return the last check of the one job."""
    return next(dict(job["last"]) for job in status()["jobs"] if job["kind"] == "check")


def test_a_backup_that_can_be_restored_is_proven(home: Home) -> None:
    """The record holds the comparison: files, bytes, snapshot, how; nothing is left, and the check is no backup."""
    done = tray("check", "home")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "  no errors were found\n" in done.stdout
    assert done.stdout.count("same as the source, equals the hash in the snapshot") == 3
    assert "Proven restorable: 3 files, 120 kB" in done.stdout
    run = checked()
    assert (run["job"], run["kind"], run["engine"], run["outcome"]) == ("home (check)", "check", "restic", "succeeded")
    assert (run["files"], run["bytes_processed"]) == (3, 120_000)
    proof = body()["proof"]
    assert (proof["files"], proof["bytes"], proof["how"], proof["changed_since"]) == (
        3,
        120_000,
        "3 with the source",
        0,
    )
    assert len(proof["snapshot"]) == 64
    assert left() == []
    states = {job["job"]: job["state"] for job in status()["jobs"]}
    assert states == {"home": "ok", "home (check)": "none"}


def test_a_file_that_changed_since_is_no_failure(home: Home) -> None:
    """Its hash in the snapshot proves it; the record says how many changed."""
    for path in home.source.rglob("file*"):
        path.write_bytes(b"new")
    done = tray("check", "home")
    assert (done.returncode, done.stdout.count("changed since the backup, equals the hash")) == (0, 3)
    assert (body()["proof"]["how"], body()["proof"]["changed_since"]) == ("3 with the snapshot's hash", 3)


def test_a_damaged_pack_file_fails_the_check_and_is_named(home: Home) -> None:
    """The check is loud, and the backup's own state stays its own."""
    pack = home.pack()
    pack.chmod(0o600)
    pack.write_bytes(pack.read_bytes()[:-10])
    done = tray("check", "home")
    assert (done.returncode, pack.name[:8] in done.stdout) == (2, True)
    assert (checked()["outcome"], pack.name[:8] in checked()["reason"]) == ("failed", True)
    states = {job["job"]: job["state"] for job in status()["jobs"]}
    assert states == {"home": "ok", "home (check)": "failed"}
    assert "proof" not in body()


def test_errors_beside_another_restic_are_no_verdict(home: Home) -> None:
    """A prune that removes data meanwhile looks like damage: that is said, and is neither fine nor a failed check."""
    home.pack().unlink()
    lock = home.repository / "locks" / ("ab" * 32)
    lock.write_bytes(b"of another one")
    assert tray("check", "home").returncode == 1
    assert "another restic is at work in the repository" in checked()["reason"]
    lock.unlink()
    assert (tray("check", "home").returncode, checked()["outcome"]) == (2, "failed")


def test_a_flipped_byte_is_found_where_the_data_is_read(home: Home) -> None:
    """`read_data` of the configuration reaches the engine; a later check that would read less does not clear the damage."""
    pack = home.pack()
    whole = pack.read_bytes()
    data = bytearray(whole)
    data[len(data) // 2] ^= 1
    pack.chmod(0o600)
    pack.write_bytes(data)
    home.configure('check = { every = "30d", read_data = "all" }\n')
    done = tray("check", "home")
    assert (done.returncode, pack.name[:8] in done.stdout) == (2, True)
    assert checked()["outcome"] == "failed"
    home.configure()
    done = tray("check", "home")
    assert (done.returncode, "so all of it is read again" in done.stdout) == (2, True)
    pack.write_bytes(whole)
    for again in (True, False):
        done = tray("check", "home")
        assert (done.returncode, "so all of it is read again" in done.stdout) == (0, again)


def test_a_restored_file_that_differs_fails(home: Home, between: Path) -> None:
    """Same size, same time, other bytes: the comparison with the source finds it, and names the file."""
    between.write_text(
        "target = next(word for word in sys.argv if word.startswith('--target=')).partition('=')[2]\n"
        "path = next(path for path in pathlib.Path(target).rglob('file*'))\n"
        "before = path.stat()\npath.write_bytes(bytes(before.st_size))\n"
        "os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))\n"
    )
    done = tray("check", "home")
    assert done.returncode == 2
    assert "The restore test failed: " in checked()["reason"]
    assert "differs from the source" in checked()["reason"]
    assert str(home.source) in checked()["reason"]
    assert left() == []


def test_the_commands_around_a_backup_run_around_a_check(home: Home, tmp_path: Path) -> None:
    """The repository may lie on a drive that only they mount; they can tell a check by the job's name."""
    away = home.repository.with_name("away")
    home.repository.rename(away)
    script = tmp_path / "drive"
    script.write_text(f'#!/bin/sh\necho "$BACKUP_TRAY_JOB" >> {tmp_path}/told\nmv "$1" "$2"\n')
    script.chmod(0o755)
    before, after = (
        json.dumps([str(script), *map(str, ends)]) for ends in ((away, home.repository), (home.repository, away))
    )
    home.configure(f"before = {before}\nafter = {after}\n")
    done = tray("check", "home")
    assert (done.returncode, checked()["outcome"], away.exists()) == (0, "succeeded", True), done.stdout + done.stderr
    assert (tmp_path / "told").read_text() == "home (check)\n" * 2


def test_an_empty_snapshot_proves_nothing(home: Home) -> None:
    """That is a warning, never a success."""
    shutil.rmtree(home.source)
    home.source.mkdir()
    (home.source / "empty").touch()
    tray("backup", "home")
    done = tray("check", "home")
    assert (done.returncode, checked()["outcome"]) == (1, "warning")
    assert checked()["reason"].startswith("Nothing was proven: snapshot ")


def test_a_repository_without_this_jobs_snapshots_proves_nothing(home: Home, tmp_path: Path) -> None:
    """Another job's snapshots in the same repository do not count."""
    home.source = make_tree(tmp_path / "other", files=2)
    home.configure()
    done = tray("check", "home")
    assert (done.returncode, "no snapshot of this job's sources" in checked()["reason"]) == (1, True)


def test_a_repository_that_is_away_and_a_wrong_password_fail(home: Home) -> None:
    """Each says why."""
    home.password.write_text("wrong")
    assert tray("check", "home").returncode == 2
    assert "password is wrong" in checked()["reason"]
    home.repository.rename(home.repository.with_name("away"))
    assert tray("check", "home").returncode == 2
    assert (checked()["outcome"], checked()["kind"]) == ("failed", "check")
    assert "repository" in checked()["reason"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_check_leaves_nothing(home: Home, between: Path, number: int) -> None:
    """Restored files go, the engine ends, no lock stays, and the record says cancelled."""
    between.write_text(
        "print('here', flush=True)\nopen(sys.argv[0] + '.pid', 'w').write(str(os.getpid()))\ntime.sleep(600)\n"
    )
    note = between.with_name("bin") / "restic.pid"
    with start("check", "home", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as check:
        pid = int(wait_for(lambda: note.exists() and note.read_text(), what="the restore"))
        assert any(path.is_file() for path in (places().state / "restored").rglob("file*"))
        assert list((home.repository / "locks").iterdir()) == [], "a backup beside it would wait"
        check.send_signal(number)
        check.wait(60)
    assert (checked()["outcome"], left()) == ("cancelled", [])
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_killed_check_leaves_its_files_to_the_next_one(home: Home, between: Path) -> None:
    """Which removes them; and two checks of a job are never at work at once."""
    between.write_text("open(sys.argv[0] + '.pid', 'w').write(str(os.getppid()))\ntime.sleep(600)\n")
    note = between.with_name("bin") / "restic.pid"
    with start("check", "home", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as check:
        proof = int(wait_for(lambda: note.exists() and note.read_text(), what="the restore"))
        second = tray("check", "home")
        assert (second.returncode, "home (check) was not started" in second.stderr) == (75, True)
        os.kill(proof, signal.SIGKILL)
        check.wait(60)
    assert left() != []
    between.write_text("")
    assert tray("check", "home").returncode == 0
    assert left() == []


def test_what_cannot_be_checked_says_the_way_out(home: Home) -> None:
    """An engine without a restore of ours, and a script whose repository is not known."""
    config = places().config_file
    config.write_text(
        '[jobs.dar]\ncommand = ["dar", "-c", "/tmp/a", "-R", "/etc"]\n[jobs.script]\ncommand = ["/opt/backup"]\n'
    )
    for job, words in (
        ("dar", "restic, borg, rclone, rsync, tar, not of dar"),
        ("script", "script or another program"),
    ):
        done = tray("check", job)
        assert (done.returncode, words in done.stderr, "next:" in done.stderr) == (2, True, True)


@pytest.fixture
def borg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A job `docs` that calls borg itself, with one archive; returns its repository."""
    monkeypatch.setenv("BACKUP_TRAY_HOME", str(tmp_path / "bt"))
    monkeypatch.setenv("BORG_BASE_DIR", str(tmp_path / "borg"))
    source, repository = make_tree(tmp_path / "source", files=4, size=40_000), tmp_path / "repo"
    (tmp_path / "password").write_text(PASSWORD)
    (tmp_path / "environment").write_text(f"BORG_PASSPHRASE='{PASSWORD}'\n")
    environ = {**os.environ, "BORG_PASSPHRASE": PASSWORD}
    subprocess.run(["borg", "init", "-e", "repokey", repository], check=True, env=environ, capture_output=True)
    command = ["borg", "create", f"{repository}::docs-{{now}}", str(source)]
    subprocess.run(command, check=True, env=environ)
    folder = places().config_file.parent
    folder.mkdir(parents=True, mode=0o700)
    places().config_file.write_text(
        f"[jobs.docs]\ncommand = {json.dumps(command)}\nenvironment_file = {json.dumps(str(tmp_path / 'environment'))}\n"
    )
    return repository


def test_an_archive_of_borg_is_proven_by_source_and_hash(borg: Path, tmp_path: Path) -> None:
    """A changed file is proven by the hash in the archive, the others also byte by byte."""
    done = tray("check", "docs")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("same as the source, equals the hash in the snapshot") == 3
    for path in (tmp_path / "source").rglob("file*"):
        path.write_bytes(b"new")
    done = tray("check", "docs")
    assert (done.returncode, done.stdout.count("changed since the backup, equals the hash")) == (0, 3)
    run, proof = checked(), body()["proof"]
    assert (run["job"], run["engine"], run["files"], run["bytes_processed"]) == ("docs (check)", "borg", 3, 120_000)
    assert (proof["snapshot"][:5], proof["how"]) == ("docs-", "3 with the snapshot's hash")
    assert left() == []


def test_a_damaged_segment_fails_the_check_and_is_named(borg: Path) -> None:
    """borg reads all segments at each check."""
    segment = max((borg / "data").rglob("[0-9]*"), key=lambda path: path.stat().st_size if path.is_file() else 0)
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 1
    segment.write_bytes(data)
    assert tray("check", "docs").returncode == 2
    assert (checked()["outcome"], f"[segment {segment.name}, offset " in checked()["reason"]) == ("failed", True)


def test_borg_away_or_with_a_wrong_password_fails(borg: Path, tmp_path: Path) -> None:
    """Each says why; no question waits for an answer."""
    (tmp_path / "environment").write_text("BORG_PASSPHRASE=wrong\n")
    assert tray("check", "docs").returncode == 2
    assert "passphrase is wrong" in checked()["reason"]
    borg.rename(borg.with_name("away"))
    assert tray("check", "docs").returncode == 2
    assert "There is no borg repository at" in checked()["reason"]


def test_another_jobs_archive_proves_nothing(borg: Path, tmp_path: Path) -> None:
    """The newest archive of the repository is of other sources."""
    config = places().config_file
    config.write_text(config.read_text().replace(f"{tmp_path}/source", f"{tmp_path}/other"))
    assert tray("check", "docs").returncode == 1
    assert "no snapshot of this job's sources" in checked()["reason"]


def of(job: str) -> dict[str, Any]:
    """Return one job of the status."""
    return next(dict(each) for each in status()["jobs"] if each["job"] == job)


def test_the_last_proof_stands_beside_the_job(home: Home) -> None:
    """Also after checks that failed or proved nothing, and after one that only asked the engine."""
    assert of("home")["proven"] is None
    tray("check", "home", check=True)
    proof = of("home")["proven"]
    assert (proof["files"], proof["bytes"], proof["run"]) == (3, 120_000, checked()["run"])
    assert "last proven restorable just now" in tray("status").stdout
    assert "3 files, 120 kB, of snapshot" in tray("status", "--why", "home").stdout
    environ = {**os.environ, "RESTIC_PASSWORD_FILE": str(home.password)}
    tray("run", "--job", "home", "--", "restic", "-r", home.repository, "check", check=True, env=environ)
    assert of("home")["proven"] == proof
    home.password.write_text("wrong")
    tray("check", "home")
    assert (of("home")["proven"], of("home")["state"], of("home (check)")["state"]) == (proof, "ok", "failed")


def test_a_check_has_its_own_rhythm(home: Home) -> None:
    """One that is expected and never came is not fine; a proof makes it so, a check without one does not."""
    home.configure('check = { every = "30d" }\n')
    assert of("home (check)")["rhythm"] == "every 30 days"
    assert of("home (check)")["next"] is not None
    environ = {**os.environ, "RESTIC_PASSWORD_FILE": str(home.password)}
    tray("run", "--job", "home", "--", "restic", "-r", home.repository, "check", check=True, env=environ)
    before = of("home (check)")["next"]
    tray("check", "home", check=True)
    assert of("home (check)")["word"] == "fine"
    assert of("home (check)")["next"] > before
    assert len([job for job in status()["jobs"] if job["kind"] == "check"]) == 1


def test_a_copy_of_rclone_is_compared_with_its_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through an encrypted remote; a copy whose files have all changed since proves nothing."""
    monkeypatch.setenv("BACKUP_TRAY_HOME", str(tmp_path / "bt"))
    source = make_tree(tmp_path / "source", files=4, size=40_000)
    (source / "a b").mkdir()
    (source / "d0" / "file0").rename(source / "a b" / "f[1]*{x}.txt")
    secret = subprocess.check_output(["rclone", "obscure", PASSWORD], text=True).strip()
    (tmp_path / "rclone.conf").write_text(f"[safe]\ntype = crypt\nremote = {tmp_path}/copy\npassword = {secret}\n")
    command = ["rclone", "sync", "--config", str(tmp_path / "rclone.conf"), str(source), "safe:"]
    subprocess.run(command, check=True)
    places().config_file.parent.mkdir(parents=True, mode=0o700)
    places().config_file.write_text(f"[jobs.copy]\ncommand = {json.dumps(command)}\n")
    done = tray("check", "copy")
    assert (done.returncode, done.stdout.count("same as the source\n")) == (0, 3), done.stdout + done.stderr
    assert (checked()["engine"], body()["proof"]["snapshot"]) == ("rclone", None)
    for path in source.rglob("f*"):
        path.write_bytes(b"new")
    assert tray("check", "copy").returncode == 1
    assert checked()["reason"].startswith(
        "Nothing was proven: 3 files could be restored, but all of them have changed since"
    )
    shutil.rmtree(tmp_path / "copy")
    assert tray("check", "copy").returncode == 2


class Copy:
    """A job `copy` that rsync does, on this machine or through a shell as to another one."""

    def __init__(self, base: Path, *, remote: bool) -> None:
        self.sources = [make_tree(base / name, files=3, size=40_000) for name in ("my source", "other")]
        (self.sources[0] / "a b").mkdir()
        (self.sources[0] / "d0" / "file0").rename(self.sources[0] / "a b" / "f[1]*{x} $y.txt")
        self.target = base / "copy"
        shell = base / "shell"
        shell.write_text('#!/bin/sh\nshift\nexec sh -c "$*"\n')
        shell.chmod(0o755)
        places().config_file.parent.mkdir(parents=True, mode=0o700)
        places().config_file.write_text(
            f'[jobs.copy]\nengine = "rsync"\nsources = {json.dumps(list(map(str, self.sources)))}\n'
            f"repository = {json.dumps(f'nas:{self.target}' if remote else str(self.target))}\n"
            + (f"options = [{json.dumps(f'--rsh={shell}')}]\n" if remote else "")
        )
        done = tray("backup", "copy")
        assert done.returncode == 0, done.stderr

    def files(self) -> list[Path]:
        """Return the files of the copy."""
        return [path for path in self.target.rglob("f*") if path.is_file()]


@pytest.fixture(params=["here", "elsewhere"])
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Copy:
    """A copy of two sources, whose names are not simple."""
    monkeypatch.setenv("BACKUP_TRAY_HOME", str(tmp_path / "bt"))
    return Copy(tmp_path, remote=request.param == "elsewhere")


def test_a_copy_of_rsync_is_proven_by_its_source(copy: Copy) -> None:
    """Each source keeps its path; the proof names no snapshot, and nothing is left."""
    done = tray("check", "copy")
    assert (done.returncode, done.stdout.count("same as the source\n")) == (0, 3), done.stdout + done.stderr
    assert "of the copy restored and compared" in done.stdout
    assert (checked()["engine"], checked()["files"], body()["proof"]["snapshot"]) == ("rsync", 3, None)
    assert left() == []


def test_a_source_that_changed_since_is_no_damage_of_the_copy(copy: Copy) -> None:
    """It proves nothing and is said; nothing turns red."""
    for source in copy.sources:
        for path in source.rglob("f*"):
            path.write_bytes(os.urandom(path.stat().st_size))
    done = tray("check", "copy")
    assert (done.returncode, done.stdout.count("changed since the backup\n")) == (1, 3), done.stdout + done.stderr
    assert "all of them have changed since" in checked()["reason"]
    assert checked()["outcome"] == "warning"


def test_other_bytes_of_the_same_size_and_time_are_damage(copy: Copy) -> None:
    """One byte of each file of the copy has flipped, as on a failing disk."""
    for path in copy.files():
        status = path.stat()
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    done = tray("check", "copy")
    assert done.returncode == 2, done.stdout + done.stderr
    assert (checked()["outcome"], "size and times say that the source did not change" in checked()["reason"]) == (
        "failed",
        True,
    )
    assert "proof" not in body()


def test_a_damaged_file_is_not_forgotten_by_a_check_that_chooses_others(copy: Copy) -> None:
    """Only chance leads to it at first; from then on each check looks at it, until it is well again."""
    damaged = copy.files()[0]
    data, status = damaged.read_bytes(), damaged.stat()
    damaged.write_bytes(bytes([data[0] ^ 1]) + data[1:])
    os.utime(damaged, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert any(tray("check", "copy").returncode == 2 for _ in range(60))
    for _ in range(4):
        done = tray("check", "copy")
        assert (done.returncode, "1 of them because the last check found them wrong" in done.stdout) == (2, True)
    damaged.write_bytes(data)
    os.utime(damaged, ns=(status.st_atime_ns, status.st_mtime_ns))
    done = tray("check", "copy")
    assert (done.returncode, "1 of them because" in done.stdout) == (0, True)
    assert "because" not in tray("check", "copy").stdout


def test_a_copy_that_is_gone_fails_and_one_beside_its_backup_is_no_verdict(copy: Copy, tmp_path: Path) -> None:
    """The first is red; the second proves nothing, since the copy changes meanwhile."""
    copy.target.rename(tmp_path / "away")
    assert tray("check", "copy").returncode == 2
    assert checked()["outcome"] == "failed"
    (tmp_path / "away").rename(copy.target)
    with start("run", "--job", "copy", "--", "sh", "-c", f"touch {tmp_path}/begun; exec sleep 600") as backup:
        try:
            wait_for((tmp_path / "begun").exists, what="the backup")
            assert tray("check", "copy").returncode == 1
            assert "a backup of this job goes on" in checked()["reason"]
        finally:
            backup.terminate()
            backup.wait(60)


@pytest.fixture
def module(tmp_path: Path) -> Iterator[str]:
    """The address of a module of an rsync daemon that asks for a password, which is in the file `secret`."""
    (tmp_path / "store").mkdir()
    for name, words in (("secret", f"{PASSWORD}\n"), ("secrets", f"ann:{PASSWORD}\n")):
        (tmp_path / name).write_text(words)
        (tmp_path / name).chmod(0o600)
    config = tmp_path / "rsyncd.conf"
    who = f"uid = {os.getuid()}\ngid = {os.getgid()}\n"
    config.write_text(
        f"use chroot = no\n{who}[m]\npath = {tmp_path}/store\nread only = no\nauth users = ann\nsecrets file = {tmp_path}/secrets\n"
    )
    port = free_port()
    words = ["--daemon", "--no-detach", "--address=127.0.0.1", f"--port={port}", f"--config={config}"]
    server = subprocess.Popen(["rsync", *words])
    try:
        wait_for(lambda: answers(port), what="the daemon")
        yield f"rsync://ann@127.0.0.1:{port}/m/copy"
    finally:
        server.kill()
        server.wait()


def test_a_module_of_an_rsync_daemon_is_compared_with_its_source(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the password from its file, which no command line shows."""
    monkeypatch.setenv("BACKUP_TRAY_HOME", str(tmp_path / "bt"))
    source = make_tree(tmp_path / "my source", files=4, size=4_000)
    keys = ("--repository", module, "--password-file", tmp_path / "secret")
    tray("jobs", "add", "copy", "--engine", "rsync", "--source", source, *keys, check=True)
    tray("backup", "copy", check=True)
    done = tray("check", "copy")
    assert (done.returncode, done.stdout.count("same as the source\n")) == (0, 3), done.stdout + done.stderr
    assert PASSWORD not in done.stdout + done.stderr


@pytest.mark.parametrize("layout", ["whole", "contents", "marked", "several"])
def test_each_file_of_a_copy_is_found_at_its_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: str
) -> None:
    """However rsync was told to lay the copy out."""
    monkeypatch.setenv("BACKUP_TRAY_HOME", str(tmp_path / "bt"))
    first, second = (str(make_tree(tmp_path / name, files=3, size=4_000)) for name in ("one", "two"))
    words = {
        "whole": [first],
        "contents": [f"{first}/"],
        "marked": ["--relative", f"{tmp_path}/./one", f"{tmp_path}/./two/"],
        "several": [first, second],
    }[layout]
    command = ["rsync", "--recursive", "--times", *words, str(tmp_path / "copy")]
    subprocess.run(command, check=True)
    places().config_file.parent.mkdir(parents=True, mode=0o700)
    places().config_file.write_text(f"[jobs.copy]\ncommand = {json.dumps(command)}\n")
    done = tray("check", "copy")
    assert (done.returncode, done.stdout.count("same as the source\n")) == (0, 3), done.stdout + done.stderr


def test_a_scheduled_check_that_its_conditions_keep_back_is_a_skip_of_the_checks_alone(home: Home) -> None:
    """Its target is away: on record with the reason, and no check that failed."""
    home.configure('conditions = ["target"]\ncheck = { every = "30d" }\n')
    home.repository.rename(home.repository.with_name("away"))
    done = tray("check", "--scheduled", "--patience", "0", "home")
    assert (done.returncode, "home (check) was skipped" in done.stderr) == (0, True)
    (shown,) = [
        json.loads(line) for line in tray("audit", "show", "--json", "--action", "run.skipped").stdout.splitlines()
    ]
    assert (shown["job"], shown["kind"], shown["result"]) == ("home (check)", "check", "target away")
    assert tray("check", "home").returncode == 2, "a user who starts it wants it now"


def test_a_scheduled_check_whose_job_is_broken_is_red(home: Home) -> None:
    """No user reads the output of a scheduler's process."""
    home.configure('environment_file = "/no/such"\n')
    assert tray("check", "--scheduled", "home").returncode != 0
    assert (checked()["job"], checked()["outcome"], "/no/such" in checked()["reason"]) == (
        "home (check)",
        "failed",
        True,
    )
    assert of("home")["state"] == "ok"


def test_a_scheduled_check_of_an_engine_that_cannot_be_checked_is_red(home: Home) -> None:
    """The job was changed since the schedule was made; one that the user starts is refused, and leaves no record."""
    folder = places().config_file
    folder.write_text('[jobs.home]\ncommand = ["dar", "-c", "/tmp/a", "-R", "/etc"]\n')
    assert tray("check", "home").returncode == 2
    assert not [job for job in status()["jobs"] if job["kind"] == "check"]
    assert tray("check", "--scheduled", "home").returncode == 2
    assert (checked()["outcome"], "not of dar" in checked()["reason"]) == ("failed", True)


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The archive of a job `docs` of tar's, whose name says that it is not compressed; its source is beside it."""
    monkeypatch.setenv("BACKUP_TRAY_HOME", str(tmp_path / "bt"))
    source = make_tree(tmp_path / "my source", files=5, size=40_000)
    (source / "d0" / "file0").rename(source / "f[1]*{x} $y.txt")
    made = tmp_path / "my docs.tar"
    places().config_file.parent.mkdir(parents=True, mode=0o700)
    places().config_file.write_text(
        f'[jobs.docs]\nengine = "tar"\nsources = [{json.dumps(str(source))}]\nrepository = {json.dumps(str(made))}\n'
    )
    done = tray("backup", "docs")
    assert done.returncode == 0, done.stderr
    return made


def test_an_archive_of_tar_is_proven_by_its_source(archive: Path) -> None:
    """A source that changed since proves nothing and is no damage."""
    done = tray("check", "docs")
    assert (done.returncode, done.stdout.count("same as the source\n")) == (0, 3), done.stdout + done.stderr
    assert (checked()["engine"], left()) == ("tar", [])
    for path in (archive.parent / "my source").rglob("f*"):
        path.write_bytes(os.urandom(path.stat().st_size))
        os.utime(path, (1, 1))
    done = tray("check", "docs")
    assert (done.returncode, checked()["outcome"]) == (1, "warning"), done.stdout + done.stderr
    assert "all of them have changed since" in checked()["reason"]


def test_an_archive_of_tar_whose_bytes_differ_or_are_cut_off_fails(archive: Path) -> None:
    """tar itself has no hashes, so only the comparison shows flipped bytes."""
    whole = archive.read_bytes()
    broken = bytearray(whole)
    for path in (archive.parent / "my source").rglob("f*"):
        if path.is_file():
            at = whole.index(path.read_bytes()[:64]) + 10
            broken[at] ^= 1
    archive.write_bytes(broken)
    assert tray("check", "docs").returncode == 2
    assert "size and times say that the source did not change" in checked()["reason"]
    archive.write_bytes(whole[: len(whole) // 2])
    assert tray("check", "docs").returncode == 2
    assert "cut off" in checked()["reason"]
