"""The installer for Linux: its files and their places, a second call, and the uninstaller, which keeps the records."""

import configparser
import os
import shlex
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.conftest import CHECKOUT, Installed
from tray.audit.schema import UNRELEASED_ID

START = CHECKOUT / "installers/linux/start.sh"


def entry(file: Path) -> configparser.SectionProxy:
    """Read a desktop entry."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign] # as its documentation says
    parser.read(file)
    return parser["Desktop Entry"]


def test_the_command_works_without_the_checkout(installed: Installed) -> None:
    """The program works after the download is deleted, even with a foreign Python first in PATH and in PYTHONPATH."""
    done = installed.run(installed.launcher, "--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("backup-tray ")


def test_the_desktop_entries_name_existing_files(installed: Installed) -> None:
    """Menu entry and autostart entry name a command and an icon that exist."""
    for file, command in ((installed.menu, ["window", "dashboard"]), (installed.autostart, ["tray"])):
        keys = entry(file)
        assert keys["Name"] == "Backup Status"
        assert shlex.split(keys["Exec"]) == [str(installed.launcher), *command]
        assert os.access(keys["TryExec"], os.X_OK)
        assert Path(keys["Icon"]).is_file()


def test_a_second_call_changes_nothing(installed: Installed) -> None:
    """Calling the installer again is harmless: it installs no package anew and changes no entry."""
    assert installed.run(installed.scripts / "install.sh", "--user").returncode == 0
    before = {file: file.stat().st_mtime_ns for file in (installed.prefix / "venv").rglob("*.py")}
    texts = [file.read_text() for file in (installed.launcher, installed.menu, installed.autostart)]
    done = installed.run(installed.scripts / "install.sh", "--user")
    assert done.returncode == 0, done.stderr
    assert "up to date" in done.stdout
    assert {file: file.stat().st_mtime_ns for file in (installed.prefix / "venv").rglob("*.py")} == before
    assert [file.read_text() for file in (installed.launcher, installed.menu, installed.autostart)] == texts


def test_a_broken_program_is_mended(installed: Installed, tmp_path: Path) -> None:
    """After an upgrade of the system's Python, or a lost file, one call of the installer makes the program work again."""
    copy = installed.copied(tmp_path / "home")
    next((copy.prefix / "venv/lib").glob("python*/site-packages/tray/core/paths.py")).unlink()
    assert copy.run(copy.launcher, "status").returncode != 0
    done = copy.run(copy.scripts / "install.sh", "--user")
    assert done.returncode == 0, done.stdout + done.stderr
    assert copy.run(copy.launcher, "--version").returncode == 0


def test_a_backup_runs_also_where_an_upgrade_took_the_python_away(installed: Installed, tmp_path: Path) -> None:
    """The cron job's command then runs the backup, prints one line about the damage, and offers nothing else."""
    copy = installed.copied(tmp_path / "home")
    for python in (copy.prefix / "venv/bin").glob("python*"):
        python.unlink()
        python.symlink_to("/usr/bin/python3.0-that-is-gone")
    command = ["sh", "-c", 'echo RAN; echo "$1" >&2; exit 5', "sh", "two  words"]
    for options in (["--job", "night", "--"], ["--job=night", "--unwatched", "--"], ["--"], []):
        done = copy.run(copy.launcher, "run", *options, *command)
        assert (done.returncode, done.stdout) == (5, "RAN\n")
        said, rest = done.stderr.split("\n", 1)
        assert said.startswith("backup-tray: this run is neither watched nor on record")
        assert rest == "two  words\n"
    for other in (["status"], ["run"], ["run", "--job"]):
        done = copy.run(copy.launcher, *other)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (70, "", 1)


