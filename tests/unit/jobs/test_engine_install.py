"""A missing engine: the system's own package manager installs it, by a command that the user saw before."""

import os
from pathlib import Path

import pytest

from tray.core.errors import EngineInstallError
from tray.jobs import engine_install


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder of the search path; empty at first."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def add(folder: Path, name: str, script: str = "") -> None:
    """Put a program into *folder*."""
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def as_user(monkeypatch: pytest.MonkeyPatch, uid: int) -> None:
    """Be root, or another user."""
    monkeypatch.setattr(os, "geteuid", lambda: uid)


@pytest.mark.parametrize(
    ("manager", "words"),
    [
        ("apt-get", ["apt-get", "install", "-y", "restic"]),
        ("dnf", ["dnf", "install", "-y", "restic"]),
        ("zypper", ["zypper", "--non-interactive", "install", "restic"]),
        ("pacman", ["pacman", "-S", "--noconfirm", "restic"]),
        ("apk", ["apk", "add", "restic"]),
    ],
)
def test_the_command_is_that_of_the_system(
    manager: str, words: list[str], programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root needs no more; another user is asked for a password by sudo in a terminal, and by pkexec in a window."""
    for name in (manager, "sudo", "pkexec"):
        add(programs, name)
    as_user(monkeypatch, 0)
    assert engine_install.command("restic", terminal=True) == words
    assert engine_install.by_hand("restic") == " ".join(words)
    as_user(monkeypatch, 1000)
    assert engine_install.command("restic", terminal=True) == ["sudo", *words]
    assert engine_install.command("restic", terminal=False) == ["pkexec", *words]
    assert engine_install.by_hand("restic") == f"sudo {' '.join(words)}"
    missing = engine_install.missing("restic")
    assert missing is not None
    assert f"`sudo {' '.join(words)}`" in missing.next


def test_where_no_command_can_work_none_is_offered(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a package manager, or without the program that asks for the password."""
    as_user(monkeypatch, 1000)
    assert engine_install.command("restic", terminal=True) == []
    assert engine_install.by_hand("restic") == ""
    add(programs, "apt-get")
    assert engine_install.command("restic", terminal=True) == engine_install.command("restic", terminal=False) == []


def test_homebrew_is_a_users_own(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It refuses root, and needs no other user's password."""
    add(programs, "brew")
    as_user(monkeypatch, 501)
    assert engine_install.command("restic", terminal=False) == ["brew", "install", "restic"]
    as_user(monkeypatch, 0)
    assert engine_install.command("restic", terminal=False) == []


def test_an_engine_that_is_there_is_not_missing(programs: Path) -> None:
    """Nothing is offered then."""
    add(programs, "restic")
    assert engine_install.missing("restic") is None


@pytest.mark.process
def test_the_engine_is_there_afterwards_or_the_error_says_why(programs: Path) -> None:
    """A package manager that ends well but brings nothing is no success."""
    restic = programs / "restic"
    add(programs, "apt-get", f"printf '#!/bin/sh\\n' > {restic}; /bin/chmod 755 {restic}")
    engine_install.install("restic", ["apt-get", "install", "-y", "restic"], terminal=False)
    assert restic.exists()
    restic.unlink()
    for script, why in (
        ("exit 0", "exit code 0"),
        ("echo 'E: Unable to locate package restic' >&2; exit 100", "locate"),
    ):
        add(programs, "apt-get", script)
        with pytest.raises(EngineInstallError) as caught:
            engine_install.install("restic", ["apt-get", "install", "-y", "restic"], terminal=False)
        assert why in caught.value.why
        assert "apt-get install -y restic`" in caught.value.next
    with pytest.raises(EngineInstallError, match="not installed"):
        engine_install.install("restic", ["gone"], terminal=True)


@pytest.mark.process
@pytest.mark.parametrize("code", [126, 127])
def test_a_permission_that_is_not_given_is_told_as_such(code: int, programs: Path) -> None:
    """Pkexec ends so if the user closes its window."""
    add(programs, "pkexec", f"exit {code}")
    with pytest.raises(EngineInstallError) as caught:
        engine_install.install("restic", ["pkexec", "apt-get"], terminal=False)
    assert "permission was not given" in caught.value.why
