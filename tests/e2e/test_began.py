"""Real programs in front of real engines (flock, nice, timeout) that do not start them."""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.program import last, make_repository, tray

LOCKED = "flock could not get its lock, which another process holds"
ENGINES = {
    "restic": ("restic", "-r", "repo", "backup", "src"),
    "restic check": ("restic", "-r", "repo", "check"),
    "borg": ("borg", "create", "borg::a", "src"),
    "borg check": ("borg", "check", "borg"),
    "borg prune": ("borg", "prune", "--keep-last", "1", "borg"),
    "borg extract": ("borg", "extract", "borg::a"),
    "rclone": ("rclone", "sync", "src", "copy"),
    "rsync": ("rsync", "-a", "src/", "copy/"),
    "tar": ("tar", "-czf", "src.tgz", "src"),
    "duplicity": ("duplicity", "full", "--no-encryption", "src", "file://dup"),
    "rdiff-backup": ("rdiff-backup", "src", "copy"),
    "any other": ("sh", "-c", "touch copy"),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a source and a lock."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a").write_text("a")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def taken(folder: Path) -> Iterator[Path]:
    """A lock that another process holds."""
    fd = os.open(folder / "lock", os.O_CREAT | os.O_RDWR)
    fcntl.flock(fd, fcntl.LOCK_EX)
    yield folder / "lock"
    os.close(fd)


@pytest.mark.parametrize("name", ENGINES)
def test_a_taken_lock_is_the_only_reason(taken: Path, name: str) -> None:
    """When another process holds the lock, the run is a failure with that cause, for every engine and command."""
    command = ENGINES[name]
    done = tray("run", "--", "flock", "-n", taken, *command)
    assert done.returncode == 1
    run = last()
    assert (run["outcome"], run["reason"]) == (
        "failed",
        f"{command[0]} was not started: {LOCKED} (exit code 1).",
    )
    assert not any((taken.parent / made).exists() for made in ("copy", "src.tgz", "borg", "dup"))


@pytest.mark.parametrize("name", ["tar", "rsync", "borg", "any other"])
def test_a_taken_lock_that_counts_as_fine_is_not_green(taken: Path, name: str) -> None:
    """`flock -E 0` exits with 0, but no backup ran, so the run is no success."""
    assert tray("run", "--", "flock", "-n", "-E", "0", taken, *ENGINES[name]).returncode == 0
    assert last()["outcome"] == "warning"


@pytest.mark.parametrize(
    ("before", "code", "said"),
    [
        (("setpriv", "--reuid", "4294960000", "--init-groups"), 1, "setpriv: uid 4294960000 not found"),
        (("nice", "./gone/"), 127, "nice: "),
        (("timeout", "9", "./gone/"), 127, "timeout: failed to run command"),
        (("env", "-u", "X", "./gone/"), 127, "env: "),
        (("chrt", "-f", "1000"), 1, "chrt: "),
        (("taskset", "zz"), 1, "taskset: failed to parse CPU mask"),
        (("flock", "/gone/lock"), 66, "flock: cannot open lock file /gone/lock"),
    ],
)
@pytest.mark.parametrize("name", ["tar", "rsync", "borg check"])
def test_a_wrapper_that_refuses_is_quoted(
    folder: Path, name: str, before: tuple[str, ...], code: int, said: str
) -> None:
    """The reason quotes the refusing program; the engine's meaning of that exit code does not count."""
    program, *words = ENGINES[name]
    *wrapper, path = before if before[-1].endswith("/") else (*before, "")
    assert tray("run", "--", *wrapper, path + program, *words).returncode == code
    run = last()
    assert run["outcome"] == "failed"
    assert run["reason"].startswith(f"{program} was not started: {said}")


@pytest.mark.parametrize(
    "before",
    [
        ("flock", "-n", "lock"),
        ("nice",),
        ("timeout", "60"),
        ("flock", "-n", "-E", "0", "lock", "nice", "timeout", "60"),
        ("setpriv", "--no-new-privs"),
        ("stdbuf", "-oL", "ionice", "-c3"),
        ("env", "A=b"),
    ],
)
@pytest.mark.parametrize(
    "command",
    [
        ("tar", "-cf", "src.tar", "src"),
        ("rsync", "-aq", "src/", "copy/"),
        ("rclone", "sync", "src", "copy"),
        ("sh", "-c", "exit 0"),
    ],
)
def test_a_quick_and_silent_engine_behind_a_wrapper_is_a_success(
    folder: Path, before: tuple[str, ...], command: tuple[str, ...]
) -> None:
    """No false alarm: an engine that succeeds within a moment and prints nothing is a success."""
    assert tray("run", "--", *before, *command).returncode == 0
    run = last()
    assert run["outcome"] == "succeeded", run["reason"]


def test_an_engine_that_fails_behind_a_wrapper_fails_by_its_own_word(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine began, so its exit code is its own."""
    make_repository(folder / "repo")
    monkeypatch.setenv("RESTIC_PASSWORD", "wrong")
    tray("run", "--", "flock", "-n", "lock", "timeout", "60", *ENGINES["restic"])
    run = last()
    assert run["outcome"] == "failed"
    assert "password" in run["reason"]
    assert "not started" not in run["reason"]
