import errno
import json
import os
from collections.abc import Callable

import pytest

from tray.core import clock
from tray.core.paths import Places
from tray.housekeeping import task_memory
from tray.notify.channels import NotSentError, parts
from tray.notify.channels.http import SECONDS


class Receiver:
    """Takes the parts of messages; each may be refused, or take its time.

    Attributes:
        taken: The parts in the order in which they came.
        errors: By part: why it is not taken.
        seconds: How long each part takes.
    """

    def __init__(self, places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
        self.taken: list[str] = []
        self.errors: dict[str, NotSentError] = {}
        self.seconds, self.now, self.patience = 0.0, 0.0, [0.0]
        self._places = places
        monkeypatch.setattr(clock, "monotonic", lambda: self.now)

    def send(self, *names: str, message: str = "m1") -> None:
        """Send a message in these parts, as a new process would."""
        self.patience = []
        parts.send(self._places, "hook", message, [(name, self._part(name)) for name in names])

    def _part(self, name: str) -> Callable[[float], object]:
        def take(seconds: float) -> None:
            self.patience.append(seconds)
            self.now += self.seconds
            if name in self.errors:
                raise self.errors[name]
            self.taken.append(name)

        return take


@pytest.fixture
def receiver(places: Places, monkeypatch: pytest.MonkeyPatch) -> Receiver:
    """A receiver that takes everything."""
    return Receiver(places, monkeypatch)


def test_parts_are_sent_in_order(receiver: Receiver) -> None:
    """All of them within the patience for one try."""
    receiver.send("a", "b", "c")
    assert receiver.taken == ["a", "b", "c"]


def test_a_single_part_needs_no_memory(receiver: Receiver, places: Places) -> None:
    """Most messages have one; no file is written for them."""
    receiver.send("a")
    assert (receiver.taken, receiver.patience) == (["a"], [SECONDS])
    assert task_memory.load(places, "notify-hook") == {}


def test_a_new_try_sends_only_the_others(receiver: Receiver) -> None:
    """The one that failed comes first then."""
    receiver.errors["b"] = NotSentError("down")
    with pytest.raises(NotSentError, match="down"):
        receiver.send("a", "b", "c")
    receiver.errors.clear()
    receiver.send("a", "b", "c")
    assert receiver.taken == ["a", "b", "c"]


def test_a_slow_receiver_gets_the_parts_in_several_tries(receiver: Receiver) -> None:
    """No try takes longer than its patience, and each gets further."""
    receiver.seconds = SECONDS / 3
    names = [str(number) for number in range(7)]
    with pytest.raises(NotSentError, match="3 of 7 parts") as caught:
        receiver.send(*names)
    assert not caught.value.final
    assert receiver.now <= SECONDS
    assert receiver.patience == sorted(receiver.patience, reverse=True)
    with pytest.raises(NotSentError, match="6 of 7"):
        receiver.send(*names)
    receiver.send(*names)
    assert receiver.taken == names


def test_a_part_that_is_refused_for_good_stops_no_other(receiver: Receiver) -> None:
    """It is not tried again while another one still is."""
    receiver.errors = {"a": NotSentError("never", final=True), "c": NotSentError("later")}
    with pytest.raises(NotSentError, match="later") as caught:
        receiver.send("a", "b", "c")
    assert not caught.value.final
    receiver.errors = {}
    with pytest.raises(NotSentError, match=r"2 of 3 parts of the message were taken\. never") as caught:
        receiver.send("a", "b", "c")
    assert caught.value.final
    assert receiver.taken == ["b", "c"]


def test_another_message_begins_anew(receiver: Receiver) -> None:
    """Its parts may have the same names."""
    receiver.send("a", "b")
    receiver.send("a", "b", message="m2")
    assert receiver.taken == ["a", "b", "a", "b"]


def test_a_full_disk_keeps_no_part_back(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part that comes twice is better than none."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(task_memory, "save", full)
    receiver.send("a", "b")
    assert receiver.taken == ["a", "b"]


@pytest.mark.parametrize(
    "memory", ["", "[]", "{", '{"message": "m1", "settled": [1]}', '{"message": "m1", "settled": {"a": 1}}']
)
def test_a_damaged_memory_is_none(receiver: Receiver, places: Places, memory: str) -> None:
    """Then all parts are sent."""
    file = task_memory.folder(places) / "notify-hook.json"
    file.write_text(memory)
    receiver.send("a", "b")
    assert receiver.taken == ["a", "b"]
    assert json.loads(file.read_text())["settled"] == {"a": "", "b": ""}
