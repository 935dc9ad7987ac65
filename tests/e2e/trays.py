"""A desktop with our tray on it; records and live runs for it."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import psutil
from PIL import Image

from tests.e2e.desktop import Desktop, desktop
from tests.e2e.notification_servers import end
from tests.e2e.program import started_itself
from tests.waiting import over, wait_for
from tray import ipc
from tray.audit import spool
from tray.audit.entry import Action, Draft
from tray.core import clock, paths
from tray.core.errors import TrackerGoneError
from tray.core.model import LiveRun, Phase
from tray.core.sender import PART

RED, BLUE, GREEN, GREY = (207, 43, 53), (61, 130, 240), (26, 127, 75), (125, 136, 150)


@contextmanager
def tray_desktop(folder: Path, host: str) -> Iterator[Desktop]:
    """Run a desktop, and end the tracker, the windows and the senders that our tray started there too."""
    temporary = folder / "tmp"
    temporary.mkdir()
    with desktop(folder / "desk", host) as made:
        made.env["TMPDIR"] = str(temporary)
        try:
            yield made
        finally:
            for process in made.started:
                if "tray" in process.args:
                    made.end(process)
            end_windows()
            end_tracker()
            end(PART)


def end_windows() -> None:
    """End the windows of this test, also those whose tray was killed."""
    home = os.environ[paths.HOME_VARIABLE]
    for process in psutil.process_iter(["cmdline"]):
        with suppress(psutil.Error):
            if started_itself(process.info["cmdline"], "window") and process.environ().get(paths.HOME_VARIABLE) == home:
                process.terminate()
                wait_for(partial(over, [process]), what="the end of the window")


def end_tracker() -> None:
    """End the tracker of this test, if there is one."""
    with suppress(TrackerGoneError, ProcessLookupError, psutil.NoSuchProcess):
        client = ipc.Client(paths.places(), "test")
        pid = client.tracker["pid"]
        client.close()
        tracker = psutil.Process(pid)
        os.kill(pid, signal.SIGTERM)
        wait_for(lambda: over([tracker]), what="the tracker's end")


def windows_of(tray: "subprocess.Popen[bytes]") -> list[str]:
    """Return the pages of the windows that the tray has started and that still run."""
    with suppress(psutil.NoSuchProcess):
        return [
            child.cmdline()[-1] for child in psutil.Process(tray.pid).children() if child.cmdline()[-2:-1] == ["window"]
        ]
    return []


def record(job: str, result: str, *, hours: float = 2, reason: str | None = None, run: str | None = None) -> str:
    """Put a finished run on record, and return its id."""
    run = run or clock.new_id()
    end = clock.now_ms() - int(hours * 3_600_000)
    facts: dict[str, Any] = {"job": job, "run": run, "engine": "restic", "kind": "backup", "source": "wrapped"}
    figures: dict[str, Any] = {"duration_ms": 60_000, "bytes_processed": 12_300_000_000, "files": 20_220}
    spool.record(
        paths.places(),
        [
            Draft(Action.RUN_STARTED, time_ms=end - 60_000, result="started", **facts),
            Draft(
                Action.RUN_FINISHED,
                time_ms=end,
                result=result,
                body={"reason": reason} if reason else None,
                **figures,
                **facts,
            ),
        ],
    )
    return run


class Publisher:
    """Announces a run to the tracker, as a wrapper does."""

    def __init__(self, job: str) -> None:
        self.run = LiveRun(
            clock.new_id(),
            job,
            "restic",
            clock.now_ms(),
            phase=Phase.SCANNING,
            files_done=0,
            bytes_done=0,
            bytes_per_second=12_300_000,
        )
        self._client = wait_for(self._connected, what="a tracker")
        self._client.send({"type": "run.started", "run": self.run.to_json()})

    def _connected(self) -> ipc.Client | None:
        with suppress(TrackerGoneError):
            return ipc.Client(paths.places(), "wrapper")
        return None

    def reach(self, percent: int) -> None:
        """Announce a progress of *percent*."""
        facts = {
            "files_done": 202 * percent,
            "files_total": 20_200,
            "bytes_done": percent * 10**6,
            "bytes_total": 10**8,
            "eta_seconds": 180,
        }
        self._client.send({"type": "run.progress", "run": self.run.run, "phase": "copying", **facts})

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


def keep(picture: Image.Image, name: str) -> None:
    """Save a picture for the README where `KEEP_PICTURES` names a folder: those in `assets/screenshots` are made so."""
    if folder := os.environ.get("KEEP_PICTURES"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        picture.save(Path(folder, name), optimize=True)


def percentage(text: str) -> int:
    """Return the percentage in a tooltip, -1 if there is none."""
    match = re.search(r"(\d+) %", text)
    return int(match[1]) if match else -1


def pixels(picture: Image.Image, colour: tuple[int, int, int]) -> int:
    """Count the pixels of a picture that are close to a colour."""
    colours = picture.getcolors(picture.width * picture.height) or ()
    return sum(number for number, shown in colours if max(abs(a - b) for a, b in zip(shown, colour, strict=True)) < 24)
