"""Checkpoints in real repositories: the engines neither complain about them nor touch them, and the backups carry them along."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.e2e.program import tray
from tests.e2e.restic_keys import make_quick
from tray.core.paths import Places, private

PASSWORD = "made up"
ENGINES = {
    "restic": {
        "init": ["restic", "init", "--repo", "{repo}"],
        "backup": ["restic", "--repo", "{repo}", "backup", "{source}"],
        "check": ["restic", "--repo", "{repo}", "check", "--read-data"],
        "tidy": ["restic", "--repo", "{repo}", "forget", "--keep-last", "1", "--prune"],
    },
    "borg": {
        "init": ["borg", "init", "--encryption", "repokey", "{repo}"],
        "backup": ["borg", "create", "--stats", "{repo}::{{now:%Y-%m-%dT%H:%M:%S.%f}}", "{source}"],
        "check": ["borg", "check", "--verify-data", "{repo}"],
        "tidy": ["borg", "prune", "--keep-last", "1", "{repo}"],
    },
}


@pytest.mark.parametrize("engine", ENGINES)
def test_a_repository_that_holds_checkpoints_is_sound_to_its_engine(
    places: Places, tmp_path: Path, engine: str
) -> None:
    """The engine's backup, full check and prune neither mention nor touch the copies; the log verifies against them."""
    repo, source = tmp_path / "repo", tmp_path / "source"
    source.mkdir()
    (source / "file").write_text("precious")
    environ = os.environ | {
        "RESTIC_PASSWORD": PASSWORD,
        "RESTIC_CACHE_DIR": str(tmp_path / "cache"),
        "BORG_PASSPHRASE": PASSWORD,
        "BORG_BASE_DIR": str(tmp_path / "base"),
    }
    _engine(engine, "init", repo, source, environ)
    if engine == "restic":
        make_quick(repo, PASSWORD)
    private(places.config)
    command = [word.format(repo=repo, source=source) for word in ENGINES[engine]["backup"]]
    places.config_file.write_text(
        f'[audit]\nbaselines = ["repository"]\n[jobs.home]\ncommand = {command!r}\n'.replace("'", '"')
    )
    for _ in range(2):
        done = tray("backup", "home", env=environ)
        assert done.returncode == 0, done.stderr
    (copy,) = (repo / "backup-tray").glob("*.checkpoint")
    kept = copy.read_bytes()
    said = [_engine(engine, "check", repo, source, environ), _engine(engine, "tidy", repo, source, environ)]
    said.append(_engine(engine, "check", repo, source, environ))
    assert not any("backup-tray" in words or "unexpected" in words.lower() for words in said), said
    assert copy.read_bytes() == kept
    verified = tray("audit", "verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert f"baseline: {copy} agrees" in verified.stdout


def _engine(engine: str, what: str, repo: Path, source: Path, environ: Mapping[str, str]) -> str:
    """Run the engine itself, which must succeed, and return its output."""
    command = [word.format(repo=repo, source=source) for word in ENGINES[engine][what]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environ)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
