"""On a machine that gives the wrapper next to nothing the command runs, and at most one line names the lack."""

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
    """Run a line of shell in which `$TRAY` is the program and `$C` the code of the command."""
    variables = {**os.environ, "TRAY": " ".join(TRAY), "C": COMMAND, **environ}
    return subprocess.run(["bash", "-c", line], env=variables, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("count", [6, 7, 8, 9, 10, 12])
def test_few_descriptors_do_not_stop_the_command(count: int, places: Places) -> None:
    """Under `ulimit -n` the wrapper goes without files that do not fit, down to the watch; with 7 the end is still on record."""
    done = shell(f'ulimit -n {count}; exec $TRAY run --job few -- sh -c "$C"')
    assert (done.returncode, done.stdout) == (5, "RAN\n")
    assert done.stderr.count("\n") <= 1
    if count >= 7:
        assert [end.outcome for end in past_runs.history(places, limit=5, job="few")] == [Outcome.FAILED]
    else:
        assert "Too many open files" in done.stderr


@pytest.mark.parametrize("kilobytes", range(48_000, 112_000, 4_000))
def test_little_memory_does_not_change_the_exit_code(kilobytes: int, places: Places) -> None:
    """Under `ulimit -v` a library that ends the process when memory runs out does not change the command's exit code."""
    done = shell(f'ulimit -v {kilobytes}; exec $TRAY run --job small -- sh -c "$C"')
    assert (done.returncode, done.stdout) == (5, "RAN\n")
    assert done.stderr.count("\n") <= 1
    if not done.stderr:
        assert [end.outcome for end in past_runs.history(places, limit=5, job="small")] == [Outcome.FAILED]


@pytest.mark.parametrize(("uid", "home"), [(54321, ""), (54322, "HOME="), (54323, "HOME=relative")])
def test_a_user_without_a_home_runs_backups(uid: int, home: str) -> None:
    """A container's user without an entry in passwd has its records below /var/tmp, which one line a run says."""
    become = " ".join([*ROOT, f"setpriv --reuid={uid} --regid={uid} --clear-groups"])
    try:
        done = shell(f'exec {become} env -i PATH="$PATH" {home} $TRAY run --job homeless -- sh -c "$C"')
    finally:
        subprocess.run([*ROOT, "rm", "-rf", f"/var/tmp/backup-tray-{uid}"], check=True)
    assert (done.returncode, done.stdout) == (5, "RAN\n")
    assert "no home folder" in done.stderr
    assert done.stderr.count("\n") == 1


def test_without_proc_a_script_is_no_proven_success(places: Places) -> None:
    """Without /proc the wrapper cannot see the script's steps; the reason says so, and exit code 0 is an unknown outcome."""
    bare = mounted(
        "umount -l /proc", *TRAY, "run", "--job", "bare", "--", "sh", "-c", "echo RAN", more=("--pid", "--fork")
    )
    done = subprocess.run(bare, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "RAN\n")
    assert done.stderr == "backup-tray: /proc is not mounted, so what the command starts is not seen.\n"
    assert [end.outcome for end in past_runs.history(places, limit=5, job="bare")] == [Outcome.UNKNOWN]


def test_a_run_without_any_place_to_write_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With every folder read-only the command runs, and one line tells the caller that the run is not on record."""
    monkeypatch.setenv(paths.HOME_VARIABLE, str(tmp_path / "home"))
    mount = f"mount -t tmpfs -o ro t {tmp_path}; mount -t tmpfs -o ro t /var/tmp"
    argv = mounted(mount, *TRAY, "run", "--", "sh", "-c", COMMAND)
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (5, "RAN\n")
    assert "not on record" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_missing_engine_does_not_keep_the_backup_from_running(places: Places) -> None:
    """After an upgrade lost a plugin the command runs, one line names the engine, and the run is no success."""
    done = tray("run", "--job", "gone", "--engine", "mine", "--", "sh", "-c", "echo RAN")
    assert (done.returncode, done.stdout) == (0, "RAN\n")
    assert "there is no engine named 'mine'" in done.stderr
    assert [end.outcome for end in past_runs.history(places, limit=5, job="gone")] == [Outcome.UNKNOWN]
