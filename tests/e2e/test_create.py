"""The first backup without a screen: a user answers on a terminal, or a script gives options."""

import json
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.no_engine import CALLED, without_restic
from tests.e2e.program import TRAY, make_tree, snapshots, status, tray
from tests.e2e.test_wrapper_terminal import Terminal
from tests.mounts import mounted


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The folder to back up."""
    return make_tree(tmp_path / "src")


@pytest.fixture
def terminal(tree: Path, tmp_path: Path) -> Iterator[Terminal]:
    """`backup-tray create` as a person types it."""
    made = Terminal(*TRAY, "create")
    yield made
    made.close()


def secret(folder: Path) -> dict[str, str]:
    """The environment with which restic opens the new repository."""
    (file,) = (folder / "bt" / "config").glob("*.password")
    return {"RESTIC_PASSWORD_FILE": str(file)}


def test_a_person_answers_four_questions_and_has_a_backup(
    terminal: Terminal, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`create` names a typing error and repeats only that question; afterwards there are a real snapshot and a green status."""
    repository = tmp_path / "repo"
    terminal.expect(rb"Back up which folder\? \[.*\] ")
    terminal.type(str(tmp_path / "scr").encode() + b"\n")
    terminal.expect(rb"Where to\?")
    terminal.type(str(repository).encode() + b"\n")
    terminal.expect(rb"called\? \[home\] ")
    terminal.type(b"\n")
    terminal.expect(rb"made for you\): ")
    terminal.type(b"\n")
    password = terminal.expect(rb"The password is  (\S+)")[1].decode()
    terminal.expect(rb"There is no such file or folder.*Back up which folder\?")
    terminal.type(str(tree).encode() + b"\n")
    terminal.expect(rb"every night")
    terminal.expect(rb"restored and compared, as a test.*every day at 20:30\?", 120)
    terminal.type(b"n\n")
    assert terminal.wait(60) == 0
    assert b"The first backup runs now." in terminal.seen
    assert terminal.seen.count(b"Where to?") == 1
    monkeypatch.setenv("RESTIC_PASSWORD", password)
    assert len(snapshots(repository)) == 1
    kinds = [run["kind"] for run in map(json.loads, tray("history", "--json").stdout.splitlines())]
    assert sorted(kinds) == ["backup", "check"]
    assert (status()["state"], status()["last"]["job"]) == ("ok", "home")
    assert tray("backup", "home").returncode == 0


def test_a_script_gives_the_answers_as_options(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`create` asks nothing; the password comes from the script, and no command line shows it."""
    (tmp_path / "pw").write_text("from the vault\n")
    done = tray(
        "create", "--yes", "--no-run", "--source", tree.name, "--repository", "repo",
        "--name", "mine", "--password-file", tmp_path / "pw", cwd=tmp_path,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "backup-tray backup mine" in done.stdout
    sheet = tmp_path / "bt" / "config" / "recovery" / "mine.pdf"
    assert str(sheet) in done.stdout
    assert (sheet.read_bytes()[:5], stat.S_IMODE(sheet.stat().st_mode)) == (b"%PDF-", 0o600)
    assert status()["last"] is None, "nothing ran"
    assert tray("backup", "mine").returncode == 0
    monkeypatch.setenv("RESTIC_PASSWORD", "from the vault")
    assert len(snapshots(tmp_path / "repo")) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "There is no terminal to ask on"),
        (["--yes"], "There is no place for the backup"),
        (["--yes", "--repository", "{tmp}/r", "--source", "{tmp}/none"], "There is no such file or folder"),
        (["--yes", "--repository", "{tmp}/src/r", "--source", "{tmp}/src"], "would lie inside"),
        (
            ["--yes", "--repository", "{tmp}/r", "--source", "{tmp}/src", "--password-file", "{tmp}/none"],
            "cannot be read",
        ),
        (
            ["--yes", "--repository", "{tmp}/r", "--source", "{tmp}/src", "--password-file", "/dev/zero"],
            "cannot be read",
        ),
        (["--yes", "--repository", "{tmp}/r", "--source", "{tmp}/src", "--name=-x"], "name cannot be used"),
    ],
)
def test_options_that_make_no_sense_are_an_error_and_create_nothing(
    tree: Path, tmp_path: Path, arguments: list[str], words: str
) -> None:
    """One error with its next step, and no half-made job."""
    done = tray("create", *(word.format(tmp=tmp_path) for word in arguments), stdin=subprocess.DEVNULL)
    assert done.returncode not in (0, 1)
    assert words in done.stderr
    assert not (tmp_path / "r").exists()
    assert json.loads(tray("status", "--json").stdout)["jobs"] == []


def test_times_that_cannot_be_followed_are_told_before_anything_is_made(tree: Path, tmp_path: Path) -> None:
    """A typing error in `--schedule` leaves no repository and no password behind."""
    done = tray("create", "--yes", "--source", tree, "--repository", tmp_path / "repo", "--schedule", "every moonday")
    assert (done.returncode, "moonday" in done.stderr) == (64, True), done.stderr
    assert not (tmp_path / "repo").exists()


@pytest.mark.parametrize("answer", [b"n\n", b"\n", b"y\n"])
def test_a_missing_engine_is_installed_by_the_system_only_if_the_user_says_so(answer: bytes, tmp_path: Path) -> None:
    """The question shows the exact command, and any answer but a yes leaves the machine as it is."""
    mount, path = without_restic(tmp_path)
    terminal = Terminal(*mounted(mount, "env", f"PATH={path}", *TRAY, "create"))
    try:
        terminal.expect(
            rb"restic is not installed. Install it now with `(sudo )?apt-get install -y restic`\? \[y, N\] "
        )
        assert not (tmp_path / CALLED).exists()
        terminal.type(answer)
        if answer == b"y\n":
            terminal.expect(rb"Back up which folder\?")
            assert (tmp_path / CALLED).read_text() == "install -y restic\n"
        else:
            terminal.expect(rb"next: Install it with")
            assert terminal.wait(30) == 127
            assert not (tmp_path / CALLED).exists()
    finally:
        terminal.close()


def test_a_script_never_installs_an_engine(tmp_path: Path) -> None:
    """`--yes` is the answer to questions about the backup, not about the machine."""
    mount, path = without_restic(tmp_path)
    command = ["env", f"PATH={path}", *TRAY, "create", "--yes", "--source", str(tmp_path), "--repository", "/nowhere/r"]
    done = subprocess.run(mounted(mount, *command), capture_output=True, text=True, timeout=120)
    assert (done.returncode, "apt-get install -y restic" in done.stderr) == (127, True), done.stderr
    assert not (tmp_path / CALLED).exists()
