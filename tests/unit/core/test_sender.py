"""The start of the process that sends messages, also from within a service of systemd, which kills it at its end."""

import subprocess
import sys
from pathlib import Path

import pytest

from tray.core import sender
from tray.core.paths import Places, private

STAND_IN = """#!/bin/sh
# systemd-run(1): writes down its arguments, and moves nothing.
printf '%s ' "$@" >"$(dirname "$0")/called"
exit CODE
"""


@pytest.fixture
def started(places: Places, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """A configuration with a channel; the parts that are started the usual way."""
    private(places.config)
    places.config_file.write_text("[channels.hook]\n")
    parts: list[tuple[str, ...]] = []

    def start(*part: str, **_: object) -> "subprocess.Popen[bytes]":
        parts.append(part)
        return subprocess.Popen([sys.executable, "-c", ""])

    monkeypatch.setattr(sender.ourselves, "start", start)
    return parts


def reaped(process: "subprocess.Popen[bytes] | None") -> None:
    """Wait for the end of a process that must be there."""
    assert process is not None
    process.wait(60)


@pytest.mark.process
@pytest.mark.parametrize(
    ("unit", "code", "apart"),
    [
        ("/user.slice/user@1000.service/app.slice/backup-tray-home.service", 0, True),
        ("/system.slice/backup-tray-home.service", 1, False),
        ("/user.slice/user-1000.slice/session-2.scope", 0, False),
        ("", 0, False),
    ],
)
def test_a_service_that_ends_starts_it_in_a_unit_of_its_own(
    *,
    places: Places,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    started: list[tuple[str, ...]],
    unit: str,
    code: int,
    apart: bool,
) -> None:
    """And the usual way where systemd refuses, or where nothing of that kind ends."""
    program = tmp_path / "systemd-run"
    program.write_text(STAND_IN.replace("CODE", str(code)))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(sender, "_unit", lambda _: unit)
    reaped(sender.start(places, ends=True))
    assert started == ([] if apart else [(sender.PART,)])
    called = tmp_path / "called"
    assert called.exists() is unit.endswith(".service")
    if called.exists():
        words = called.read_text()
        assert "--scope --quiet --collect --description=Messages of Backup Tray -- " in words
        assert words.rstrip().endswith(f"__main__.py {sender.PART}")
        called.unlink()
    reaped(sender.start(places))
    assert not called.exists(), "a tracker that goes on needs no unit"


def test_the_unit_of_a_process_is_read_from_the_kernel() -> None:
    """A machine without systemd, or a process that is gone, has none."""
    assert sender._unit("0") == ""
    assert sender._unit("self") == "" or sender._unit("self").startswith("/")
