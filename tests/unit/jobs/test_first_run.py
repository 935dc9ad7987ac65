"""The first run of a job: the backup, and then a test of a few of its files."""

import subprocess
import sys
from collections.abc import Sequence
from types import SimpleNamespace

import pytest

from tray.jobs import first_run


@pytest.mark.parametrize(
    ("backup", "check", "code", "verbs"),
    [
        (0, 0, 0, ["backup", "check"]),
        (0, 1, 0, ["backup", "check"]),
        (0, 2, first_run.CHECK_FAILED, ["backup", "check"]),
        (3, 0, 3, ["backup"]),
        (-9, 0, 137, ["backup"]),
    ],
)
def test_a_test_follows_only_a_backup_that_succeeded(
    backup: int, check: int, code: int, verbs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exit code is that of a failed backup; a test that failed has one of its own, one with nothing to compare has not."""
    ran: list[str] = []

    def run(argv: Sequence[str], **_: object) -> SimpleNamespace:
        ran.append(argv[-2])
        assert argv[-1] == "my papers"
        return SimpleNamespace(returncode=backup if argv[-2] == "backup" else check)

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(sys, "argv", ["tray", "my papers"])
    assert first_run.main() == code
    assert ran == verbs