def test_a_file_of_another_program_is_left_alone(installed: Installed, tmp_path: Path) -> None:
    """The installer does not overwrite, and the uninstaller does not remove, a command of this name that is not ours."""
    copy = installed.copied(tmp_path / "home")
    copy.launcher.write_text("#!/bin/sh\necho mine\n")
    done = copy.run(copy.scripts / "install.sh", "--user")
    assert done.returncode == 73
    assert "Move it away" in done.stderr
    assert copy.run(copy.prefix / "uninstall.sh").returncode == 0
    assert copy.launcher.read_text() == "#!/bin/sh\necho mine\n"


def test_a_start_that_was_switched_off_stays_off(installed: Installed, tmp_path: Path) -> None:
    """An update does not bring back the icon that the user switched off at login."""
    copy = installed.copied(tmp_path / "home")
    with copy.autostart.open("a") as file:
        file.write("Hidden=true\n")
    assert copy.run(copy.scripts / "install.sh", "--user").returncode == 0
    assert "Hidden=true" in copy.autostart.read_text()


def test_the_program_is_not_removed_under_a_backup(installed: Installed, tmp_path: Path) -> None:
    """A running backup keeps the program that will write its record."""
    copy = installed.copied(tmp_path / "home")
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    running = subprocess.Popen(
        [copy.launcher, "run", "--", "sh", "-c", f"echo up; read line <{gate}"],
        env=copy.environ | {"BACKUP_TRAY_HOME": str(tmp_path / "bt")},
        stdout=subprocess.PIPE,
    )
    try:
        assert running.stdout is not None
        assert running.stdout.readline() == b"up\n"
        done = copy.run(copy.prefix / "uninstall.sh")
        assert done.returncode == 75
        assert str(running.pid) in done.stderr
        assert copy.launcher.exists()
    finally:
        gate.write_text("on\n")
        running.communicate(timeout=60)
    assert running.returncode == 0
    assert copy.run(copy.prefix / "uninstall.sh").returncode == 0


def test_uninstalling_leaves_the_audit_log_and_says_where(installed: Installed, tmp_path: Path) -> None:
    """The record of past backups outlives the program."""
    copy = installed.copied(tmp_path / "home")
    home = str(tmp_path / "bt")
    assert copy.run(copy.launcher, "run", "--", "true", BACKUP_TRAY_HOME=home).returncode == 0
    done = copy.run(copy.prefix / "uninstall.sh", BACKUP_TRAY_HOME=home)
    assert done.returncode == 0, done.stderr
    assert f"Kept, since it is yours: {home}/state" in done.stdout
    assert (tmp_path / "bt/state/audit.db").is_file()
    left = [file for file in copy.home.rglob("*") if not file.is_dir() and ".cache" not in file.parts]
    assert left == []


