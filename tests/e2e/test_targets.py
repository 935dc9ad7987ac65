"""Targets of a first backup by kind: a real sshd, a REST server, remotes of rclone; a fault is told before anything is made."""

import getpass
import os
import shlex
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.program import make_tree, status, tray
from tests.e2e.storage import KEY, SECRET, answers, free_port, storage
from tests.e2e.test_recovery_sheet import PASSWORD, commands, typed
from tests.mounts import mounted
from tests.waiting import wait_for
from tray.jobs import targets


@pytest.fixture
def sftp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a real sftp server, whose key is in `tmp_path/key`; `ssh` in PATH knows both.

    A test may give it mounts of its own, as shell commands in the folder of the test.
    """
    port, folder = free_port(), tmp_path / "ssh"
    folder.mkdir(mode=0o700)
    for name in ("host", "key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    shutil.copy(folder / "key.pub", folder / "authorized")
    (folder / "known").write_text(f"[127.0.0.1]:{port} {(folder / 'host.pub').read_text()}")
    lines = (
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/authorized\nStrictModes no\n"
        f"UsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPidFile none\nPermitRootLogin prohibit-password\n"
        "Subsystem sftp internal-sftp\n"
    )
    (folder / "config").write_text(lines)
    (folder / "client").write_text(
        f"IdentityFile {folder}/key\nIdentitiesOnly yes\nUserKnownHostsFile {folder}/known\n"
    )
    shim = tmp_path / "bin" / "ssh"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {folder}/client "$@"\n')
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", f"{shim.parent}:{os.environ['PATH']}")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    argv = ["/usr/sbin/sshd", "-D", "-e", "-f", str(folder / "config")]
    if mount := getattr(request, "param", ""):
        (tmp_path / "remote").mkdir()
        argv = mounted(f"cd {shlex.quote(str(tmp_path))}; {mount}", *argv)
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(argv, stderr=log)
    wait_for(lambda: answers(port))
    yield f"sftp://{getpass.getuser()}@127.0.0.1:{port}/{tmp_path}/remote"
    server.terminate()
    server.wait()


@pytest.fixture
def rest(tmp_path: Path) -> Iterator[str]:
    """The address of a real server of restic's REST protocol."""
    port = free_port()
    argv = ["rclone", "serve", "restic", "--addr", f"127.0.0.1:{port}", str(tmp_path / "remote")]
    server = subprocess.Popen(argv, stderr=subprocess.DEVNULL)
    wait_for(lambda: answers(port))
    yield f"rest:http://127.0.0.1:{port}/mine"
    server.terminate()
    server.wait()


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real S3 storage, without a bucket."""
    with storage(tmp_path_factory.mktemp("s3")) as address:
        yield address


def create(tmp_path: Path, repository: str) -> "subprocess.CompletedProcess[str]":
    """Make a first backup as a script does."""
    tree = make_tree(tmp_path / "src")
    return tray("create", "--yes", "--source", tree, "--repository", repository)


def made_nothing(tmp_path: Path) -> bool:
    """Whether neither a password nor a login nor a job is left."""
    files = [
        file for ending in ("password", "environment") for file in (tmp_path / "bt" / "config").glob(f"*.{ending}")
    ]
    return not files and '"home"' not in tray("jobs", "--json").stdout


def test_a_first_backup_goes_to_a_real_sftp_server_and_the_second_job_finds_it_taken(sftp: str, tmp_path: Path) -> None:
    """The keys of ssh are used as they are; a place that is a repository already is refused before anything is made."""
    done = create(tmp_path, sftp)
    assert done.returncode == 0, done.stderr
    assert status()["state"] == "ok"
    assert (tmp_path / "remote" / "config").is_file()
    again = tray("create", "--yes", "--name", "again", "--source", tmp_path / "src", "--repository", sftp)
    assert "is a restic repository already" in again.stderr


def test_a_refused_key_is_told_before_anything_is_made(sftp: str, tmp_path: Path) -> None:
    """ssh asks for no password either: there is no terminal for the nightly run."""
    (tmp_path / "ssh" / "authorized").write_text("")
    done = create(tmp_path, sftp)
    assert (done.returncode, "The login was refused" in done.stderr) == (2, True), done.stderr
    assert made_nothing(tmp_path)


def test_a_first_backup_goes_to_a_real_rest_server(rest: str, tmp_path: Path) -> None:
    """The server has the snapshot, and the status is green."""
    done = create(tmp_path, rest)
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "remote" / "mine" / "snapshots").iterdir())) == 1
    assert status()["state"] == "ok"


def test_a_first_backup_goes_to_a_remote_of_rclone(tmp_path: Path) -> None:
    """A remote that needs no configuration file."""
    done = create(tmp_path, f"rclone::local:{tmp_path}/remote")
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "remote" / "snapshots").iterdir())) == 1


@pytest.mark.parametrize(
    ("repository", "words"),
    [
        ("sftp:nowhere.invalid:/backup", "its name is not known"),
        ("rest:http://127.0.0.1:1/mine", "it refused the connection"),
        ("rclone:nosuch:backup", "has no such remote"),
    ],
)
def test_a_place_that_cannot_be_reached_is_told_before_anything_is_made(
    repository: str, words: str, tmp_path: Path
) -> None:
    """The error says why; no password and no job is left."""
    done = create(tmp_path, repository)
    assert (done.returncode, words in done.stderr) == (2, True), done.stderr
    assert made_nothing(tmp_path)


def test_a_first_backup_goes_to_a_real_s3_storage_and_the_next_one_needs_no_variables(
    s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The keys of the terminal are kept in a private file: a schedule would not have them."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    done = create(tmp_path, f"{s3}/first/laptop")
    assert done.returncode == 0, done.stderr
    (kept,) = (tmp_path / "bt" / "config").glob("*.environment")
    assert (str(kept) in done.stdout, stat.S_IMODE(kept.stat().st_mode)) == (True, 0o600)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    again = tray("backup", "home")
    assert again.returncode == 0, again.stderr
    assert tray("check", "home").returncode == 0
    assert status()["state"] == "ok"
    said = [tray("jobs", "sheet", "home").stdout, (tmp_path / "bt" / "config" / "config.toml").read_text(), done.stdout]
    assert not any(SECRET in text for text in said)


def test_the_recovery_sheet_of_a_storage_sets_the_keys_first(
    s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commands of the sheet, typed on another machine, restore the files; without the user's word no value is on it."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    (tmp_path / "word").write_text(PASSWORD)
    tree, home = make_tree(tmp_path / "src"), tmp_path / "elsewhere"
    made = ("create", "--yes", "--source", tree, "--repository", f"{s3}/sheet", "--password-file", tmp_path / "word")
    tray(*made, check=True)
    home.mkdir()
    lines = commands(tray("jobs", "sheet", "home", "--with-password", check=True).stdout)
    assert typed("; ".join(lines), home) == 0
    assert (home / "restored" / str(tree).lstrip("/") / "d0" / "file0").read_bytes() == (
        tree / "d0" / "file0"
    ).read_bytes()
    plain = tray("jobs", "sheet", "home", check=True).stdout
    assert "read -r AWS_SECRET_ACCESS_KEY && export AWS_SECRET_ACCESS_KEY" in plain
    assert SECRET not in plain


@pytest.mark.parametrize(
    ("key", "secret", "words"),
    [
        (KEY, "another", "does not accept the access key"),
        ("another", SECRET, "does not accept the access key"),
        ("", "", "AWS_ACCESS_KEY_ID"),
    ],
)
def test_wrong_keys_of_a_storage_are_told_before_anything_is_made(
    key: str, secret: str, words: str, s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says why, and no bucket, password, login or job is left."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    done = create(tmp_path, f"{s3}/refused/laptop")
    assert (done.returncode, words in done.stderr) == (2, True), done.stderr
    assert SECRET not in done.stderr + done.stdout
    assert made_nothing(tmp_path)


@pytest.mark.parametrize("sftp", ["mount -t tmpfs -o size=64m,mode=777 tmpfs remote"], indirect=True)
def test_a_server_without_room_is_told_before_anything_is_made(sftp: str, tmp_path: Path) -> None:
    """The server tells its room over sftp; a backup that cannot fit does not begin."""
    done = create(tmp_path, f"{sftp}/new")
    assert (done.returncode, "There is no room for the backup" in done.stderr) == (2, True), done.stderr
    assert made_nothing(tmp_path)


def test_the_room_of_a_server_and_of_a_remote_is_known(sftp: str, tmp_path: Path) -> None:
    """Both lie on the disk of this test; their figures are the system's own, give or take other programs' files."""
    (tmp_path / "remote").mkdir()
    disk = shutil.disk_usage(tmp_path).free
    for address in (f"{sftp}/new/deep", f"rclone::local:{tmp_path}/remote/new"):
        free = targets.reach(address, os.environ)
        assert free is not None, address
        assert abs(free - disk) < 1 << 30, address
