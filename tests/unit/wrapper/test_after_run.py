"""After a run without a tracker: the wrapper serves the further places, and waits for none of them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tray.audit.checkpoint import parse
from tray.audit.store import AuditLog
from tray.core import ourselves
from tray.core.paths import Places, private
from tray.observe import awake_log
from tray.wrapper import after_run

pytestmark = pytest.mark.process

RUN = [sys.executable, "-m", "tray", "run", "--job", "home", "--"]


def configure(places: Places, text: str) -> None:
    """Make *text* the configuration."""
    private(places.config)
    places.config_file.write_text(text)


def run(*command: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run *command* under watch."""
    return subprocess.run(
        [*RUN, *command], capture_output=True, text=True, timeout=60, check=False, env={**os.environ, **more}
    )


def test_a_run_without_a_tracker_leaves_its_checkpoint_in_the_configured_folder(places: Places, tmp_path: Path) -> None:
    """A server without a desktop has its baselines too, as soon as the command returns."""
    (tmp_path / "stick").mkdir()
    configure(places, f'[audit]\nbaselines = ["{tmp_path / "stick"}"]\n')
    done = run("echo", "saved")
    assert (done.returncode, done.stdout, done.stderr) == (0, "saved\n", "")
    (copy,) = (tmp_path / "stick").glob("*.checkpoint")
    with AuditLog.read(places.audit_db) as log:
        size, _, _ = log.head()
    assert parse(copy.read_bytes()).size == size


def test_a_run_without_a_tracker_notes_that_the_machine_was_awake(places: Places) -> None:
    """A server without a desktop knows its awake time too."""
    assert run("true").returncode == 0
    assert [mark.kind for mark in awake_log.read(places)] == ["run"]


def test_the_exit_code_stays_the_commands_own_when_a_place_is_out(places: Places, tmp_path: Path) -> None:
    """A stick that is not there is put on record, and the backup knows nothing of it."""
    configure(places, f'[audit]\nbaselines = ["{tmp_path / "none"}"]\nforward = ["udp://127.0.0.1:9"]\n')
    assert run("sh", "-c", "exit 7").returncode == 7
    with AuditLog.read(places.audit_db) as log:
        actions = [entry.data["action"] for entry in log.entries(0, 100)]
    assert actions.count("audit.copy_failed") == 1


@pytest.mark.parametrize("text", ["[audit]\nbaselines = 7\n", "baselines = ["])
def test_a_broken_configuration_disturbs_no_run(places: Places, text: str) -> None:
    """It is told elsewhere; a backup that is running already ends as it would."""
    configure(places, text)
    done = run("sh", "-c", "exit 3")
    assert (done.returncode, done.stderr) == (3, "")


def test_a_run_without_a_tracker_writes_the_figures_for_prometheus(places: Places, tmp_path: Path) -> None:
    """A server without a desktop is monitored as soon as the command returns; a folder that is gone disturbs no run."""
    configure(places, f'[metrics]\ntextfile = "{tmp_path / "backup.prom"}"\n')
    assert run("true").returncode == 0
    text = (tmp_path / "backup.prom").read_text()
    assert (
        'backup_last_run_status{backup_job="home",scope="user",engine="command",repository="",outcome="succeeded"} 1\n'
        in text
    )
    configure(places, f'[metrics]\ntextfile = "{tmp_path / "gone" / "backup.prom"}"\n')
    done = run("sh", "-c", "exit 3")
    assert (done.returncode, done.stderr) == (3, "")


def test_a_place_that_hangs_is_waited_for_only_for_a_moment(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dead network disk costs a run two seconds at most; what hangs goes on by itself."""
    hanging = tmp_path / "hanging.py"
    hanging.write_text("import signal; signal.pause()")
    monkeypatch.setattr(ourselves, "PROGRAM", str(hanging))
    began = time.monotonic()
    processes = after_run.start(places, after_run.COPIES, after_run.METRICS, seconds=0.5)
    assert time.monotonic() - began < 10
    assert [process.poll() for process in processes] == [None, None]
    for process in processes:
        process.kill()
        assert process.wait(60) == -signal.SIGKILL


def test_nothing_of_this_is_imported_where_nothing_is_configured(places: Places) -> None:
    """A run costs no more than before."""
    configure(places, 'version = 1\n[watch]\nstalled_after = "off"\n')
    done = run("true", PYTHONVERBOSE="1")
    assert "tray.wrapper.wrap" in done.stderr
    for name in (
        "tray.baselines.far_copies",
        "tray.baselines.forwarding",
        "tray.metrics.textfile",
        "tray.config",
        "tomllib",
    ):
        assert f"import '{name}'" not in done.stderr, name
