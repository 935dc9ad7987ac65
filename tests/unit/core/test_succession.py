"""After an upgrade what runs makes way for the new program, also where it hangs; nothing else is ended."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.waiting import wait_for
from tray import ipc
from tray.core import locks, succession
from tray.core.paths import Places, private
from tray.icon import launch
from tray.tracker import start

HOLDER = """
import signal, sys, time
from pathlib import Path
from tray.core import succession
from tray.core.locks import FileLock
if sys.argv[2] == "replaced":
    succession._STAMP = "1-1"
lock = FileLock(Path(sys.argv[1]))
assert lock.acquire()
succession.sign(lock.path)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))  # without it the kernel ends it, stopped or not
print("up", flush=True)
time.sleep(600)
"""
REPLACED_TRACKER = (
    "from tray.core import succession; succession._STAMP = '1-1'; from tray.cli.main import main; main(['tracker'])"
)
Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def started() -> Iterator[Start]:
    """Start Python with a program; it is ended in the end."""
    all_started: list[subprocess.Popen[bytes]] = []

    def begin(program: str, *arguments: str) -> "subprocess.Popen[bytes]":
        all_started.append(subprocess.Popen([sys.executable, "-c", program, *arguments], stdout=subprocess.PIPE))
        return all_started[-1]

    yield begin
    for process in all_started:
        process.kill()
        process.communicate()


def held(started: Start, places: Places, how: str) -> "subprocess.Popen[bytes]":
    """Start another tray, as far as its lock is concerned."""
    holder = started(HOLDER, str(private(places.runtime) / "tray.lock"), how)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"up\n"
    return holder


@pytest.mark.process
@pytest.mark.parametrize("hangs", [False, True])
def test_a_tray_whose_program_was_replaced_makes_way(
    places: Places, started: Start, hangs: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new icon comes without anybody having to choose Quit in the old one's menu."""
    if hangs:
        monkeypatch.setattr(succession.end, "__kwdefaults__", {"patience": 0.3})
    holder = held(started, places, "replaced")
    if hangs:
        holder.send_signal(signal.SIGSTOP)
    lock = launch._claim(places)
    assert lock is not None
    assert holder.wait(60) == (-signal.SIGKILL if hangs else 7)
    assert succession.make_way(lock.path) is False  # what this process runs is on the disk
    lock.release()


@pytest.mark.process
def test_a_tray_of_the_program_that_is_on_the_disk_stays(places: Places, started: Start) -> None:
    """The second one opens its window, as ever."""
    holder = held(started, places, "same")
    assert launch._claim(places) is None
    assert holder.poll() is None


@pytest.mark.parametrize("content", [b"", b"17", b"x\ny\nz\nw", b"\xff\n1\n/x\n2", b"1\n1\n/no/such/program\n3-4"])
def test_a_lock_that_tells_nothing_ends_nobody(tmp_path: Path, content: bytes) -> None:
    """An older version signed with less; noise is no order to kill."""
    (tmp_path / "lock").write_bytes(content)
    assert succession.make_way(tmp_path / "lock") is False


@pytest.mark.process
def test_a_number_that_was_given_again_is_not_ended(started: Start) -> None:
    """The pid alone does not identify a process."""
    other = started("import time; time.sleep(600)")
    assert succession.end(other.pid, "1", patience=0.1)
    assert other.poll() is None


@pytest.mark.process
def test_a_tracker_whose_program_was_replaced_hands_over(places: Places, started: Start) -> None:
    """A tray that comes or reconnects gets a tracker of the program that is there now; of an equal one it keeps it."""
    old = started(REPLACED_TRACKER)

    def answers() -> ipc.Client | None:
        try:
            return ipc.Client(places, "cli")
        except ipc.TrackerGoneError:
            return None

    wait_for(answers, what="the old tracker").close()
    client = start.ensure(places, "tray")
    now = int(client.tracker["pid"])
    try:
        assert old.wait(60) == 0
        assert now != old.pid
        client.close()
        again = start.ensure(places, "tray")
        assert again.tracker["pid"] == now
        again.close()
    finally:
        succession.end(now, locks.process_start(now) or "")
