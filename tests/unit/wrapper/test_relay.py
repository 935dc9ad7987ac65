"""Bytes for a slow reader: all of them, in their order, in bounded memory."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tray.runs import disk_space
from tray.wrapper import relay as relays
from tray.wrapper.relay import Relay


@contextmanager
def piped() -> Iterator[int]:
    """Replace descriptor 2 by a pipe and give its reading end. No fixture: pytest itself moves descriptor 2 between the phases."""
    read, write = os.pipe()
    before = os.dup(2)
    os.dup2(write, 2)
    os.close(write)
    try:
        yield read
    finally:
        os.dup2(before, 2)
        os.close(before)
        os.close(read)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relays, "MEMORY", 10_000)
    monkeypatch.setattr(relays, "LIMIT", 50_000)


def numbers(count: int) -> bytes:
    """Return bytes in which each place can be told from any other."""
    return b"".join(b"%07d\n" % at for at in range(count))


def taken(relay: Relay, read: int, size: int) -> bytes:
    """Read until *size* bytes have come."""
    got = bytearray()
    while len(got) < size:
        relay.flush()
        got += os.read(read, 65536)
    return bytes(got)


def test_what_a_slow_reader_does_not_take_waits_in_a_file(tmp_path: Path) -> None:
    """Memory stays small, the file has no name, and nothing is lost or out of order."""
    with piped() as reader:
        relay, all_ = Relay(tmp_path), numbers(200_000)
        for at in range(0, len(all_), 10_000):
            relay.write(2, all_[at : at + 10_000])
            assert len(relay._queues[2].first) + len(relay._queues[2].last) < 150_000
        assert not relay.full
        assert list(tmp_path.iterdir()) == []
        assert relay.waiting == [2]
        assert taken(relay, reader, len(all_)) == all_
        assert relay.waiting == []
        relay.write(2, b"again")
        assert taken(relay, reader, 5) == b"again"


def test_without_room_for_a_file_whoever_fills_it_must_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The spool keeps what is not taken from it; what was taken comes whole."""
    with piped() as reader:
        monkeypatch.setattr(disk_space, "free", lambda _fd: 0)
        relay, all_ = Relay(tmp_path), numbers(100_000)
        at = 0
        while not relay.full:
            relay.write(2, all_[at : at + 10_000])
            at += 10_000
        assert at < 300_000
        assert taken(relay, reader, at) == all_[:at]


def test_what_is_left_out_is_said_in_its_place(tmp_path: Path) -> None:
    """On a full disk the backup comes before output that no program reads."""
    with piped() as reader:
        relay, all_ = Relay(tmp_path), numbers(100_000)
        relay.write(2, all_)
        relay.write(2, all_)
        relay.shed()
        relay.write(2, b"the end\n")
        relay.flush()
        got = bytearray()
        while relay.waiting:
            got += os.read(reader, 65536)
            relay.flush()
        os.set_blocking(reader, False)
        while True:
            try:
                got += os.read(reader, 65536)
            except BlockingIOError:
                break
        assert all_.startswith(bytes(got[: got.index(b"\n[backup-tray")]))
        assert b"bytes of output were left out here" in got
        assert got.endswith(b"the end\n")


def test_a_reader_that_left_is_no_reason_to_stop(tmp_path: Path) -> None:
    """`| head`: the rest is dropped."""
    with piped() as reader:
        spare = os.dup(reader)
        os.dup2(os.open(os.devnull, os.O_RDONLY), reader)
        os.close(spare)
        relay = Relay(tmp_path)
        relay.write(2, numbers(50_000))
        relay.flush()
        assert relay.waiting == []
