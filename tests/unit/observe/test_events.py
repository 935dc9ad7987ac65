"""The kernel's process connector: what becomes a program and how it ends, told at once."""

import os
import select
import socket
import struct
import subprocess
from collections.abc import Iterator

import pytest

from tests.waiting import wait_for
from tray.observe import events
from tray.observe.events import Event, Events


@pytest.fixture
def told() -> Iterator[Events]:
    """The notices of this machine's kernel, or of a test where it has none."""
    found = Events()
    yield found
    found.close()


def packet(what: int, pid: int, tgid: int, status: int = 0) -> bytes:
    """Return a notice as the kernel writes it."""
    return bytes(36) + struct.pack("=IIQIII", what, 0, 0, pid, tgid, status)


class Kernel:
    """A socket that gives what a test put into it."""

    def __init__(self, *given: bytes | OSError, sender: int = 0) -> None:
        self.given, self.sender = list(given), sender

    def recvfrom(self, _size: int) -> tuple[bytes, tuple[int, int]]:
        """Give the next one."""
        if not self.given:
            raise BlockingIOError
        one = self.given.pop(0)
        if isinstance(one, OSError):
            raise one
        return one, (self.sender, 1)

    def fileno(self) -> int:
        """Have none."""
        return -1

    def send(self, _data: bytes) -> None:
        """Take nothing."""

    def close(self) -> None:
        """Be over."""


def of(monkeypatch: pytest.MonkeyPatch, kernel: Kernel | None, matters: set[int] | None = None) -> Events:
    """Return the notices of a kernel of ours."""
    monkeypatch.setattr(events, "_listen", lambda: kernel)
    return Events((lambda _: True) if matters is None else matters.__contains__)


@pytest.mark.process
def test_real_programs_and_their_ends_are_told(told: Events) -> None:
    """Each exit status is exact, also of what lives for a millisecond; a kernel that tells nothing is asked nothing."""
    if told.fd is None:
        assert told.drain() == []
        return
    ends = {}
    for text, status in (("exit 0", 0), ("exit 3", 3 << 8), ("kill -9 $$", 9)):
        child = subprocess.Popen(["sh", "-c", text])
        child.wait()
        ends[child.pid] = status
    if not select.select([told.fd], [], [], 1)[0]:
        return  # another namespace: the kernel tells only the first one
    found: list[Event] = []
    wait_for(lambda: found.extend(told.drain()) or ends.keys() <= {one.pid for one in found if one.status is not None})
    assert {one.pid: one.status for one in found if one.status is not None and one.pid in ends} == ends
    assert ends.keys() <= {one.pid for one in found if one.status is None}


def test_only_programs_that_matter_wake_anybody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other programs that start all day do not wake the tracker; the ends of watched ones wait for its next look."""
    kernel = Kernel(packet(2, 7, 7), packet(2, 8, 8), packet(0x80000000, 8, 8, 256))
    told = of(monkeypatch, kernel, {8})
    assert told.take()
    assert told.drain() == [Event(8, None), Event(8, 256)]
    kernel.given = [packet(2, 7, 7), packet(0x80000000, 7, 7)]
    assert not told.take()


def test_what_ran_over_or_did_not_come_from_the_kernel_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process may send to the same group; a lost notice ends nothing."""
    lost = OSError(105, "No buffer space available")
    assert of(monkeypatch, Kernel(lost, packet(2, 7, 7), b"short")).drain() == [Event(7, None)]
    assert of(monkeypatch, Kernel(packet(2, 7, 7), sender=4711)).drain() == []
    assert of(monkeypatch, Kernel(*[lost] * 9)).drain() == []


def test_a_kernel_without_it_is_no_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not permitted, not built in, not Linux: nothing is told."""
    told = of(monkeypatch, None)
    assert (told.fd, told.take(), told.drain()) == (None, False, [])
    told.close()

    def refused(*_: object) -> None:
        raise PermissionError

    monkeypatch.undo()
    monkeypatch.setattr(socket.socket, "bind", refused)
    assert Events().fd is None


def test_descriptors_are_given_back() -> None:
    """A wrapper that runs many scripts would run out of them."""
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        Events().close()
    assert len(os.listdir("/proc/self/fd")) == before
