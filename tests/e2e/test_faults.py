import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.program import PASSWORD, last, make_repository, make_tree, snapshots, status, tray
from tests.mounts import unshare
from tests.waiting import wait_for
from tray import runs
from tray.core import paths
from tray.core.paths import Places

ROOT = [] if os.geteuid() == 0 else ["sudo", "-n"]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Mounts small disks (tmpfs) that can be full or read-only."""
    mounted: list[Path] = []

    def mount(name: str, size: str, options: str = "") -> Path:
        folder = tmp_path / name
        folder.mkdir()
        what = f"size={size},mode=0700,uid={os.geteuid()},gid={os.getegid()}{options}"
        subprocess.run([*ROOT, "mount", "-t", "tmpfs", "-o", what, "tmpfs", folder], check=True)
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run([*ROOT, "umount", "-l", folder], check=True)


@pytest.fixture
def at_home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], Places]]:
    """Puts everything of ours under a folder, and clears the last resort of that place afterwards."""
    used: list[Places] = []

    def move(home: Path) -> Places:
        monkeypatch.setenv(paths.HOME_VARIABLE, str(home))
        used.append(paths.places())
        return used[-1]

    yield move
    for here in used:
        shutil.rmtree(here.run_roots[-1].parent, ignore_errors=True)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty restic repository whose password is in the environment."""
    monkeypatch.setenv("RESTIC_PASSWORD", PASSWORD)
    monkeypatch.setenv("RESTIC_CACHE_DIR", str(tmp_path / "cache"))
    return make_repository(tmp_path / "repo")


def fill(folder: Path) -> Path:
    """Use up the disk under *folder*."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(65536))
        except OSError:
            pass
    return ballast


def everything() -> list[dict[str, object]]:
    """Return all entries of the audit log, in the order of their numbers."""
    shown = tray("audit", "show", "--json", "--limit", "1000", check=True).stdout
    return sorted(map(json.loads, shown.splitlines()), key=lambda entry: int(entry["seq"]))


def test_a_full_disk_at_the_target_is_a_failed_backup(
    tmp_path: Path, repository: Path, disk: Callable[..., Path]
) -> None:
    """restic's own exit code, and the reason in words."""
    target = disk("target", "2m")
    shutil.copytree(repository, target / "repo")
    source = make_tree(tmp_path / "source", files=10, size=600_000)
    done = tray("run", "--", "restic", "-r", target / "repo", "backup", source)
    assert done.returncode == 1
    assert "no space left on device" in done.stderr
    assert (last()["outcome"], status()["state"]) == ("failed", "failed")
    assert "space" in last()["reason"]


def test_a_full_disk_of_ours_changes_nothing_for_the_backup_and_loses_no_record(
    tmp_path: Path, repository: Path, disk: Callable[..., Path], at_home: Callable[[Path], Places]
) -> None:
    """Without room for spool and log the backup runs; the status shows its record, which waits elsewhere and is appended once."""
    small = disk("small", "1m")
    ballast = fill(small)
    at_home(small / "bt")
    source = make_tree(tmp_path / "source")
    for _ in range(2):
        done = tray("run", "--job", "home", "--", "restic", "-r", repository, "backup", source)
        assert (done.returncode, done.stderr) == (0, "")
        assert "saved" in done.stdout
    assert len(snapshots(repository)) == 2
    shown = status()
    assert (shown["state"], shown["last"]["outcome"], shown["last"]["entry"]) == ("ok", "succeeded", None)
    assert shown["notes"]
    ballast.unlink()
    assert tray("run", "--job", "later", "--", "true").returncode == 0
    ends = [entry["job"] for entry in everything() if entry["action"] == "run.finished"]
    assert ends == ["home", "home", "later"]
    times = [entry["time"] for entry in everything() if entry["job"] == "home"]
    assert times == sorted(times)
    assert not status()["notes"]


def test_a_spooled_failure_is_not_hidden_by_an_older_success(
    tmp_path: Path, disk: Callable[..., Path], at_home: Callable[[Path], Places]
) -> None:
    """Status reads the spool too."""
    small = disk("small", "4m")
    at_home(small / "bt")
    tray("run", "--job", "home", "--", "true")
    assert status()["state"] == "ok"
    fill(small)
    tray("run", "--job", "home", "--", "false")
    assert (status()["state"], last()["entry"]) == ("failed", None)


