"""Real borg through the wrapper: the same output and exit code as bare borg, and the truth on record."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.program import PASSWORD, TRAY, engine_pid, last, start, status, tray
from tests.waiting import wait_for
from tray import runs
from tray.core.dataclass import dataclass
from tray.core.paths import Places

ROOT = [] if os.geteuid() == 0 else ["sudo", "-n"]
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
"""Root can read every file; where a file must be unreadable, borg runs as this other user."""
SLOW = ("-C", "zstd,19", "--chunker-params", "buzhash,10,23,16,4095")


@dataclass()
class Place:
    """A folder that others may enter, with a source and a repository that each run finds as it was."""

    root: Path

    @property
    def source(self) -> Path:
        """The folder that borg backs up."""
        return self.root / "source"

    def keep(self) -> None:
        """Remember repository and cache as they are now."""
        self._copy("", "kept-")

    def back(self) -> None:
        """Restore both, so that each run of a pair begins with the same state."""
        self._copy("kept-", "")

    def _copy(self, old: str, new: str) -> None:
        for name in ("repo", "base"):
            shutil.rmtree(self.root / (new + name), ignore_errors=True)
            subprocess.run(["cp", "-a", self.root / (old + name), self.root / (new + name)], check=True)

    def open(self) -> None:
        """Give everything here to the user that borg runs as."""
        if NOBODY:
            subprocess.run(["chown", "-R", "65534:65534", self.root], check=True)


@pytest.fixture(scope="module")
def template() -> Iterator[Place]:
    """The folder with an empty repository, made once: always at the same path, so that borg finds nothing strange."""
    root = Path(tempfile.mkdtemp(prefix="borg-"))
    root.chmod(0o755)
    place = Place(root)
    (root / "base").mkdir()
    place.open()
    environ = {"PATH": os.environ["PATH"], "BORG_BASE_DIR": str(root / "base"), "BORG_PASSPHRASE": PASSWORD}
    subprocess.run(
        [*NOBODY, "borg", "init", "-e", "repokey-blake2", root / "repo"], env=environ, check=True, capture_output=True
    )
    place.keep()
    yield place
    subprocess.run(["chmod", "-R", "u+rwX", root], check=True)
    shutil.rmtree(root)


@pytest.fixture
def place(template: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """The folder with an empty repository and six files in two folders."""
    for name, value in (
        ("BORG_BASE_DIR", str(template.root / "base")),
        ("BORG_PASSPHRASE", PASSWORD),
        ("LANG", "C.UTF-8"),
    ):
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(template.root)
    template.back()
    for number in range(6):
        path = template.source / f"d{number % 2}" / f"file{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(5000))
    template.open()
    yield template
    subprocess.run(["chmod", "-R", "u+rwX", template.source], check=True)
    shutil.rmtree(template.source)
    template.back()


def bare(*arguments: str) -> "subprocess.CompletedProcess[bytes]":
    """Run borg without us."""
    return subprocess.run([*NOBODY, "borg", *arguments], capture_output=True, stdin=subprocess.DEVNULL)


def compare(place: Place, *arguments: str, outcome: str, again: Callable[[], None] | None = None) -> dict[str, Any]:
    """Run borg with these arguments bare and through the wrapper; both outputs must be equal. Return the run on record."""
    alone = bare(*arguments)
    (again or place.back)()
    wrapped = tray("run", "--job", "j", "--", *NOBODY, "borg", *arguments, text=False, stdin=subprocess.DEVNULL)
    assert wrapped.returncode == alone.returncode
    assert _comparable(wrapped.stderr) == _comparable(alone.stderr)
    assert _comparable(wrapped.stdout) == _comparable(alone.stdout)
    job = status()["jobs"][0]
    assert job["last"]["outcome"] == outcome, job["last"]["reason"]
    good = "ok" if job["kind"] == "backup" else "none"  # a check makes nothing green
    assert job["state"] == (good if outcome == "succeeded" else outcome)
    return dict(job["last"])


def _comparable(raw: Any) -> bytes:
    """Take out text that differs from run to run: ids, times, compressed sizes."""
    raw = re.sub(rb"[0-9a-f]{64}", b"ID", bytes(raw))
    raw = re.sub(rb"(Time \(\w+\): +|Duration: ).*", rb"\1", raw)
    raw = re.sub(rb'"(duration|start|end|time|\w+_?modified|\w+_size|\w+_csize)": [^,\n]*', rb'"\1"', raw)
    return re.sub(rb"(This archive|All archives):.*", rb"\1", raw)


@pytest.mark.parametrize("flags", [(), ("-v", "--list", "--stats", "--show-rc"), ("--json",), ("--log-json", "--list")])
def test_a_first_backup_is_on_record_with_its_facts(place: Place, flags: tuple[str, ...]) -> None:
    """Engine, wrapper, audit log and status agree; cron mails and scripts see exactly borg's own output."""
    run = compare(place, "create", *flags, "repo::a", "source", outcome="succeeded")
    assert (run["engine"], run["files"], run["errors"], run["inferred"]) == ("borg", 6, 0, False)
    assert 30_000 <= run["bytes_processed"] < 35_000
    assert run["entry"] is not None
    assert "Archive a was saved" in run["reason"]


