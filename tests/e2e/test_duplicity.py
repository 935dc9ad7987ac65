"""duplicity under watch: real backups without encryption, the caller's output, and the record."""

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from tests.e2e.program import TRAY, engine_pid, last, make_tree, start, status, tray
from tests.e2e.twins import READS_NO_MORE, Ran, Twins, make_twins
from tests.mounts import mounted
from tests.waiting import wait_for
from tray import runs
from tray.core.paths import Places

OPEN = ("--no-encryption", "--archive-dir", "archive")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home and keyring of its own, and no passphrase."""
    (tmp_path / "gnupg").mkdir(mode=0o700)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GNUPGHOME", str(tmp_path / "gnupg"))
    monkeypatch.delenv("PASSPHRASE", raising=False)


@pytest.fixture
def twins(tmp_path: Path) -> Twins:
    """Two folders with the same files."""
    return make_twins(tmp_path)


SCENARIOS = {
    "first": (["full", *OPEN, "source", "file://r"], "succeeded"),
    "incremental": ([*OPEN, "source", "file://r"], "succeeded"),
    "odd names": (["full", *OPEN, "odd", "file://o"], "succeeded"),
    "source missing": (["full", *OPEN, "missing", "file://r"], "failed"),
    "folder missing": (["full", *OPEN, "source", "file:///proc/missing/r"], "failed"),
    "no full backup": (["incremental", *OPEN, "source", "file://other"], "failed"),
    "no key": (["full", "--archive-dir", "archive", "--encrypt-key", "DEADBEEF", "source", "file://k"], "failed"),
    "wrong flag": (["full", "--no-such-flag", "source", "file://r"], "failed"),
}
REASONS = {
    "source missing": "missing does not exist",
    "folder missing": "place for the backup does not exist",
    "no full backup": "`duplicity full`",
    "no key": "no such key",
    "wrong flag": "--no-such-flag|positional args for 'full'",  # the words of 0.8 and of 3
}


def test_the_caller_sees_the_output_of_bare_duplicity(twins: Twins) -> None:
    """Nothing is added and nothing is lost: both streams and the exit code are the same, times apart."""
    for job, (arguments, _) in SCENARIOS.items():
        bare, wrapped = (_without_times(ran, twins) for ran in twins.run("duplicity", *arguments, job=job))
        assert wrapped == bare, job
    ended = {job["job"]: job["last"] for job in status()["jobs"]}
    assert {job: run["outcome"] for job, run in ended.items()} == {job: want for job, (_, want) in SCENARIOS.items()}
    assert {job: words for job, words in REASONS.items() if not re.search(words, ended[job]["reason"])} == {}
    assert ended["first"]["files"] == 18
    assert ended["first"]["bytes_added"] > 30_000 > ended["incremental"]["bytes_added"]


def test_other_work_has_a_kind_of_its_own(twins: Twins) -> None:
    """The log records a restore, a comparison and a removal as such."""
    place = twins.wrapped
    subprocess.run(["duplicity", *OPEN, "source", "file://r"], cwd=place, check=True, stdout=subprocess.DEVNULL)
    old = ("duplicity", "remove-all-but-n-full", "1", "--force", *OPEN, "file://r")
    assert tray("run", "--job", "old", "--", *old, cwd=place).returncode == 0
    assert tray("run", "--job", "back", "--", "duplicity", *OPEN, "file://r", "back", cwd=place).returncode == 0
    verify = ("duplicity", "verify", "--compare-data", *OPEN, "file://r")
    assert tray("run", "--job", "same", "--", *verify, "back", cwd=place).returncode == 0
    (place / "source/d1/file1").write_text("other")
    assert tray("run", "--job", "differs", "--", *verify, "source", cwd=place).returncode == 1
    assert {job["job"]: (job["last"]["kind"], job["last"]["outcome"]) for job in status()["jobs"]} == {
        "back (restore)": ("restore", "succeeded"),
        "same (check)": ("check", "succeeded"),
        "differs (check)": ("check", "warning"),
        "old (prune)": ("prune", "succeeded"),
    }


def test_files_that_cannot_be_read_are_a_warning_with_their_names(twins: Twins) -> None:
    """duplicity ends with exit code 0 without them; its own count says how many are missing."""
    _, wrapped = twins.run(*READS_NO_MORE, "duplicity", "full", *OPEN, "shut", "file://r")
    assert (wrapped.code, wrapped.out.count(b"possibly locked file")) == (0, 2)
    ended = last()
    assert (ended["outcome"], ended["errors"]) == ("warning", 2)
    assert "shut/d1/file1" in ended["reason"]


def test_a_passphrase_is_hidden_and_a_wrong_one_named(twins: Twins, monkeypatch: pytest.MonkeyPatch) -> None:
    """duplicity cannot continue a backup that another passphrase encrypted; the reason says so, and no file holds either one."""
    backup = ("duplicity", "--archive-dir", "archive", "source", "file://r")
    monkeypatch.setenv("PASSPHRASE", "correct horse")
    assert tray("run", "--", *backup, cwd=twins.wrapped).returncode == 0
    (twins.wrapped / "archive").rename(twins.wrapped / "gone")
    monkeypatch.setenv("PASSPHRASE", "wrong battery")
    assert tray("run", "--", *backup, cwd=twins.wrapped).returncode == 31
    subprocess.run(["gpgconf", "--kill", "all"], check=True)
    assert "passphrase is missing or wrong" in last()["reason"]
    kept = b"".join(path.read_bytes() for path in (twins.bare.parent / "bt").rglob("*") if path.is_file())
    assert b"correct horse" not in kept
    assert b"wrong battery" not in kept


@pytest.fixture
def big(tmp_path: Path) -> Path:
    """A tree that makes many volumes."""
    return make_tree(tmp_path / "big", files=40, size=1_000_000)


def _backup(big: Path, to: Path) -> list[str]:
    archive = ("--archive-dir", str(to.parent / "archive"))
    return ["duplicity", "full", "--no-encryption", *archive, "--volsize", "1", str(big), f"file://{to}"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 4), (signal.SIGTERM, -15), (signal.SIGKILL, -9)])
def test_how_a_stopped_run_ends(big: Path, tmp_path: Path, places: Places, number: int, code: int) -> None:
    """A stop through the wrapper is a cancel, however duplicity then ends; a kill by the system is a failure."""
    run = start("run", "--", *_backup(big, tmp_path / "r"), stdout=subprocess.DEVNULL)
    wait_for(lambda: any(tmp_path.glob("r/*.difftar.gz")), what="the first volume")
    if number == signal.SIGKILL:
        os.kill(engine_pid(places), number)
    else:
        run.send_signal(number)
    assert run.wait(timeout=60) == code
    assert last()["outcome"] == ("failed" if number == signal.SIGKILL else "cancelled")


def test_a_second_run_meets_the_lock_and_a_vanished_folder_is_no_failure(
    big: Path, tmp_path: Path, places: Places
) -> None:
    """Two runs share an archive folder: the second fails and says to wait; the first succeeds without the removed folder."""
    first = start("run", "--job", "first", "--", *_backup(big, tmp_path / "r"), stdout=subprocess.DEVNULL)
    wait_for(lambda: any(tmp_path.glob("r/*.difftar.gz")), what="the first volume")
    os.kill(engine_pid(places), signal.SIGSTOP)
    for path in (big / "d4").iterdir():
        path.unlink()
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    second = start("run", "--job", "second", "--", *_backup(big, tmp_path / "r"), **quiet)
    assert b"already running" in second.communicate(timeout=60)[1]
    for folder in runs.live(places):
        child = folder.info().child
        assert child is not None
        os.kill(child.pid, signal.SIGCONT)
    assert (first.wait(timeout=60), second.returncode) == (0, 23)
    ended = {job["job"]: job["last"] for job in status()["jobs"]}
    assert (ended["first"]["outcome"], ended["second"]["outcome"]) == ("succeeded", "failed")
    assert "Another duplicity" in ended["second"]["reason"]
    assert "Wait" in ended["second"]["advice"]


def test_a_full_disk_is_a_failure_that_says_so(big: Path, tmp_path: Path) -> None:
    """A backup without its last volume is none."""
    full = tmp_path / "full"
    full.mkdir()
    mount = f"mount -t tmpfs -o size=2m,mode=777 tmpfs {full}"
    command = mounted(mount, *TRAY, "run", "--", *_backup(big, full / "r"), "--num-retries", "1")
    assert subprocess.run(command, capture_output=True, check=False).returncode == 53
    assert last()["outcome"] == "failed"
    assert "no space left" in last()["reason"]


def _without_times(ran: Ran, twins: Twins) -> Ran:
    """Drop text that differs from run to run and from folder to folder: times, rates, compressed sizes."""
    out, err = ran.out, ran.err
    for folder in (twins.bare, twins.wrapped):
        out, err = out.replace(bytes(folder), b"/twin"), err.replace(bytes(folder), b"/twin")
    out = re.sub(
        rb"(?m)^(StartTime|EndTime|ElapsedTime|TotalDestinationSizeChange|Last full backup date:) .*$", rb"\1", out
    )
    return Ran(ran.code, out, re.sub(rb"(?m)^gpg: keybox .* created\n", b"", err))
