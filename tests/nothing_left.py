"""A pytest plugin (`-p tests.nothing_left`): a file that the tests leave in the user's home or among temporary files fails the run.

It compares names two levels deep: programs keep files in a home directly, or in folders of `.cache`, `.config` and their like.
Other programs of the machine make files meanwhile, so a name counts only if it is of this program, of an engine, or of another
program that the tests start. Below /var/tmp, where the program keeps records that fit nowhere else, it counts if it belongs to a
state folder of these tests: the name tells which (`tray.core.paths`).
"""

import os
import re
import tempfile
import time
import zlib
from pathlib import Path

import pytest

from tests import own_home

_FOLDERS = (".", ".cache", ".config", ".local", ".local/share", ".local/state", ".local/lib", "snap")
_SHARED = frozenset((".X11-unix", ".ICE-unix", ".XIM-unix", ".font-unix", ".Test-unix"))
"""Folders of the X server, which every user of a machine shares."""
_OURS = re.compile(
    r"backup.?tray|restic|borg|rclone|rsync|duplicity|rdiff|kopia|pytest|hypothesis|webkit|dconf|xfce|openbox|dunst|history|bt-",
    re.IGNORECASE,
)
_LAST_RESORT = Path("/var/tmp")
_MARKED = re.compile(r"backup-tray-\d+-([0-9a-f]{8})")
_PATIENCE = 20.0
_LEFT = pytest.StashKey[list[str]]()


def _places() -> list[Path]:
    home = Path(os.environ.get("HOME") or "/")
    return [*(home / folder for folder in _FOLDERS), Path(tempfile.gettempdir())]


def _names(places: list[Path]) -> frozenset[str]:
    names = set()
    for place in places:
        try:
            names |= {
                str(place / name)
                for name in os.listdir(place)
                if name not in _SHARED and name[:3] != own_home.PREFIX and _OURS.search(name)
            }
        except OSError:
            continue
    return frozenset(names)


def _last_resorts() -> dict[str, str]:
    """Return the folders of the last resort, each with the mark of its state folder."""
    matches = (_MARKED.fullmatch(name) for name in os.listdir(_LAST_RESORT))
    return {str(_LAST_RESORT / match[0]): match[1] for match in matches if match}


def _marks() -> frozenset[str]:
    """Return the mark of every folder of the tests."""
    return frozenset(
        f"{zlib.crc32(os.fsencode(folder)):08x}" for folder, _, _ in os.walk(os.environ.get(own_home.BASE, ""))
    )


class _Watch:
    """Looks before the first test and after the last one."""

    def __init__(self, config: pytest.Config) -> None:
        self._places = _places()
        self._before = _names(self._places) | _last_resorts().keys()
        config.stash[_LEFT] = []

    def left(self) -> list[str]:
        """Return the new names, after waiting for those that a process is still removing."""
        deadline = time.monotonic() + _PATIENCE
        while (new := _names(self._places) - self._before) and time.monotonic() < deadline:
            time.sleep(0.2)
        late = {name: mark for name, mark in _last_resorts().items() if name not in self._before}
        marks = _marks() if late else frozenset()
        return sorted(new | {name for name, mark in late.items() if mark in marks})


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Note the names in the real home, before the tests get a home of their own; only in the first process of a run."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Watch(config), "nothing-left-watch")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Turn a run that left something into a failed one."""
    watch = session.config.pluginmanager.get_plugin("nothing-left-watch")
    if isinstance(watch, _Watch):
        session.config.stash[_LEFT] = watch.left()
        if session.config.stash[_LEFT] and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Name the files that are left."""
    for name in config.stash.get(_LEFT, []):
        terminalreporter.write_line(f"LEFT BEHIND, which fails this run: {name}", red=True)