def test_the_next_backup_adds_little(place: Place) -> None:
    """borg adds only the new data, and one stream for both outputs keeps its order."""
    assert bare("create", "repo::a", "source").returncode == 0
    with (place.root / "mail").open("wb") as mail:
        command = [*TRAY, "run", "--", *NOBODY, "borg", "create", "--list", "repo::b", "source", "/nowhere"]
        code = subprocess.run(command, stdout=mail, stderr=mail).returncode
    text = (place.root / "mail").read_text()
    assert code == 1
    assert re.fullmatch(r"(?:[AUd] source\S*\n){9}/nowhere: .*\[Errno 2\].*\n", text), text
    ended = last()
    assert (ended["outcome"], ended["files"], ended["errors"]) == ("warning", 6, 1)
    assert ended["bytes_added"] < 3000


def _unreadable(place: Place) -> None:
    (place.source / "d0/file0").chmod(0)
    (place.source / "d1").chmod(0)


def _odd_names(place: Place) -> None:
    for name in (b"new\nline", b"inva\xfflid", b"<script>alert(1)"):
        path = os.fsencode(place.source) + b"/" + name
        with open(path, "wb") as file:
            file.write(b"x")
        os.chmod(path, 0)
    place.open()


def _locked(place: Place) -> None:
    (place.root / "repo/lock.exclusive/other@1.2-3").mkdir(parents=True)
    place.open()


@pytest.mark.parametrize(
    ("arrange", "arguments", "outcome", "errors", "words"),
    [
        (_unreadable, ["--list", "repo::a", "source"], "warning", 2, "2 problems"),
        (_odd_names, ["--list", "repo::a", "source"], "warning", 3, "3 problems"),
        (None, ["repo::a", "source", "/nowhere"], "warning", 1, "/nowhere"),
        (None, ["repo::a", "/nowhere", "/nor/here"], "failed", 2, "No file was backed up"),
        (None, ["nowhere::a", "source"], "failed", 1, "no borg repository at"),
        (None, ["--no-such-flag", "repo::a", "source"], "failed", 0, "--no-such-flag"),
        (_locked, ["--lock-wait", "0", "repo::a", "source"], "failed", 1, "locked"),
    ],
)
def test_a_backup_that_went_wrong_is_never_green(
    place: Place, arrange: Callable[[Place], None] | None, arguments: list[str], outcome: str, errors: int, words: str
) -> None:
    """The status tells the mishaps apart, with borg's own exit code and words."""
    lock = place.root / "repo/lock.exclusive"

    def again() -> None:
        shutil.rmtree(lock, ignore_errors=True)
        place.back()
        if arrange is _locked:
            _locked(place)

    if arrange is not None:
        arrange(place)
    run = compare(place, "create", *arguments, outcome=outcome, again=again)
    assert run["errors"] == errors
    assert words in run["reason"]
    assert "\n" not in run["reason"]
    assert ("Wait until process 2 on other ends" in (run["advice"] or "")) == (arrange is _locked)
    assert "borg break-lock" not in (run["advice"] or "")


