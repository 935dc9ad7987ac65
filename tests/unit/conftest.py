"""Unit tests compute; those that start processes say so."""

import sys
import threading
from collections.abc import Iterator

import pytest

from tray.observe import boots

_STARTS = {"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.exec"}
_started: list[str] = []


def _note(event: str, arguments: object) -> None:
    if event in _STARTS and threading.current_thread() is threading.main_thread():
        _started.append(f"{event} {arguments!r}"[:300])


sys.addaudithook(_note)


@pytest.fixture(autouse=True)
def marked_if_it_starts_processes(request: pytest.FixtureRequest) -> Iterator[None]:
    """See that `-m "not process"` leaves the tests that only compute; processes that threads start later are not counted."""
    _started.clear()
    yield
    assert request.node.get_closest_marker("process") or not _started, f"mark it with `process`: it ran {_started[0]}"


@pytest.fixture(autouse=True)
def no_journald(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let journald tell no starts of the machine to tests that only compute: it is asked by a program."""
    if request.node.get_closest_marker("process") is None:
        monkeypatch.setattr(boots, "journalled", list)
