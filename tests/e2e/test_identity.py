"""Each backup has one row: the success of one never hides the failure of another."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.e2e.program import PASSWORD, TRAY, make_repository, make_tree, status, tray


def outcomes() -> dict[str, str]:
    """Return how the last run of each job ended."""
    return {job["job"]: job["last"]["outcome"] for job in status()["jobs"]}


@pytest.fixture
def scripts(tmp_path: Path) -> list[Path]:
    """Two scripts of the same name in different folders: the first one fails, the second one is fine."""
    paths = []
    for place, code in (("a", 1), ("b", 0)):
        script = tmp_path / place / "backup.sh"
        script.parent.mkdir()
        script.write_text(f"#!/bin/sh\necho backup in $0\nexit {code}\n")
        script.chmod(0o755)
        paths.append(script)
    return paths


@pytest.mark.parametrize("how", ["path", "relative", "shell", "shell text"])
def test_two_scripts_of_one_name_are_two_jobs(scripts: list[Path], how: str) -> None:
    """The first script's failure stays in the headline after the second one's success, however the user calls them."""
    for script in scripts:
        command = {
            "path": [str(script)],
            "relative": ["./backup.sh"],
            "shell": ["sh", "backup.sh"],
            "shell text": ["sh", "-c", "echo begin; ./backup.sh"],
        }[how]
        tray("run", "--", *command, cwd=script.parent)
    assert sorted(outcomes().values()) == ["failed", "succeeded"]
    said = tray("status")
    assert said.returncode == 2
    assert "1 of 2 backups failed" in said.stdout
    shown = "folder={}" if how.startswith("shell") else "/{}/backup.sh"
    assert all(shown.format(script.parent.name) in said.stdout for script in scripts)


def test_two_hosts_in_one_repository_are_two_jobs(tmp_path: Path) -> None:
    """restic backs up the same folder in the name of two hosts; that of the first failed."""
    repository, source = make_repository(tmp_path / "repo"), make_tree(tmp_path / "src", files=3)
    for host, password in (("web1", "wrong"), ("web2", PASSWORD)):
        environ = {**os.environ, "RESTIC_PASSWORD": password}
        tray("run", "--", "restic", "-r", repository, "backup", "--host", host, source, env=environ)
    assert sorted(outcomes().values()) == ["failed", "succeeded"]
    assert tray("status").returncode == 2


def test_a_job_that_is_dated_stays_one_and_heals(tmp_path: Path) -> None:
    """The first night fails, the next ones succeed, each into a folder of its own: one row, which turns green."""
    source, places = tmp_path / "src", tmp_path / "bk"
    places.mkdir()
    today = subprocess.check_output(["date", "+%F"], text=True).strip()
    tray("run", "--", "rsync", "-a", f"{source}/", places / "2026-11-26")
    make_tree(source, files=3)
    tray(
        "run", "--", "rsync", "-a", f"--link-dest={places}/2026-11-26", f"{source}/", places / "2026-11-27", check=True
    )
    tray("run", "--", "rsync", "-a", f"--link-dest={places}/2026-11-27", f"{source}/", places / today, check=True)
    assert list(outcomes().values()) == ["succeeded"]
    assert tray("status").returncode == 0


def test_a_script_that_writes_to_names_of_the_night_is_one_job(tmp_path: Path) -> None:
    """The temporary folder and the script's process id change with each run; the job stays the same."""
    script, source = tmp_path / "nightly.sh", make_tree(tmp_path / "src", files=3)
    program = " ".join(TRAY)
    script.write_text(
        "N=$$; [ $N -ge 1000 ] || N=PID\n"  # a number of three digits stays, since it may be a disk's
        f"T=$(mktemp -d); cp -R '{source}' $T/s\n"
        f"{program} run -- tar cf '{tmp_path}/home-'$N.tar -C $T s\ncode=$?; rm -r $T; exit $code\n"
    )
    for _ in range(2):
        subprocess.run(["sh", script], check=True, env={**os.environ, "TMPDIR": "/tmp"}, timeout=60)
    assert list(outcomes().values()) == ["succeeded"]