def test_a_read_only_home_stops_no_backup(
    tmp_path: Path, repository: Path, disk: Callable[..., Path], at_home: Callable[[Path], Places]
) -> None:
    """On a live system, or a broken disk that the kernel remounted, the backup runs and the status shows its outcome."""
    home = disk("home", "1m", ",ro")
    at_home(home / "bt")
    done = tray("run", "--job", "home", "--", "restic", "-r", repository, "backup", make_tree(tmp_path / "source"))
    assert (done.returncode, done.stderr) == (0, "")
    assert (status()["state"], last()["outcome"]) == ("ok", "succeeded")
    assert tray("doctor").returncode == 1


@pytest.fixture
def recorded(places: Places) -> Places:
    """A log with one good run."""
    assert tray("run", "--job", "home", "--", "true").returncode == 0
    return places


def _truncate(db: Path) -> None:
    os.truncate(db, 1000)


def _noise(db: Path) -> None:
    db.write_bytes(os.urandom(8192))


@pytest.mark.parametrize("damage", [_truncate, _noise], ids=["truncated", "noise"])
def test_a_damaged_log_is_unavailable_everywhere_and_loses_nothing(
    recorded: Places, damage: Callable[[Path], None]
) -> None:
    """AF-2: the status is never green and gives cause and next step; the error is on record once; the next backup runs."""
    for name in ("audit.db-wal", "audit.db-shm"):
        (recorded.state / name).unlink(missing_ok=True)
    damage(recorded.audit_db)
    for _ in range(3):
        done = tray("status")
        assert done.returncode == 3
        assert "ERROR_STATUS_FETCH" in done.stdout
        assert "next:" in done.stdout
        assert "Traceback" not in done.stdout + done.stderr
    shown = status()
    assert (shown["state"], shown["error"]["code"]) == ("unavailable", "ERROR_STATUS_FETCH")
    seen = tray("seen", "home")
    assert (seen.returncode, "cannot be read" in seen.stderr) == (3, True)  # not: "there is no such job"
    assert tray("run", "--job", "home", "--", "sh", "-c", "exit 9").returncode == 9
    from tray.audit import spool

    waiting = [draft.action.value for draft in spool.pending(recorded)]
    assert waiting.count("status.error") == 1
    assert waiting.count("run.finished") == 1


def test_a_missing_log_is_unavailable_until_a_new_one_follows_it(recorded: Places) -> None:
    """Deleting the log does not make the past look clean."""
    for name in ("audit.db", "audit.db-wal", "audit.db-shm"):
        (recorded.state / name).unlink(missing_ok=True)
    for _ in range(3):
        assert (status()["state"], tray("status").returncode) == ("unavailable", 3)
    assert not recorded.audit_db.exists()
    assert tray("run", "--job", "home", "--", "true").returncode == 0
    assert [entry["action"] for entry in everything()].count("status.error") == 1
    assert (status()["state"], tray("status").returncode) == ("warning", 1)  # the new log does not know the failure
    assert "begun anew" in status()["notes"][0]
    assert "Older history is missing" in tray("status").stdout


def test_a_log_that_another_program_locks_for_long_delays_no_backup(recorded: Places) -> None:
    """The lock does not delay the backup; the program appends its record later; until then the status is unknown."""
    lock = sqlite3.connect(recorded.audit_db, isolation_level=None)
    lock.execute("PRAGMA locking_mode = EXCLUSIVE")
    lock.execute("BEGIN EXCLUSIVE")
    try:
        done = subprocess.run(
            [sys.executable, "-m", "tray", "run", "--job", "home", "--", "false"], capture_output=True, timeout=20
        )
        assert done.returncode == 1
    finally:
        lock.execute("ROLLBACK")
        lock.close()
    assert (status()["state"], last()["outcome"]) == ("failed", "failed")
    tray("run", "--job", "other", "--", "true")
    assert [entry["job"] for entry in everything() if entry["action"] == "run.finished"] == ["home", "home", "other"]


def test_an_outage_is_on_record_once_and_in_the_log_when_it_is_over(recorded: Places) -> None:
    """The program logs ERROR_STATUS_FETCH once per outage, not once a poll, and appends it when the log can be written again."""
    away = recorded.audit_db.with_suffix(".away")
    for name in ("audit.db-wal", "audit.db-shm"):
        (recorded.state / name).unlink(missing_ok=True)
    recorded.audit_db.rename(away)
    for _ in range(3):
        assert status()["state"] == "unavailable"
    for name in ("audit.db", "audit.db-wal", "audit.db-shm"):
        (recorded.state / name).unlink(missing_ok=True)
    away.rename(recorded.audit_db)
    assert status()["state"] == "ok"
    wait_for(lambda: [entry for entry in everything() if entry["action"] == "status.error"], what="the entry")
    assert [entry["result"] for entry in everything() if entry["action"] == "status.error"] == ["ERROR_STATUS_FETCH"]


