"""The recovery sheet: its commands restore the files on another machine, and it holds the password only if the user asks."""

import filecmp
import os
import re
import stat
import subprocess
from pathlib import Path

import pytest
from pypdf import PdfReader

from tests.e2e.program import make_tree, tray
from tests.e2e.test_wrapper_terminal import Terminal

PASSWORD = "a word on paper"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The folder to back up; its name needs quotes in a shell."""
    return make_tree(tmp_path / "it's mine")


def commands(sheet: str) -> list[str]:
    """Return the commands of a sheet as a reader types them, without the one that installs the engine."""
    lines = re.findall(r"^ {7}(\S.*)$", sheet, re.MULTILINE)
    assert lines[0].startswith("sudo apt install ")
    return lines[1:]


def typed(line: str, home: Path) -> int:
    """Type *line* into a shell of another machine: an empty home folder, no variables, and the password at each prompt."""
    away = ("env", "-i", f"HOME={home}", f"PATH={os.environ['PATH']}", "LC_ALL=C.UTF-8")
    shell = Terminal(*away, "sh", "-c", line)
    try:
        if re.search(r"^rclone |^rsync |^tar |^mkdir -p \S+$|^borg key ", line):
            return shell.wait(60)
        for number in range(1, line.count("restic -r") + line.count("borg ") + 1):
            shell.expect(rb"(?:assphrase for key|enter password).*" * number)
            shell.type(PASSWORD.encode() + b"\n")
        return shell.wait(60)
    finally:
        shell.close()


def made(engine: str, tree: Path, tmp_path: Path) -> None:
    """Make a repository of *engine* and the job `docs`, and run it once."""
    repository, secret = tmp_path / "the repository", tmp_path / "password"
    secret.write_text(f"{PASSWORD}\n")
    if engine == "restic":
        init = ["restic", "init", "--repo", repository, "--password-file", secret]
        subprocess.run(init, check=True, capture_output=True)
    elif engine == "borg":
        environ = {**os.environ, "BORG_PASSPHRASE": PASSWORD}
        subprocess.run(["borg", "init", "-e", "repokey", repository], check=True, capture_output=True, env=environ)
    keys = ["--password-file", str(secret)] if engine in ("restic", "borg") else []
    tray("jobs", "add", "docs", "--engine", engine, "--source", tree, "--repository", repository, *keys, check=True)
    for _ in range(2 if engine == "tar" else 1):  # a second run keeps the archive of the first one
        tray("backup", "docs", check=True)


@pytest.mark.parametrize("engine", ["restic", "borg", "rclone", "rsync", "tar"])
def test_the_commands_of_the_sheet_restore_every_file_on_another_machine(
    engine: str, tree: Path, tmp_path: Path
) -> None:
    """The user types them literally, with the password alone, into a shell without our program and without its files."""
    made(engine, tree, tmp_path)
    sheet = tray("jobs", "sheet", "docs", check=True).stdout
    assert PASSWORD not in sheet
    assert str(tree) in sheet
    assert re.search(rf"Engine +{engine} \d+\.\d+", sheet)
    (tmp_path / "password").unlink()
    home = tmp_path / "elsewhere"
    home.mkdir()
    lines = commands(sheet)
    assert any("~/restored" in line for line in lines)
    for line in lines:
        assert typed(line, home) == 0, line
    restored = home / "restored" if engine == "rclone" else home / "restored" / str(tree).lstrip("/")
    names = sorted(file.relative_to(tree) for file in tree.rglob("*") if file.is_file())
    assert filecmp.cmpfiles(tree, restored, map(str, names), shallow=False) == (list(map(str, names)), [], [])


def test_another_job_in_the_same_repository_is_not_restored_instead(tree: Path, tmp_path: Path) -> None:
    """Of a restic repository that two jobs share, the sheet restores its own job's snapshot, also when the other one's is newer."""
    made("restic", tree, tmp_path)
    other = make_tree(tmp_path / "other")
    keys = ["--repository", tmp_path / "the repository", "--password-file", tmp_path / "password"]
    tray("jobs", "add", "other", "--source", other, *keys, check=True)
    tray("backup", "other", check=True)
    lines = commands(tray("jobs", "sheet", "docs", check=True).stdout)
    for line in lines:
        assert typed(line, tmp_path) == 0, line
    assert not (tmp_path / "restored" / str(other).lstrip("/")).exists()
    assert (tmp_path / "restored" / str(tree).lstrip("/")).is_dir()


@pytest.mark.parametrize("ending", ["txt", "html", "pdf"])
def test_the_password_is_on_the_sheet_only_if_the_user_asks(ending: str, tree: Path, tmp_path: Path) -> None:
    """The file is private either way, and a sheet with the password says that it must be deleted after printing."""
    made("restic", tree, tmp_path)
    plain, full = tmp_path / f"plain.{ending}", tmp_path / f"full.{ending}"
    tray("jobs", "sheet", "docs", "--output", plain, check=True)
    done = tray("jobs", "sheet", "docs", "--output", full, "--with-password", check=True)
    assert "which only you can read" in done.stdout
    assert "It holds the password" in done.stdout
    assert [stat.S_IMODE(file.stat().st_mode) for file in (plain, full)] == [0o600, 0o600]
    assert (PASSWORD in words(full), PASSWORD in words(plain)) == (True, False)
    assert "restore latest" in words(plain)
    assert "cannot be reset" in words(plain)


def words(file: Path) -> str:
    """Return the words of a sheet, its lines joined."""
    if file.suffix == ".pdf":
        text = "\n".join(page.extract_text() for page in PdfReader(file).pages)
    else:
        text = file.read_text()
    return " ".join(text.split())


def test_a_sheet_of_a_script_invents_no_commands(tmp_path: Path) -> None:
    """Where engine and repository are not known, the sheet says so and leaves room for the user's own words."""
    tray("jobs", "add", "dump", "--command", "sh dump.sh", check=True)
    sheet = tray("jobs", "sheet", "dump", check=True).stdout
    assert "does not know how a backup of this command is restored" in sheet
    assert "sh dump.sh" in sheet
    done = tray("jobs", "sheet", "dump", "--with-password")
    assert (done.returncode, "It is not in a file" in done.stderr) == (2, True)


def test_the_ending_of_the_file_says_the_format(tmp_path: Path) -> None:
    """An ending that is not known is a usage error, and nothing is written."""
    tray("jobs", "add", "dump", "--command", "sh dump.sh", check=True)
    assert tray("jobs", "sheet", "dump", "--output", tmp_path / "sheet.doc").returncode == 64
    assert not (tmp_path / "sheet.doc").exists()


def test_no_password_in_a_command_line_is_on_the_sheet(tree: Path) -> None:
    """A command may hold a password as a word of its own; the sheet shows the place, and says that it must be filled in."""
    tray("jobs", "add", "db", "--command", "mysqldump -phunter4 --password=hunter5 shop", check=True)
    command = "pass show --token=hunter6 restic"
    to = ("--source", tree, "--repository", "/backup")
    tray("jobs", "add", "docs", *to, "--password-command", command, check=True)
    for job, shown in (("db", "mysqldump '-p***' '--password=***' shop"), ("docs", "pass show '--token=***' restic")):
        sheet = tray("jobs", "sheet", job, check=True).stdout
        assert "hunter" not in sheet
        assert shown in sheet
        assert "holds a password of its own" in sheet
