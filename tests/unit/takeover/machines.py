"""Machines below a folder, for the tests of the search for existing backups."""

from collections.abc import Mapping
from pathlib import Path

from tray.takeover import discover
from tray.takeover.found import Finding, Machine

NOON_MS = 1_796_040_000_000
"""2026-11-30 12:00 UTC, a Monday."""


def machine(root: Path, crontab: str | None = None, environ: Mapping[str, str] | None = None) -> Machine:
    """A machine below *root*, whose user is ann and whose `crontab -l` prints *crontab*; no systemd answers there."""
    home = root / "home/ann"
    home.mkdir(parents=True, exist_ok=True)

    def ask(argv: list[str]) -> str | None:
        return crontab if argv == ["crontab", "-l"] else None

    return Machine(str(root), str(home), "ann", 1000, "web1", NOON_MS, environ or {}, ask)


def put(root: Path, path: str, text: str, mode: int = 0o644) -> Path:
    """Write a file below *root*."""
    file = root / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(mode)
    return file


def findings(root: Path, crontab: str | None = None) -> dict[str, Finding]:
    """The findings on a machine, by their names; those without a name by their commands."""
    return {entry.name or entry.command: entry for entry in discover.discover(machine(root, crontab), {})}