def test_a_runtime_folder_that_others_can_write_to_is_not_trusted(recorded: Places) -> None:
    """Another user could put a socket there and answer in the tracker's place."""
    shutil.rmtree(recorded.runtime, ignore_errors=True)
    recorded.runtime.mkdir(mode=0o777)
    recorded.runtime.chmod(0o777)
    assert status()["state"] == "ok"  # the log is fine, and no socket in that folder is asked
    done = tray("tracker")
    assert (done.returncode, "chmod 700" in done.stderr) == (2, True)
    assert stat.S_IMODE(recorded.runtime.stat().st_mode) == 0o777


def test_a_malformed_configuration_is_named_with_its_line(recorded: Places) -> None:
    """A typing error in config.toml stops the job, and the night on which it did is red, not green."""
    recorded.config.mkdir(mode=0o700, exist_ok=True)
    recorded.config_file.write_text("version = 1\n[jobs.home\n")
    done = tray("backup", "home")
    assert done.returncode != 0
    assert "line 2" in done.stderr
    assert "next:" in done.stderr
    assert (status()["state"], last()["job"], last()["outcome"]) == ("failed", "home", "failed")
    assert "line 2" in last()["reason"]


def test_odd_file_names_survive_the_whole_way(tmp_path: Path, repository: Path, places: Places) -> None:
    """Newline, quotes, ANSI codes, bytes that are no UTF-8, markup, 4 kB: recorded, shown escaped, never acted on."""
    odd = tmp_path / "odd"
    odd.mkdir()
    names = [b"new\nline", b"quote'\"", b"\x1b[31mred", b"\xff\xfe", b"<img src=x onerror=alert(1)>", b"x" * 250]
    for name in names:
        folder = os.fsencode(odd)
        with open(folder + b"/" + name, "wb") as file:
            file.write(name)
    deep = odd
    for _ in range(17):
        deep = deep / ("d" * 230)
        deep.mkdir()
    gone = os.fsdecode(os.fsencode(odd) + b"/\xff\xfe gone <script>")
    done = tray("run", "--job", "odd", "--", "restic", "-r", repository, "backup", odd, gone, text=False)
    assert b"Traceback" not in done.stderr
    assert last()["outcome"] == "warning"
    shown = tray("report", "last").stdout + tray("status").stdout
    assert "\\xff" in shown
    assert "\x1b" not in shown
    assert tray("audit", "verify").returncode == 0


def test_root_leaves_nothing_in_the_callers_home(tmp_path: Path) -> None:
    """`sudo backup-tray run …` keeps root's records in root's places, whatever HOME and XDG_* say."""
    home = tmp_path / "home"
    home.mkdir()
    script = (
        "mount -t tmpfs tmpfs /var/lib && mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /etc/xdg && "
        f"unset {paths.HOME_VARIABLE}; {sys.executable} -m tray run --job home -- true && "
        f"{sys.executable} -m tray status --json && ls /var/lib/backup-tray"
    )
    environ = {f"XDG_{name}_HOME": str(home / name) for name in ("CONFIG", "STATE", "DATA", "CACHE")}
    keep = [f"{name}={value}" for name, value in {**environ, "XDG_RUNTIME_DIR": str(home), "HOME": str(home)}.items()]
    keep.append(f"PYTHONPATH={os.environ['PYTHONPATH']}")
    done = subprocess.run(
        [*ROOT, "env", *keep, *unshare(), "sh", "-c", script], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert '"job": "home"' in done.stdout
    assert "audit.db" in done.stdout
    assert list(home.rglob("*")) == []


def test_a_damaged_run_folder_does_not_break_the_status(recorded: Places) -> None:
    """One run's broken file changes neither the status nor the next run."""
    folder = recorded.runs / "live" / "01a2070e-0000-7000-8000-000000000000"
    folder.mkdir()
    (folder / "run.json").write_text("{broken")
    assert status()["state"] == "ok"
    assert tray("run", "--", "true").returncode == 0
    assert [live.run for live in runs.live(recorded)] == [folder.name]


def test_a_runtime_folder_that_belongs_to_another_user_is_refused(recorded: Places) -> None:
    """A user who made the folder before us gets no message of ours."""
    shutil.rmtree(recorded.runtime, ignore_errors=True)
    recorded.runtime.mkdir(mode=0o700)
    subprocess.run([*ROOT, "chown", "nobody", recorded.runtime], check=True)
    try:
        done = tray("tracker")
        assert (done.returncode, "belongs to user" in done.stderr) == (2, True)
        assert tray("run", "--job", "home", "--", "true").returncode == 0
        assert (status()["state"], last()["entry"] is not None) == ("ok", True)
    finally:
        subprocess.run([*ROOT, "rm", "-rf", recorded.runtime], check=True)
