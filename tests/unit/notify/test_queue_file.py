"""Tests of the opening of the queue: several connections in one process, beside other processes."""

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tray.core.model.events import EventKind
from tray.core.paths import Places
from tray.notify import queue_file
from tray.notify.news import Known
from tray.notify.queue import Queue

MARK = """
import sys
from pathlib import Path
from tray.notify.queue import Queue
queue = Queue(Path(sys.argv[1]))
print(queue.mark("sent:hook"))
queue.close()
"""


def mark_elsewhere(file: Path) -> str:
    """Return a mark as another process reads it, which then closes the queue."""
    done = subprocess.run([sys.executable, "-c", MARK, file], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.process
def test_a_second_connection_leaves_the_locks_of_the_first_one(places: Places) -> None:
    """Otherwise another process, when it closes the queue, would remove the journal, and a message that was sent be sent again."""
    file = places.state / queue_file.FILE
    with closing(queue_file.opened(places)) as first:
        queue_file.opened(places).close()
        assert mark_elsewhere(file) == "None"
        first.set_mark("sent:hook", 7)
        assert mark_elsewhere(file) == "7"


def test_opening_takes_no_older_memory_along(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that opens the queue while another one tells of an incident must not undo that."""
    known = {"job:user:home": Known("r", "i", EventKind.FAILURE, 1, "home")}
    with closing(queue_file.opened(places)) as first:
        first.tell(known, (), ())
        with monkeypatch.context() as patched:
            patched.setattr(Queue, "memory", lambda _: {})  # as it was a moment before
            queue_file.opened(places).close()
        assert first.memory() == known
