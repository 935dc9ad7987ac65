"""The worked example of an engine of one's own, installed with pip and run."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.program import last, tray

EXAMPLE = Path(__file__).parent.parent / "data" / "example_engine"
PG_DUMP = """#!/bin/sh
echo "pg_dump: last built-in OID is 16383" >&2
echo 'pg_dump: dumping contents of table "public.orders"' >&2
echo 'pg_dump: dumping contents of table "public.customers"' >&2
[ -z "$WARN" ] || echo "pg_dump: warning: there are circular foreign-key constraints" >&2
[ -z "$FAIL" ] || { echo "pg_dump: error: connection to server failed" >&2; exit 1; }
echo "-- $*"
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip has installed the example, without the network."""
    folder = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    options = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_ROOT_USER_ACTION": "ignore"}
    subprocess.run([*pip, "--target", folder, EXAMPLE], check=True, env=options)
    return folder


@pytest.fixture
def path(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for pg_dump with the real one's words, first in the PATH, and our site folder where Python looks."""
    program = tmp_path / "bin" / "pg_dump"
    program.parent.mkdir()
    program.write_text(PG_DUMP)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", f"{site}:{os.environ.get('PYTHONPATH', '')}")
    return program


def test_the_example_is_an_engine_once_it_is_installed(path: Path) -> None:
    """A dump is on record with its tables, and the caller gets pg_dump's own output: the dump alone."""
    done = tray("run", "--", "pg_dump", "-h", "db", "shop")
    assert (done.returncode, done.stdout, done.stderr) == (0, "-- --verbose -h db shop\n", "")
    run = last()
    assert (run["engine"], run["outcome"], run["files"]) == ("pg_dump", "succeeded", 2)
    assert run["reason"] == "2 tables were dumped."


def test_its_judgement_counts(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A warning that exit code 0 hides is on record, and so is the engine's reason for a failure."""
    monkeypatch.setenv("WARN", "1")
    assert tray("run", "--", "pg_dump", "shop").returncode == 0
    assert last()["outcome"] == "warning"
    monkeypatch.setenv("FAIL", "1")
    done = tray("run", "--", "pg_dump", "shop")
    assert (done.returncode, "connection to server failed" in done.stderr) == (1, True)
    run = last()
    assert run["outcome"] == "failed"
    assert "connection to server failed" in run["reason"]


def test_a_broken_engine_never_breaks_a_backup(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command runs as any other command, and doctor and the run's log name the engine's error."""
    broken = tmp_path / "broken"
    (broken / "bad-1.dist-info").mkdir(parents=True)
    (broken / "bad-1.dist-info" / "entry_points.txt").write_text("[backup_tray.engines]\npg_dump = bad_engine:ENGINE\n")
    (broken / "bad_engine.py").write_text("raise SystemExit(5)\n")
    monkeypatch.setenv("PYTHONPATH", str(broken))
    done = tray("run", "--", "pg_dump", "shop")
    assert (done.returncode, done.stdout) == (0, "-- shop\n")
    run = last()
    assert (run["engine"], run["outcome"]) == ("command", "succeeded")
    assert "The engine 'pg_dump' that was added could not be loaded (SystemExit: 5)." in tray("log", run["run"]).stdout
    checks = json.loads(tray("doctor", "--json").stdout)
    checks = checks["checks"] if isinstance(checks, dict) else checks
    assert [check["level"] for check in checks if check["name"] == "added engines"] == ["warn"]
