"""The files under a command's output stay small also when no wrapper reads them any more."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.e2e.program import start, tray
from tests.waiting import wait_for
from tray import runs
from tray.core.model import Outcome
from tray.core.paths import Places
from tray.status import past_runs
from tray.wrapper import spool_guard

pytestmark = pytest.mark.skipif("sys.platform != 'linux'")
_MOST = spool_guard.KEEP + (48 << 20)
"""The most bytes of a file: those that stay, those that come between two looks, and those that the wrapper reserved."""


class Flood:
    """A command that writes blocks of lines until the test ends it, and notes their number in a file.

    It waits for a permission after each block, so that no test depends on the machine's speed.
    """

    def __init__(self, folder: Path) -> None:
        self.stop, self.wrote, self.pid, self.go = (folder / name for name in ("stop", "wrote", "pid", "go"))
        os.mkfifo(self.go)
        self.script = folder / "flood.sh"
        self.script.write_text(
            f"echo $$ >{self.pid}; n=0\n"
            f"while read -r word && [ $word = go ]; do head -c 33554432 /dev/zero | tr '\\0' x | fold -w 1000 >&2;"
            f" n=$((n+1)); echo $n >{self.wrote}; done <{self.go}\n"
        )
        self._fifo = os.open(self.go, os.O_RDWR)
        self._count = 0

    def write(self) -> None:
        """Have 32 MB written."""
        os.write(self._fifo, b"go\n")
        self._count += 1
        wait_for(lambda: self.wrote.exists() and self.wrote.read_text() == f"{self._count}\n", what="the output")

    def end(self) -> None:
        """End it."""
        os.write(self._fifo, b"stop\n")

    def close(self) -> None:
        """End it if it still runs."""
        with suppress(OSError, ValueError):
            os.kill(int(self.pid.read_text()), signal.SIGKILL)
        os.close(self._fifo)


@pytest.fixture
def flood(tmp_path: Path) -> Iterator[Flood]:
    """A command that writes one block for each `write`."""
    made = Flood(tmp_path)
    yield made
    made.close()


def guards(path: Path) -> list[int]:
    """Return the processes of ours that have a file of the folder *path* open, but not the command's."""
    pids = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError):
            name = Path(f"/proc/{pid}/cmdline").read_bytes()
            links = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
            if b"run\0" in name and any(link.startswith(f"{path}/") for link in links):
                pids.append(int(pid))
    return pids


def _disk(spool: int) -> int:
    return os.fstat(spool).st_blocks * 512


def test_the_output_of_a_command_without_its_wrapper_stays_small(places: Places, flood: Flood) -> None:
    """After a kill of the wrapper the command goes on writing: the disk does not fill, and a run with lost output is no success."""
    run = start("run", "--job", "g", "--", "sh", str(flood.script), stderr=subprocess.DEVNULL)
    flood.write()
    folder = next(runs.live(places))
    wait_for(lambda: len(guards(folder.path)) == 2, what="the guard")
    run.kill()
    run.wait()
    wait_for(lambda: len(guards(folder.path)) == 1, what="the wrapper's end")
    wait_for(lambda: not folder.wrapped, what="the guard to give back what was the wrapper's")
    spool = os.open(folder.spool("err"), os.O_RDONLY)
    for _ in range(8):
        flood.write()
        wait_for(lambda: _disk(spool) < _MOST, what="room")
    assert os.fstat(spool).st_size > 8 << 25
    flood.end()
    wait_for(lambda: not guards(folder.path), what="the guard's end")
    os.close(spool)
    assert tray("status").returncode == 2
    assert [end.outcome for end in past_runs.history(places, limit=5, job="g")] == [Outcome.LOST]


def test_a_process_that_is_left_behind_fills_no_disk(places: Places, flood: Flood) -> None:
    """The wrapper has ended and its file has no name any more: later output of the process takes no room on the disk."""
    run = start(
        "run", "--job", "b", "--", "sh", "-c", f"sh {flood.script} </dev/null & exit 0", stderr=subprocess.DEVNULL
    )
    assert run.wait(60) == 0
    wait_for(flood.pid.exists, what="the process")
    pid = int(flood.pid.read_text())
    spool = os.open(f"/proc/{pid}/fd/2", os.O_RDONLY)
    wait_for(lambda: not os.fstat(spool).st_nlink, what="the end of the run")
    for _ in range(3):
        flood.write()
        wait_for(lambda: _disk(spool) < 4 << 20, what="room")
    folder = Path(os.readlink(f"/proc/{pid}/fd/2")).parent
    wait_for(lambda: len(guards(folder)) == 1, what="the guard alone")
    (left,) = guards(folder)
    assert [os.readlink(f"/proc/{left}/fd/{fd}") for fd in range(3)] == [os.devnull] * 3
    os.close(spool)
    flood.end()
    wait_for(lambda: not guards(folder), what="the guard's end")


@pytest.mark.parametrize("size", [5, 3_000_000])
def test_output_after_the_end_of_the_script_reaches_the_caller(places: Places, tmp_path: Path, size: int) -> None:
    """As without us: the caller gets the exit code at once, and a reader to the end waits for the process and misses nothing."""
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    late = f"(read word <{gate}; head -c {size} /dev/zero | tr '\\0' x; echo end) >&2 & echo first >&2; exit 3"
    run = start("run", "--job", "late", "--", "sh", "-c", late, stderr=subprocess.PIPE)
    assert run.stderr is not None
    assert run.wait(60) == 3
    gate.write_text("go\n")
    assert run.stderr.read() == b"first\n" + b"x" * size + b"end\n"
    run.stderr.close()
    (folder,) = (places.runs / "done").iterdir()
    wait_for(lambda: not guards(places.runs / "live" / folder.name), what="the end of what passed it on")


def test_a_reader_that_has_gone_keeps_no_process_of_ours(places: Places, flood: Flood) -> None:
    """The process that the script left behind goes on; the guard discards its output."""
    run = start("run", "--job", "b", "--", "sh", "-c", f"sh {flood.script} </dev/null & exit 0", stderr=subprocess.PIPE)
    assert run.wait(60) == 0
    assert run.stderr is not None
    run.stderr.close()
    wait_for(flood.pid.exists, what="the process")
    spool = os.open(f"/proc/{flood.pid.read_text().strip()}/fd/2", os.O_RDONLY)
    wait_for(lambda: not os.fstat(spool).st_nlink, what="the end of the run")
    flood.write()
    wait_for(lambda: _disk(spool) < 4 << 20, what="room")
    folder = Path(os.readlink(f"/proc/self/fd/{spool}")).parent
    os.close(spool)
    flood.end()
    wait_for(lambda: not guards(folder), what="the end of ours")


def test_a_run_that_ends_well_leaves_no_guard(places: Places, flood: Flood) -> None:
    """The guard has ended when the wrapper ends."""
    run = start("run", "--job", "w", "--", "sh", str(flood.script), stderr=subprocess.DEVNULL)
    flood.write()
    folder = next(runs.live(places))
    wait_for(lambda: len(guards(folder.path)) == 2, what="the guard")
    flood.end()
    assert run.wait(60) == 0
    assert not guards(folder.path)
    assert not guards(places.runs / "done" / folder.run)
