"""A configured job, and programs that stand in for the system's schedulers."""

import os
from pathlib import Path

import pytest

from tray.core.dataclass import dataclass
from tray.core.paths import Places, private

CONFIG = """version = 1
[jobs.home]
sources = ["/home"]
repository = "/srv/backup"  # on the big disk
every = "1d"
[jobs."100 % \\"odd\\" $x"]
command = ["true"]
[jobs.own]
command = ["true"]
on = "Mon..Fri 20:30"
zone = "Europe/Berlin"
"""
CRONTAB = """#!/bin/sh
# crontab(1) for one user, whose table is the file beside it.
table=$(dirname "$0")/table
[ ! -e "$(dirname "$0")/denied" ] || { echo "You (ann) are not allowed to use this program (crontab)" >&2; exit 1; }
case $1 in
-l) [ -e "$table" ] || { echo "no crontab for ann" >&2; exit 1; }; cat "$table" ;;
-) cat >"$table" ;;
esac
"""


@dataclass(frozen=True, slots=True)
class Crontab:
    """The crontab of a user.

    Attributes:
        folder: Where its program is.
    """

    folder: Path

    @property
    def text(self) -> str | None:
        """The table, None if there is none."""
        table = self.folder / "table"
        return table.read_bytes().decode() if table.exists() else None

    def write(self, text: str) -> None:
        """Write the table as the user would."""
        (self.folder / "table").write_bytes(text.encode())

    def deny(self) -> None:
        """Take the right to use it."""
        (self.folder / "denied").touch()


@pytest.fixture
def configured(places: Places) -> Places:
    """A configuration with three jobs."""
    private(places.config)
    places.config_file.write_text(CONFIG)
    return places


@pytest.fixture
def crontab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Crontab:
    """A `crontab` in the search path, the only scheduler of this system."""
    folder = tmp_path / "cron"
    folder.mkdir()
    program = folder / "crontab"
    program.write_text(CRONTAB)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setattr("tray.schedule.systemd.RUNS", tmp_path / "no-systemd")
    return Crontab(folder)