def test_a_wrong_passphrase_is_the_reason(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason says so in plain words, and no file holds either passphrase."""
    monkeypatch.setenv("BORG_PASSPHRASE", "wrong one")
    run = compare(place, "create", "repo::a", "source", outcome="failed")
    assert "passphrase is wrong" in run["reason"]
    kept = b"".join(path.read_bytes() for path in Path(os.environ["BACKUP_TRAY_HOME"]).rglob("*") if path.is_file())
    assert b"wrong one" not in kept


def test_a_full_disk_is_a_failure_that_says_so(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user reads the next step, not the name of every file that did not fit."""
    monkeypatch.setenv("BORG_RELOCATED_REPO_ACCESS_IS_OK", "yes")
    disk = place.root / "disk"
    disk.mkdir()
    (place.source / "big").write_bytes(os.urandom(4_000_000))
    place.open()
    subprocess.run([*ROOT, "mount", "-t", "tmpfs", "-o", "size=2m,mode=0777", "tmpfs", disk], check=True)
    try:
        command = [*NOBODY, "borg", "create", "disk/repo::a", "source"]
        subprocess.run(["cp", "-a", "repo", disk / "repo"], check=True)
        done = tray("run", "--", *command)
    finally:
        subprocess.run([*ROOT, "umount", "-l", disk], check=True)
        disk.rmdir()
    assert done.returncode == 2
    assert "[Errno 28]" in done.stderr
    assert '{"' not in done.stderr
    ended = last()
    assert ended["outcome"] == "failed"
    assert "no space left" in ended["reason"]


def _with_gate(place: Place) -> tuple[Path, Path]:
    """Make a source that borg reads only to a gate (a named pipe), and a file that it looks at after it."""
    folder = place.source / "gated"
    folder.mkdir()
    gate = folder / "gate"
    os.mkfifo(gate)
    while True:  # borg goes through a folder in the order of the inodes
        after = folder / f"after{len(list(folder.iterdir()))}"
        after.write_bytes(b"x" * 1000)
        if after.stat().st_ino > gate.stat().st_ino:
            place.open()
            return gate, after


GATED = ("create", "--read-special", "repo::a", "source/gated")


def test_a_file_that_vanishes_is_a_warning(place: Place) -> None:
    """The archive lacks a file that borg saw and then could not find; the run is a warning that says so."""
    gate, after = _with_gate(place)
    run = start("run", "--", *NOBODY, "borg", *GATED, stderr=subprocess.PIPE)
    with gate.open("wb") as opened:  # opens when borg reads
        after.unlink()
        opened.write(b"y" * 1000)
    _, err = run.communicate(timeout=60)
    assert run.returncode == 1
    assert b"No such file or directory" in err
    ended = last()
    assert (ended["outcome"], ended["errors"]) == ("warning", 1)
    assert after.name in ended["reason"]


def test_a_killed_wrapper_leaves_borg_running_and_its_end_is_found_out(place: Place) -> None:
    """kill -9 of the wrapper does not disturb the backup; its record is made from the wrapper's spool."""
    gate, _ = _with_gate(place)
    run = start("run", "--job", "home", "--", *NOBODY, "borg", *GATED)
    with gate.open("wb") as opened:
        run.kill()
        run.wait()
        assert [live["job"] for live in status()["runs"]] == ["home"]
        opened.write(b"y" * 1000)
    wait_for(lambda: not status()["runs"], what="the end of borg")
    assert tray("run", "--job", "other", "--", "true").returncode == 0
    ended = next(job["last"] for job in status()["jobs"] if job["job"] == "home")
    assert (ended["outcome"], ended["inferred"], ended["files"]) == ("succeeded", True, 2)
    assert ended["entry"] is not None


def _slowly(place: Place, places: Places) -> "subprocess.Popen[bytes]":
    """Start a backup that takes some seconds, and return when it copies."""
    for number in range(6):
        (place.source / f"big{number}").write_bytes(os.urandom(4_000_000))
    place.open()
    command = [*NOBODY, "borg", "create", *SLOW, "repo::a", "source"]
    run = start("run", "--", *command, stderr=subprocess.PIPE)
    wait_for(lambda: any(b'"path": "source/big' in _spooled(folder) for folder in runs.live(places)), what="the backup")
    return run


def _spooled(folder: runs.RunFolder) -> bytes:
    path = folder.spool("err")
    return path.read_bytes() if path.exists() else b""


@pytest.mark.parametrize(
    ("number", "code", "words"),
    [(signal.SIGINT, 2, b"Got Ctrl-C / SIGINT"), (signal.SIGTERM, 143, b"Received SIGTERM")],
)
def test_a_signal_to_the_wrapper_reaches_borg_and_is_a_cancel(
    place: Place, places: Places, number: int, code: int, words: bytes
) -> None:
    """systemctl stop and kill end the backup as without us; the status showed the bytes read so far, without a made-up total."""
    tracker = start("tracker")
    run = _slowly(place, places)
    shown = wait_for(lambda: [live for live in status()["runs"] if live["bytes_done"]], what="progress")
    run.send_signal(number)
    _, err = run.communicate(timeout=60)
    tracker.terminate()
    tracker.wait()
    assert (shown[0]["engine"], shown[0]["phase"], shown[0]["bytes_total"]) == ("borg", "copying", None)
    assert run.returncode == code
    assert re.fullmatch(rb"(?:Error: )?%s\.?\n" % words, err), err
    after = status()
    assert (after["last"]["outcome"], after["state"]) == ("cancelled", "none")  # neutral, and there is no backup yet


def test_a_killed_borg_is_failed_and_the_next_run_is_not_in_its_way(place: Place, places: Places) -> None:
    """An OOM kill is no cancel; the status reports the lock that it left, though borg removes one of its own machine by itself."""
    run = _slowly(place, places)
    os.kill(engine_pid(places), signal.SIGKILL)
    run.communicate(timeout=60)
    assert run.returncode == -signal.SIGKILL
    ended = last()
    assert ended["outcome"] == "failed"
    assert "`borg break-lock repo`" in ended["advice"]
    assert tray("run", "--", *NOBODY, "borg", "create", "repo::b", "source/d0").returncode == 0
    assert last()["outcome"] == "succeeded"


def test_other_subcommands_are_runs_of_their_own_kind(place: Place) -> None:
    """A good check is no backup of the night, and a restore of nothing is a failure."""
    assert bare("create", "repo::a", "source").returncode == 0
    expected = []
    for arguments, kind, outcome in (
        (["check", "repo"], "check", "succeeded"),
        (["extract", "repo::a", "no/such/path"], "restore", "failed"),
    ):
        wrapped: Any = tray("run", "--job", "j", "--", *NOBODY, "borg", *arguments, text=False)
        alone = bare(*arguments)
        assert wrapped.returncode == alone.returncode
        assert [wrapped.stdout, wrapped.stderr] == [alone.stdout, alone.stderr]
        expected.append((f"j ({kind})", kind, outcome))
    jobs = status()["jobs"]
    assert {(job["job"], job["last"]["kind"], job["last"]["outcome"]) for job in jobs} == set(expected)
