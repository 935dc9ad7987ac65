"""A command that cannot be started: the exit code is the shell's, and the error names the obstacle and the next step."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.e2e.program import last, tray
from tests.mounts import mounted

ELF = b"\x7fELF" + bytes(60)
CASES = [
    ("folder", 126, "It is a folder", "restic backup"),
    ("plain", 126, "not executable (mode 0644)", "chmod +x"),
    ("link", 127, "There is no such file", "ls "),
    ("dangling", 127, "a link to a file that is not there", "ls -l"),
    ("binary", 126, "no program for this machine", "file "),
    ("interpreter", 127, "The program that its first line names is not there: /nope/python9", "head -1"),
    ("windows", 127, "end as on Windows", "sed -i"),
    ("below", 126, "a file, not a folder", "namei"),
    ("fifo", 126, "no file that can be executed", "ls -l"),
]


@pytest.fixture
def things(tmp_path: Path) -> Path:
    """A folder with things that are no programs."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "plain").write_text("#!/bin/sh\necho RAN\n")
    (tmp_path / "plain").chmod(0o644)
    (tmp_path / "dangling").symlink_to("/nope/nothing")
    os.mkfifo(tmp_path / "fifo")
    for name, content in (
        ("binary", ELF),
        ("interpreter", b"#!/nope/python9 -u\necho RAN\n"),
        ("windows", b"#!/bin/sh\r\necho RAN\r\n"),
        ("my-script", b"echo RAN\n"),
    ):
        (tmp_path / name).write_bytes(content)
        (tmp_path / name).chmod(0o755)
    return tmp_path


@pytest.mark.parametrize(("name", "code", "why", "then"), CASES)
def test_a_command_that_is_no_program_is_named_for_its_kind(
    things: Path, name: str, code: int, why: str, then: str
) -> None:
    """The error for a folder does not advise to install it; the run is on record as failed, with the same words."""
    command = things / "plain" / "x" if name == "below" else things / name
    done = tray("run", "--job", "n", "--", str(command), "backup", "/etc")
    assert (done.returncode, done.stdout) == (code, "")
    assert why in done.stderr
    assert then in done.stderr
    assert "install" not in done.stderr.replace("install that program", "")
    assert (last()["outcome"], why in last()["reason"]) == ("failed", True)


@pytest.mark.parametrize("name", [case[0] for case in CASES])
def test_the_exit_code_is_the_shells(things: Path, name: str) -> None:
    """A script that reads $? gets the code that bash would give."""
    command = str(things / "plain" / "x" if name == "below" else things / name)
    bare = subprocess.run(["bash", "-c", '"$0" backup', command], capture_output=True).returncode
    ours = tray("run", "--", command, "backup").returncode
    assert ours == bare or (name, ours, bare) == ("interpreter", 127, 126)  # bash before 5.2


def test_a_name_that_is_found_nowhere_is_looked_for_in_this_folder(things: Path) -> None:
    """`run -- backup.sh` in the folder of backup.sh fails, as in the shell; the advice is `./backup.sh`."""
    done = tray("run", "--", "my-script", cwd=things)
    assert done.returncode == 127
    assert "write `./my-script`" in done.stderr
    done = tray("run", "--", "no-such-program-9")
    assert done.returncode == 127
    assert "command -v no-such-program-9" in done.stderr
    assert tray("run", "--", "").returncode == 127


def test_a_script_without_a_first_line_still_runs(things: Path) -> None:
    """The wrapper gives it to sh, as shells, cron and execvp(3) do."""
    done = tray("run", "--", str(things / "my-script"))
    assert (done.returncode, done.stdout) == (0, "RAN\n")


def test_a_file_system_without_programs_is_named(things: Path, tmp_path: Path) -> None:
    """On a /tmp mounted noexec the error names the file system, since the file's rights are fine."""
    from tests.e2e.program import TRAY

    where = tmp_path / "mount"
    where.mkdir()
    line = f"mount -t tmpfs -o noexec,mode=777 t {where}; cp {things}/my-script {where}/script"
    done = subprocess.run(
        mounted(line, *TRAY, "run", "--", f"{where}/script"), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 126
    assert "noexec" in done.stderr
