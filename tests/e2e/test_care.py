"""Housekeeping with a real tracker: which of its events go on record, and which do not."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import pytest

from tests.e2e.program import tray
from tests.e2e.trays import Publisher, record
from tests.waiting import wait_for
from tray import ipc
from tray.audit.store import AuditLog
from tray.core import clock
from tray.core.paths import Places
from tray.housekeeping import task_memory

pytestmark = pytest.mark.e2e


@contextmanager
def tracker(*arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A real tracker for as long as the block lasts."""
    process = subprocess.Popen([sys.executable, "-m", "tray", "tracker", *arguments])
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


def recorded(places: Places, action: str) -> list[dict[str, Any]]:
    """The bodies of the entries of an action, with their results, the oldest first."""
    with AuditLog.read(places.audit_db) as log:
        entries = [entry for entry in log.entries(0, 10_000) if entry.data["action"] == action]
    return [{"result": entry.data["result"], "time": entry.data["time"], **(entry.body or {})} for entry in entries]


def begun(places: Places, times: int = 1) -> list[dict[str, Any]]:
    """Wait until *times* starts of a tracker are on record, and return their details."""
    return wait_for(
        lambda: len(entries := recorded(places, "recorder.started")) == times and entries,
        what=f"{times} beginnings on record",
    )


def cared_for(places: Places) -> None:
    """Wait until the tracker's round of housekeeping is over."""
    wait_for(lambda: "wall_ms" in task_memory.load(places, "clock"), what="a round of housekeeping")
    wait_for(lambda: not _carers(), what="its end")


def _carers() -> list[psutil.Process]:
    children = psutil.Process().children(recursive=True)
    return [child for child in children if child.is_running() and "--care" in _words(child)]


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def test_an_ended_tracker_leaves_start_and_stop_a_killed_one_only_a_start(places: Places) -> None:
    """After a start without a stop it is unknown how long the tracker watched, and the log claims nothing."""
    record("home", "succeeded")
    with tracker() as killed:
        begun(places)
        killed.send_signal(signal.SIGKILL)
        killed.wait(60)
    with tracker() as ended:
        first, second = begun(places, 2)
        ended.send_signal(signal.SIGTERM)
        assert ended.wait(60) == 0
    (stop,) = recorded(places, "recorder.stopped")
    assert (first["pid"], second["pid"]) == (killed.pid, ended.pid)
    assert (stop["pid"], stop["why"]) == (ended.pid, "signal")
    assert first["time"] < second["time"] < stop["time"]


def test_an_idle_tracker_and_one_that_hands_over_say_why_they_end(places: Places) -> None:
    """The tracker had no clients, or a newer one took its place: the log gives the reason, and neither is a failure."""
    record("home", "succeeded")
    with tracker("--idle-exit", "3") as idle:
        begun(places)
        assert idle.wait(60) == 0
    with tracker() as old:
        begun(places, 2)
        client = ipc.Client(places, "cli")
        client.send({"type": "handover"})
        assert old.wait(60) == 0
        client.close()
    assert [stop["why"] for stop in recorded(places, "recorder.stopped")] == ["idle", "handover"]


def test_a_tracker_begins_no_log_and_its_start_follows_once_there_is_one(places: Places) -> None:
    """Before the first backup the tracker writes no log; afterwards the log says since when it has watched."""
    with tracker():
        run = wait_for(lambda: Publisher("home"), what="a conversation")
        assert not places.audit_db.exists()
        moment = clock.to_text(clock.now_ms())
        record("home", "succeeded", run=run.run.run)
        run._client.send({"type": "run.finished", "run": run.run.run, "last": None})
        (start,) = begun(places)
        assert start["time"] < moment
        cared_for(places)
        run.close()


def test_changes_without_a_tracker_are_on_record_after_the_next_start(places: Places) -> None:
    """The next tracker records a changed clock and an edited configuration, once, however often trackers start."""
    record("home", "succeeded")
    places.config.mkdir(mode=0o700, parents=True, exist_ok=True)
    places.config_file.write_text("version = 1\n")
    with tracker():
        begun(places)
        cared_for(places)
    file = places.state / "care" / "clock.json"
    known = json.loads(file.read_text())
    file.write_text(json.dumps(known | {"wall_ms": known["wall_ms"] + 7_200_000}))
    places.config_file.write_text('version = 1\n[watch]\nstalled_after = "5m"\n')
    for times in (2, 3):
        with tracker():
            begun(places, times)
            wait_for(lambda: recorded(places, "config.changed"), what="the edit on record")
            cared_for(places)
    (jump,), (edit,) = recorded(places, "clock.jumped"), recorded(places, "config.changed")
    assert jump["result"] == "set back"
    assert -7205 < jump["seconds"] < -7195
    assert edit["changes"] == [{"key": "watch.stalled_after", "from": None, "to": '"5m"'}]


def test_housekeeping_by_hand_names_the_failed_tasks(places: Places) -> None:
    """`backup-tray tracker --care` does the tasks that it can, names the others, and ends with 1."""
    record("home", "succeeded")
    places.config.mkdir(mode=0o700, parents=True, exist_ok=True)
    places.config_file.write_text("[audit\n")
    done = tray("tracker", "--care")
    assert done.returncode == 1
    assert "copies of checkpoints, pruning, forwarding, metrics: The configuration cannot be used" in done.stderr
    assert task_memory.load(places, "clock")
