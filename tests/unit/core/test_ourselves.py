"""However a process of ours is started, no module comes from where its caller happened to stand."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import tray
from tests.unit.observe.help import FakeProc
from tests.waiting import wait_for
from tray.core import ourselves, paths
from tray.core.paths import Places
from tray.core.started import Started
from tray.observe.examine import wraps

PACKAGE = Path(tray.__file__).resolve().parent
EVIL = (
    "argparse",
    "json",
    "asyncio",
    "psutil",
    "platformdirs",
    "cryptography",
    "sqlite3",
    "runpy",
    "socket",
    "gi",
    "sitecustomize",
)


@pytest.fixture
def evil(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder full of modules that leave a mark when they are imported; returns the mark."""
    folder, mark = tmp_path / "evil", tmp_path / "OWNED"
    (folder / "tray").mkdir(parents=True)
    bad = f"open({str(mark)!r}, 'a').write(__name__ + ' ')\nraise SystemExit(9)\n"
    for name in (*EVIL, "tray/__init__"):
        (folder / f"{name}.py").write_text(bad)
    monkeypatch.chdir(folder)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    return mark


def names_of(raw: bytes) -> list[str]:
    """Return the words of a command line in /proc."""
    return [os.fsdecode(word) for word in raw.split(b"\0")]


@pytest.mark.process
@pytest.mark.parametrize("how", ["command", "module", "file", "pythonpath"])
def test_no_module_comes_from_the_working_folder(evil: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """Not as the program starts itself, not as a person starts it by its module or file, not by PYTHONPATH for what we start."""
    if how == "pythonpath":
        monkeypatch.setenv("PYTHONPATH", str(evil.parent / "evil"))
    command = {
        "command": ourselves.command("doctor"),
        "pythonpath": ourselves.command("status"),  # doctor asks engines, which are Python too and the user's own
        "module": [sys.executable, "-P", "-m", "tray", "doctor"],
        "file": [sys.executable, ourselves.PROGRAM, "doctor"],
    }[how]
    environ = os.environ | ({"PYTHONPATH": ourselves.HOME} if how == "module" else {})
    done = subprocess.run(command, env=environ, capture_output=True, text=True)
    assert not evil.exists(), evil.read_text()
    assert done.stdout, done.stderr


@pytest.mark.process
def test_after_m_the_working_folder_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`python -m tray` takes itself from where it is installed, and nothing after that from here."""
    mark = tmp_path / "OWNED"
    for name in ("argparse", "psutil", "platformdirs", "cronsim"):
        (tmp_path / f"{name}.py").write_text(f"open({str(mark)!r}, 'a').write(__name__)\n")
    monkeypatch.chdir(tmp_path)
    done = subprocess.run([sys.executable, "-m", "tray", "doctor"], capture_output=True, text=True)
    assert not mark.exists()
    assert "tracker" in done.stdout, done.stderr


@pytest.mark.process
def test_a_copy_that_is_not_installed_starts_itself_by_its_own_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkout, or a copy beside an installed one, never runs the other's code."""
    shutil.copytree(PACKAGE, tmp_path / "copy" / "tray", ignore=shutil.ignore_patterns("__pycache__"))
    init = tmp_path / "copy" / "tray" / "__init__.py"
    init.write_text(init.read_text().replace(tray.__version__, "77.7"))
    monkeypatch.delenv("PYTHONPATH", raising=False)
    ask = "from tray.core import ourselves; print(*ourselves.command('--version'), sep='\\n')"
    shown = subprocess.run(
        [sys.executable, "-c", ask], cwd=tmp_path / "copy", capture_output=True, text=True, check=True
    )
    command = shown.stdout.split()
    assert command[-2] == str(tmp_path / "copy" / "tray" / "__main__.py")
    assert subprocess.check_output(command, text=True, cwd="/").strip() == "backup-tray 77.7"


@pytest.mark.process
def test_a_window_is_started_in_the_root_folder_isolated(evil: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tray may have been started anywhere; a click must run nothing of there."""
    monkeypatch.setenv(paths.HOME_VARIABLE, "relative")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    opened = Started()
    assert opened.start("window", "dashboard") is None
    (failure,) = wait_for(opened.failures, what="the window to end for want of a screen")
    assert "screen" in failure.reason
    assert not evil.exists()


@pytest.mark.process
def test_what_the_tracker_starts_is_isolated_too(evil: Path, places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its helpers run as root where it is root's."""
    from tray.tracker import helpers, start

    (places.state / "audit.db").parent.mkdir(parents=True, mode=0o700)
    client = start.ensure(places, "cli")
    pid = int(client.tracker["pid"])
    assert os.readlink(f"/proc/{pid}/cwd") == ourselves.FOLDER
    assert names_of(Path(f"/proc/{pid}/cmdline").read_bytes())[1] in ("-I", "-E")
    client.send({"type": "handover"})
    client.close()
    helper = helpers._started("--close-lost")
    assert helper.wait(60) == 0
    assert not evil.exists()


def test_our_own_variables_stay_right_in_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative BACKUP_TRAY_HOME means the same to what we start; what engines read is theirs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(paths.HOME_VARIABLE, "home")
    monkeypatch.setenv("PYTHONPATH", "mine")
    found = ourselves.environ()
    assert found[paths.HOME_VARIABLE] == str(tmp_path / "home")
    assert found["PYTHONPATH"] == "mine"


def test_what_was_installed_for_the_user_alone_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """`pip install --user`: such a Python still takes nothing from the working folder."""
    site = sys.modules["site"]
    monkeypatch.setattr(site, "ENABLE_USER_SITE", True)
    monkeypatch.setattr(site, "USER_SITE", ourselves.HOME)
    monkeypatch.setattr(sys, "path", [*sys.path, ourselves.HOME])
    assert ourselves.python()[1:] == ["-E", "-P"]
    monkeypatch.setattr(site, "ENABLE_USER_SITE", False)
    assert ourselves.python()[1:] == ["-I"]


def test_a_wrapper_of_ours_is_known_by_the_file_too(tmp_path: Path) -> None:
    """The wrapper has already recorded the command that it runs."""
    assert wraps(ourselves.command("backup", "home"))
    assert not wraps(ourselves.command("tracker"))
    proc = FakeProc(tmp_path / "proc")
    proc.add(5, *ourselves.command("run", "--", "restic"), environ={})
    assert wraps(proc.command(5))


ALLOWED = {
    "core/ourselves.py": "the one place",
    "doctor/installation.py": "shows it to a person",
    "core/errors/surfaces.py": "the same: which pip to call",
}


def test_nothing_else_starts_a_python() -> None:
    """One way to start ourselves; a second one would forget the isolation again."""
    found = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if re.search(r"sys\.executable|\"-m\", \"tray|multiprocessing|runpy", path.read_text())
    }
    assert found == set(ALLOWED)


def test_every_part_has_a_main() -> None:
    """Each part that has a name exists."""
    from importlib import import_module

    for name in ourselves.PARTS:
        assert callable(import_module(name).main)
