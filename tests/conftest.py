"""Give every test places of its own, and signals their default handling."""

import gc
import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from hypothesis import settings

from tests import own_home
from tests.waiting import over, wait_for
from tray.core import paths, sender
from tray.core.paths import Places

settings.register_profile("same", derandomize=True, deadline=None)
settings.load_profile("same")  # two runs over one commit agree; `--hypothesis-profile=default` looks for new examples


def pytest_configure(config: pytest.Config) -> None:
    """Give the tests a home of their own, and let Ctrl-C interrupt them.

    A shell that starts pytest in the background ignores Ctrl-C, and the processes of the tests would inherit that.
    """
    if base := own_home.begin():
        config.add_cleanup(lambda: own_home.end(base))
        config.add_cleanup(lambda: _kill_senders(base))  # those that had not taken a lock yet when their test ended
        config.option.basetemp = config.option.basetemp or str(base / "p")  # short, for sockets
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let each worker begin with its share of the end-to-end tests, which mostly wait; `worksteal` deals in shares.

    The short tests, which only compute, come last: workers share them evenly, so that all end at the same time.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if workers == 1:
        return
    waiting = [item for item in items if item.get_closest_marker("e2e")]
    computing = [item for item in items if not item.get_closest_marker("e2e")]
    items[:] = [
        item
        for share in range(workers)
        for part in (waiting, computing)
        for item in part[len(part) * share // workers : len(part) * (share + 1) // workers]
    ]


def pytest_collection_finish() -> None:
    """Let the garbage collector skip the thousands of collected tests, which live as long as the process."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Hide the records, tracker and configuration of the user who runs the tests."""
    for name in [name for name in os.environ if name.startswith(("RESTIC_", "BORG_", "BACKUP_TRAY_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv(paths.HOME_VARIABLE, str(tmp_path / "bt"))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent.parent))
    last_resort = paths.places()._last_resort  # in /var/tmp
    yield
    _end_trackers(tmp_path / "bt")
    _end_senders(tmp_path)
    shutil.rmtree(last_resort, ignore_errors=True)


def _end_trackers(home: Path) -> None:
    """End the tracker that the program started for a test: it would run on for a minute, even after the last test."""
    if not (home / "runtime/tracker.lock").exists():
        return
    trackers = []
    for process in psutil.process_iter(["cmdline"]):
        with suppress(psutil.Error):
            if "--idle-exit" in (process.info["cmdline"] or ()):
                if process.environ().get(paths.HOME_VARIABLE) == str(home):
                    process.terminate()
                    trackers.append(process)
    with suppress(AssertionError):
        wait_for(lambda: over(trackers), what="the end of the tracker")
    for process in trackers:
        with suppress(psutil.Error):
            process.kill()


def _end_senders(folder: Path) -> None:
    """End the senders of messages that stay for a retry after a test; the folder of their locks tells that there was one."""
    if any(any(folder.glob(f"{above}state/notify")) for above in ("", "*/", "*/*/")):
        _kill_senders(folder)


def _kill_senders(folder: Path) -> None:
    for process in psutil.process_iter(["cmdline"]):
        with suppress(psutil.Error):
            if sender.PART in (process.info["cmdline"] or ()):
                if process.environ().get(paths.HOME_VARIABLE, "").startswith(str(folder)):
                    process.kill()


@pytest.fixture
def places() -> Places:
    """The places of this test."""
    return paths.places()


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Local time is UTC."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()
