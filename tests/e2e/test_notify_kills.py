"""kill -9 at each step of the sender: no event is lost, and none reaches the receiver twice but the one that was on its way.

A run with a kill before every single change: `python -m tests.e2e.notify_kills steps FOLDER URL 10000`.
"""

import json
import random
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from tests.e2e import notify_kills
from tests.e2e.conftest import CHECKOUT
from tests.e2e.notify_kills import FEW
from tests.receivers import Receiver

MOST = 120
MANY = 10_000


def ids(receiver: Receiver) -> list[tuple[str, str]]:
    """Return target and id of each message that the receiver has acknowledged, in order."""
    return [(seen["target"], seen["headers"]["webhook-id"]) for seen in receiver.seen]


def assert_told_once(seen: list[tuple[str, str]], expected: list[tuple[str, str]], kills: int) -> None:
    """A receiver that drops known ids has each message once, in order; only one on its way at a kill came again."""
    again = [after for before, after in pairwise(seen) if before == after]
    assert [each for place, each in enumerate(seen) if place == 0 or seen[place - 1] != each] == expected
    assert len(again) <= kills


def test_a_kill_at_any_step_loses_no_event_and_tells_none_twice(tmp_path: Path) -> None:
    """While the news are found, while a message is made, and between its acknowledgement and the note of it."""
    with Receiver() as receiver:
        command = [sys.executable, "-m", "tests.e2e.notify_kills", "steps", str(tmp_path), receiver.url, str(MOST)]
        done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=600, check=False)
        assert done.returncode == 0, done.stderr
        seen = ids(receiver)
    result = json.loads(done.stdout)
    print(f"{result['kills']} kills, {len(seen) - FEW * result['trials']} messages came twice")
    assert result["problems"] == []
    assert result["kills"] >= 60
    expected = [(f"/{trial}", f"entry of r{number}") for trial in range(result["trials"]) for number in range(FEW)]
    assert_told_once(seen, expected, result["kills"])


@pytest.mark.parametrize("number", [MANY])
def test_ten_thousand_messages_survive_kills(tmp_path: Path, number: int) -> None:
    """Senders are killed at random moments until the queue is empty."""
    places, moments, kills = notify_kills.at(tmp_path), random.Random(11), 0
    with Receiver() as receiver:
        notify_kills.configure(places, f"{receiver.url}/all")
        notify_kills.fill(places, number)
        began = time.monotonic()
        while True:
            sender = subprocess.Popen(
                [sys.executable, "-m", "tests.e2e.notify_kills", "send", str(tmp_path)], cwd=CHECKOUT
            )
            try:
                sender.wait(moments.uniform(0.2, 1.2))
                break
            except subprocess.TimeoutExpired:
                sender.kill()
                sender.wait()
                kills += 1
        seen = ids(receiver)
        assert sender.returncode == 0
    print(f"{number} messages, {kills} kills, {len(seen) - number} came twice, {time.monotonic() - began:.0f} s")
    assert kills >= 20
    assert_told_once(seen, [("/all", f"event-{each}") for each in range(number)], kills)