@pytest.mark.parametrize(
    ("tool", "package"), [("dnf", "webkit2gtk4.1"), ("pacman", "webkit2gtk-4.1"), ("zypper", "typelib-1_0-WebKit2-4_1")]
)
def test_on_other_systems_the_installer_names_the_packages(tmp_path: Path, tool: str, package: str) -> None:
    """Without apt the installer guesses nothing: it names the packages and stops."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sh", "dirname", "id", "getent", "cut", "cat", "grep", "sed", "env"):
        (folder / name).symlink_to(
            next(path for path in (Path("/usr/bin") / name, Path("/bin") / name) if path.exists())
        )
    (folder / tool).symlink_to("/bin/false")
    done = subprocess.run(
        [START],
        env={"PATH": str(folder), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 69
    assert package in done.stderr
    assert f"sudo {tool}" in done.stderr
    assert os.listdir(tmp_path) == ["bin"]


@pytest.mark.parametrize(
    ("folder", "code", "said"),
    [("Documents", 64, "in full"), ("/no/such", 66, "no /no/such"), ("-x", 64, "unknown option")],
)
def test_folders_that_make_no_sense_are_refused_before_anything_is_installed(
    tmp_path: Path, folder: str, code: int, said: str
) -> None:
    """The installer refuses a folder that it cannot back up before it installs anything."""
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run([START, "--user", folder], env=environ, capture_output=True, text=True, check=False)
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr
    assert os.listdir(tmp_path) == []


def test_the_trial_shows_everything_in_the_terminal(installed: Installed, tmp_path: Path) -> None:
    """Without a screen the trial shows a real backup, its report and verification, and how to begin; the second call compares."""
    copy = installed.copied(tmp_path / "home")
    source = tmp_path / "source"
    source.mkdir()
    (source / "letter.txt").write_text("dear reader\n")
    (source / "gone").symlink_to("nowhere")
    first = copy.run(copy.scripts / "start.sh", "--user", source)
    assert first.returncode == 0, first.stdout + first.stderr
    trial = copy.prefix / "trial"
    assert "trial: succeeded" in first.stdout
    assert "Is the record genuine?" in first.stdout
    assert "INTACT" in first.stdout
    assert f"{copy.launcher} run --" in first.stdout
    assert {file.name for file in copy.home.iterdir()} <= {".local", ".config", ".cache"}
    assert (trial / "state/audit.db").is_file()
    started = time.monotonic()
    second = copy.run(copy.scripts / "start.sh", "--user", source)
    assert second.returncode == 0, second.stdout + second.stderr
    assert "INTACT" in second.stdout
    assert "trial" not in copy.run(copy.launcher, "history", BACKUP_TRAY_HOME=str(tmp_path / "real")).stdout
    assert time.monotonic() - started < 60
    left = subprocess.run(
        ["grep", "-lzsxF", f"{trial}", *Path("/proc").glob("[0-9]*/environ")], capture_output=True, check=False
    )
    assert left.stdout == b"", "a process of the trial is left"


def test_a_damaged_trial_fails_and_one_of_an_older_format_begins_anew(installed: Installed, tmp_path: Path) -> None:
    """Even the trial never calls an altered record genuine; the trial of an older version makes room for the new one."""
    copy = installed.copied(tmp_path / "home")
    source = tmp_path / "source"
    source.mkdir()
    (source / "a").touch()
    assert copy.run(copy.scripts / "start.sh", "--user", source).returncode == 0
    database = copy.prefix / "trial/state/audit.db"
    database.write_bytes(database.read_bytes().replace(b'"succeeded"', b'"SUCCEEDED"'))
    done = copy.run(copy.scripts / "start.sh", "--user", source)
    assert done.returncode != 0
    assert "INTACT" not in done.stdout
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute(f"PRAGMA application_id = {UNRELEASED_ID}")
    connection.close()
    anew = copy.run(copy.scripts / "start.sh", "--user", source)
    assert anew.returncode == 0, anew.stdout + anew.stderr
    assert "a new one begins" in anew.stdout
    assert "INTACT" in anew.stdout


def test_the_wheel_holds_the_assets(tmp_path: Path) -> None:
    """An installation by pip alone has pages and icons too, and an editable one finds those of the checkout."""
    target = tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "-qq", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--no-deps", "--target", target, CHECKOUT], check=True, timeout=300)
    ask = "from tray.core.paths import assets; print(assets())"
    inside = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", ask],
        env=inside | {"PYTHONPATH": str(target)},
        cwd="/",
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(done.stdout.strip()) == target / "tray/assets"
    shipped = {
        file.relative_to(target / "tray/assets") for file in (target / "tray/assets").rglob("*") if file.is_file()
    }
    ours = {
        file.relative_to(CHECKOUT / "assets")
        for part in ("web", "icons", "fonts")
        for file in (CHECKOUT / "assets" / part).rglob("*")
        if file.is_file()
    }
    assert {Path("web/index.html"), Path("icons/backup-tray.svg")} <= shipped
    assert shipped == ours
    done = subprocess.run([sys.executable, "-c", ask], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert Path(done.stdout.strip()) == CHECKOUT / "assets"
