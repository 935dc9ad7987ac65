"""A machine that gives the wrapper next to nothing: the command runs, and one line at most says what is missing."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.e2e.machine import ROOT
from tests.e2e.program import TRAY, tray
from tests.mounts import mounted
from tray.core import paths
from tray.core.model import Outcome
from tray.core.paths import Places
from tray.status import past_runs

COMMAND = "echo RAN; exit 5"


def shell(line: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    """Run a line of shell in which `$TRAY` is the program and `$C` what the command does."""
    variables = {**os.environ, "TRAY": " ".join(TRAY), "C": COMMAND, **environ}
    return subprocess.run(["bash", "-c", line], env=variables, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("count", [6, 7, 8, 9, 10, 12])
def test_few_descriptors_do_not_stop_the_command(count: int, places: Places) -> None:
    """`ulimit -n`: what does not fit is left out, down to the watch itself; with 7 the end is still on record."""
    done = shell(f'ulimit -n {count}; exec $TRAY run --job few -- sh -c "$C"')
    assert (done.returncode, done.stdout) == (5, "RAN\n")
    assert done.stderr.count("\n") <= 1
    if count >= 7:
        assert [end.outcome for end in past_runs.history(places, limit=5, job="few")] == [Outcome.FAILED]
    else:
        assert "Too many open files" in done.stderr


@pytest.mark.parametrize("kilobytes", range(48_000, 112_000, 4_000))
def test_little_memory_does_not_change_the_exit_code(kilobytes: int, places: Places) -> None:
    """`ulimit -v`: a library that ends the process where memory runs out does not end ours after the command's success."""
    done = shell(f'ulimit -v {kilobytes}; exec $TRAY run --job small -- sh -c "$C"')
    assert (done.returncode, done.stdout) == (5, "RAN\n")
    assert done.stderr.count("\n") <= 1
    if not done.stderr:
        assert [end.outcome for end in past_runs.history(places, limit=5, job="small")] == [Outcome.FAILED]


@pytest.mark.parametrize(("uid", "home"), [(54321, ""), (54322, "HOME="), (54323, "HOME=relative")])
def test_a_user_without_a_home_runs_backups(uid: int, home: str) -> None:
    """A container's user id without an entry in passwd: recorded below /var/tmp, which is said once a run."""
    become = " ".join([*ROOT, f"setpriv --reuid={uid} --regid={uid} --clear-groups"])
    try:
        done = shell(f'exec {become} env -i PATH="$PATH" {home} $TRAY run --job homeless -- sh -c "$C"')
    finally:
        subprocess.run([*ROOT, "rm", "-rf", f"/var/tmp/backup-tray-{uid}"], check=True)
    assert (done.returncode, done.stdout) == (5, "RAN\n")
    assert "no home folder" in done.stderr
    assert done.stderr.count("\n") == 1


def test_without_proc_a_script_is_no_proven_success(places: Places) -> None:
    """Nobody saw what it started; that is said, and the exit code 0 is then unknown."""
    bare = mounted(
        "umount -l /proc", *TRAY, "run", "--job", "bare", "--", "sh", "-c", "echo RAN", more=("--pid", "--fork")
    )
    done = subprocess.run(bare, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "RAN\n")
    assert done.stderr == "backup-tray: /proc is not mounted, so what the command starts is not seen.\n"
    assert [end.outcome for end in past_runs.history(places, limit=5, job="bare")] == [Outcome.UNKNOWN]


def test_nowhere_to_write_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every folder read-only: the run happened, and the caller learns that it is not on record."""
    monkeypatch.setenv(paths.HOME_VARIABLE, str(tmp_path / "home"))
    mount = f"mount -t tmpfs -o ro t {tmp_path}; mount -t tmpfs -o ro t /var/tmp"
    argv = mounted(mount, *TRAY, "run", "--", "sh", "-c", COMMAND)
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (5, "RAN\n")
    assert "not on record" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_missing_engine_does_not_keep_the_backup_from_running(places: Places) -> None:
    """A plugin that is gone after an upgrade: the command runs, the line names the engine, and it is no success."""
    done = tray("run", "--job", "gone", "--engine", "mine", "--", "sh", "-c", "echo RAN")
    assert (done.returncode, done.stdout) == (0, "RAN\n")
    assert "there is no engine named 'mine'" in done.stderr
    assert [end.outcome for end in past_runs.history(places, limit=5, job="gone")] == [Outcome.UNKNOWN]
