"""Remember of each place that takes checkpoints or entries how far it has got, and whether it is out of reach.

One small JSON file for each purpose. A place that cannot be reached is put on record once, when that begins, however often it is
tried again.
"""

import contextlib
import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from tray.audit import keys, spool
from tray.audit.entry import Action, Draft, Severity
from tray.core import clock
from tray.core.files import content
from tray.core.locks import FileLock
from tray.core.paths import Places

RECORD_SECONDS = 2.0
_FAILING, _SINCE = "failing", "since_ms"


class Memory:
    """The known facts of each place; changed in memory, kept by `save`."""

    def __init__(self, places: Places, file: Path, action: Action) -> None:
        self._places, self._file, self._action = places, file, action
        self._kept = self._known = _load(file)
        self._known = {name: dict(value) for name, value in self._kept.items()}

    def of(self, place: str) -> dict[str, Any]:
        """Return the facts of *place*, to be changed."""
        return self._known.setdefault(place, {})

    def worked(self, place: str) -> None:
        """Note that *place* was reached: an outage is over."""
        for key in (_FAILING, _SINCE):
            self.of(place).pop(key, None)

    def failed(self, place: str, why: str) -> None:
        """Note that *place* could not be reached; the first time of an outage is put on record."""
        known = self.of(place)
        if _FAILING in known:
            return
        known |= {_FAILING: why, _SINCE: clock.now_ms()}
        if not self.save():  # without a memory every try would be put on record
            return
        draft = Draft(self._action, result="failed", severity=Severity.WARNING, body={"place": place, "why": why})
        spool.record(self._places, [draft], timeout=RECORD_SECONDS)

    def only(self, named: Collection[str]) -> None:
        """Forget places that are not configured any more."""
        self._known = {name: value for name, value in self._known.items() if name in named}

    def save(self) -> bool:
        """Write changes to the file; False if the disk is full or read-only, which costs the memory and nothing else."""
        if self._known != self._kept:
            try:
                keys.write_new(self._file, json.dumps(self._known).encode())
            except OSError:
                return False
            self._kept = {name: dict(value) for name, value in self._known.items()}
        return True


def failing(file: Path) -> dict[str, str]:
    """Return the places that were out the last time, each with the reason."""
    return {name: str(known[_FAILING]) for name, known in _load(file).items() if _FAILING in known}


def since(file: Path) -> dict[str, int]:
    """Return since when each of these places has been out, in milliseconds; not of an outage that an older version noted."""
    return {name: moment for name, known in _load(file).items() if type(moment := known.get(_SINCE)) is int}


@contextlib.contextmanager
def alone(file: Path) -> Iterator[bool]:
    """Whether no other process works with *file*, and it can be changed."""
    lock = FileLock(file.with_name(file.name + ".lock"))
    try:
        mine = lock.acquire()
    except OSError:
        mine = False
    try:
        yield mine
    finally:
        lock.release()


def _load(file: Path) -> dict[str, dict[str, Any]]:
    try:
        data = json.loads(content(file))
    except (OSError, ValueError, RecursionError):
        return {}
    known = data if isinstance(data, dict) else {}
    return {name: value for name, value in known.items() if isinstance(value, dict)}
