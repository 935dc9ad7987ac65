"""Tests of the opening of the queue: several connections in one process, beside other processes."""

import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.unit.notify.help import event
from tray.core import clock
from tray.core.locks import FileLock
from tray.core.model.events import EventKind
from tray.core.paths import Places, private
from tray.notify import queue_file
from tray.notify.news import Known
from tray.notify.queue import Delivery, Queue

MARK = """
import sys
from pathlib import Path
from tray.notify.queue import Delivery, Queue
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


def put(queue: Queue, job: str) -> None:
    """Queue a failure, as news that the memory knows."""
    told = event(job=job, id=f"failure of {job}", incident=job)
    memory = queue.memory() | {f"job:user:{job}": Known("r", job, EventKind.FAILURE, 1, job)}
    queue.tell(memory, [told], [Delivery(told, "mail", 0)], {"looked": clock.now_ms()})


def waiting(queue: Queue) -> list[str | None]:
    """Return the jobs of the message that is due, and acknowledge it."""
    message = queue.take("mail", clock.now_ms(), 0)
    if message is None:
        return []
    queue.sent(message, clock.now_ms())
    return [each.job for each in message.events]


def damage(file: Path) -> None:
    """Write over all of the file."""
    file.write_bytes(b"this is no database" * 500)
    for part in ("-wal", "-shm"):
        file.with_name(file.name + part).unlink(missing_ok=True)


def newer(file: Path) -> None:
    """Make the file one of a later version."""
    with closing(Queue(file)) as queue:
        queue.db.execute("PRAGMA user_version = 99")


@pytest.mark.parametrize(("change", "name"), [(damage, "damaged"), (newer, "newer")])
def test_a_file_that_is_no_queue_of_ours_is_set_aside(
    places: Places, change: Callable[[Path], None], name: str
) -> None:
    """Messages go on with a new one; the old one is kept, for a repair or the newer version."""
    file = places.state / queue_file.FILE
    with closing(queue_file.opened(places)) as queue:
        put(queue, "a")
    change(file)
    with closing(queue_file.opened(places)) as queue:
        assert queue.memory() == {}
        put(queue, "b")
        assert waiting(queue) == ["b"]
    assert file.with_name(f"{file.name}.{name}").exists()
    with closing(queue_file.opened(places)) as queue:
        assert list(queue.memory()) == ["job:user:b"]


def test_the_queue_is_for_this_user_alone(places: Places) -> None:
    """It holds names of jobs and reasons of failures."""
    queue_file.opened(places).close()
    assert stat.S_IMODE((places.state / queue_file.FILE).stat().st_mode) == 0o600


def test_the_queue_elsewhere_begins_with_the_memory_and_is_merged(places: Places) -> None:
    """An incident is told once, whichever queue knows of it, and no message is lost or sent twice."""
    with closing(queue_file.opened(places)) as queue:
        put(queue, "a")
        queue.set_mark("sent:mail", 5)
    with closing(queue_file.elsewhere(places)) as queue:
        assert list(queue.memory()) == ["job:user:a"]
        assert queue.mark("sent:mail") == 5
        put(queue, "b")
        assert waiting(queue) == ["b"]
        put(queue, "c")
        queue.take("mail", clock.now_ms(), 0)
    with closing(queue_file.opened(places)) as queue:
        assert list(queue.memory()) == ["job:user:a", "job:user:b", "job:user:c"]
        assert waiting(queue) + waiting(queue) == ["c", "a"]
        assert waiting(queue) == []
    assert not [path.name for path in places.runtime.iterdir() if path.name in ("notify.db", "notify.db-wal")]


def test_a_queue_elsewhere_that_is_older_changes_no_memory(places: Places) -> None:
    """It may have been left behind long ago; its messages are sent."""
    with closing(queue_file.elsewhere(places)) as queue:
        put(queue, "old")
        queue.set_mark("looked", 1)
    kept = {path.name: path.read_bytes() for path in places.runtime.iterdir() if path.name == queue_file.FILE}
    with closing(queue_file.opened(places)) as queue:
        put(queue, "new")
    (places.runtime / queue_file.FILE).write_bytes(kept[queue_file.FILE])
    with closing(queue_file.opened(places)) as queue:
        assert list(queue.memory()) == ["job:user:new", "job:user:old"]
        assert sorted(map(str, waiting(queue) + waiting(queue))) == ["new", "old"]


def test_a_queue_is_read_where_it_is_and_never_made(places: Places) -> None:
    """`notify status` changes nothing."""
    with queue_file.reading(places) as none:
        assert none is None
    assert not places.state.exists()
    with closing(queue_file.opened(places)) as queue:
        put(queue, "a")
    with queue_file.reading(places) as known:
        assert known is not None
        assert known.state("mail", clock.now_ms()).waiting == 1
    damage(places.state / queue_file.FILE)
    with queue_file.reading(places) as none:
        assert none is None


def test_a_message_from_elsewhere_is_taken_over_and_not_sent_from_there_too(places: Places) -> None:
    """A sender of the time in which the disk was full still waits for its turn; it finds nothing that is sent from here."""
    with closing(queue_file.elsewhere(places)) as other:
        put(other, "a")
        with closing(queue_file.opened(places)) as queue:
            assert queue.take("mail", clock.now_ms()) is not None
        assert other.take("mail", clock.now_ms()) is None


@pytest.mark.parametrize("folder", ["state", "runtime"])
def test_a_message_that_may_be_on_its_way_is_not_taken_over(places: Places, folder: str) -> None:
    """As long as the other process has the channel the queue elsewhere is used; then the message goes with its id."""
    locks = private(private(getattr(places, folder)) / queue_file.LOCKS)
    with closing(queue_file.elsewhere(places)) as other, FileLock(locks / queue_file.lock_name("mail")) as busy:
        put(other, "a")
        message = other.take("mail", clock.now_ms())
        assert message is not None
        assert busy.acquire()
        with closing(queue_file.opened(places)) as queue:
            assert queue.file == other.file
        busy.release()
        with closing(queue_file.opened(places)) as queue:
            assert queue.file != other.file
            again = queue.take("mail", clock.now_ms())
            assert again is not None
            assert again.id == message.id
