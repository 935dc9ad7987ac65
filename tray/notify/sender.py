"""The short-lived process that fills the queue and empties it: `core.ourselves.PARTS`. Nothing waits for it.

It is started after each run, when the icon sees a job change its state, and in each round of housekeeping. One process at a time
looks for news; one more waits, and any further one ends at once, as the one that waits will see the same. Each channel has a
thread and a lock of its own (`worker`), so one that hangs keeps no other from being told. The process stays while a message is due
within `worker.STAY_SECONDS`, or while a notice of ours is open on the desktop; later ones are for the next process.
"""

import os
import signal
import sqlite3
import sys
import threading
import time
import zlib
from contextlib import closing
from pathlib import Path

from tray.config.channels import DESKTOP, ChannelSettings, Notify
from tray.core import clock, paths
from tray.core import sender as core_sender
from tray.core.errors import BackupTrayError, UnsafeFolderError
from tray.core.locks import FileLock
from tray.core.model import Status
from tray.core.paths import Places, private, session_bus
from tray.core.sender import LOGIN, LOOK, NEXT, TURN
from tray.notify import fill, outages, queue, queue_file
from tray.notify.queue import Queue
from tray.notify.worker import ENDING, STAY_SECONDS, Worker

TURN_SECONDS = 120.0
"""So long a process waits for its turn to look for news; a look takes a second."""
_WAIT_SECONDS = 0.02
_TRIES = 3
"""A lock may only seem to be taken: a process that asks who holds it takes it for a moment."""
_REAP_SECONDS = 0.25


def main() -> int:
    """Look for news, and send all that is due; in a process that its starter need not reap, however long it stays."""
    if hasattr(os, "fork") and os.fork():
        os._exit(0)
    signal.signal(signal.SIGTERM, lambda *_: ENDING.set())
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})  # held back by `core.sender`
    places = paths.places()
    turn = FileLock(places.state / "notify" / NEXT)
    if descriptor := os.environ.pop(TURN, ""):
        turn.adopt(int(descriptor))
    for opened in (queue_file.opened, queue_file.elsewhere):  # the disk may be full for more than the first word
        try:
            with closing(opened(places)) as waiting:
                if LOGIN in sys.argv[1:]:
                    waiting.set_mark(LOGIN, clock.now_ms())  # whichever sender looks next takes note of it
                code = run(places, waiting, turn if descriptor else None)
                if not waiting.file.exists():  # another process has taken over all that waited here
                    core_sender.start(places)
                return code
        except (OSError, sqlite3.Error, BackupTrayError):
            continue
    return 1


def run(places: Places, waiting: Queue, turn: FileLock | None = None) -> int:
    """Look for news, and send messages that are due now or soon, by one thread a channel.

    Args:
        turn: The lock on the next turn to look, if the starter of this process has taken it.
    """
    folder = lock_folder(places)
    looked = _look(places, folder, waiting, turn)
    if looked is None:
        return 0
    known, status = looked
    busy: dict[str, tuple[threading.Thread, Worker]] = {}
    over: set[str] = set()
    while True:
        for name, (thread, worker) in list(busy.items()):
            if not thread.is_alive():
                del busy[name]
                over |= set() if worker.idle else {name}
        for name, settings in known.channels.items():  # one channel may have had another one told of its outage
            if name not in busy and name not in over and _can_send(settings) and _is_due_soon(waiting, settings):
                worker = Worker(places, waiting.file, folder, settings, status)
                busy[name] = threading.Thread(target=worker.run, name=name), worker
                busy[name][0].start()
        if not busy:
            return 0
        next(iter(busy.values()))[0].join(_REAP_SECONDS)


def lock_folder(places: Places) -> Path:
    """Return the folder of the locks: in the state folder, whichever queue is used; where that cannot be, in the runtime folder."""
    try:
        folder = private(private(places.state) / queue_file.LOCKS)
        if os.access(folder, os.W_OK):
            return folder
    except (OSError, UnsafeFolderError):
        pass
    return private(private(places.runtime) / queue_file.LOCKS)


def _can_send(settings: ChannelSettings) -> bool:
    """Whether the channel may be tried: a desktop only where a session is; its messages wait for one."""
    return settings.enabled and (settings.type != DESKTOP or sys.platform != "linux" or session_bus() is not None)


def _is_due_soon(waiting: Queue, settings: ChannelSettings) -> bool:
    now_ms = clock.now_ms()
    next_ms = waiting.next_ms(settings.name, now_ms, queue.pace_ms(settings.takes))
    return next_ms is not None and next_ms - now_ms <= (0 if ENDING.is_set() else STAY_SECONDS * 1000)


def _look(places: Places, folder: Path, waiting: Queue, taken: FileLock | None) -> tuple[Notify, Status] | None:
    """Look for news as the only process that does; None if another one waits already, and will see the same."""
    with taken or FileLock(folder / NEXT) as turn, FileLock(folder / LOOK) as mine:
        tries = 1
        while turn.fileno() is None and not turn.acquire():
            if tries == _TRIES:
                return None
            tries += 1
            time.sleep(_WAIT_SECONDS)
        until = clock.monotonic() + TURN_SECONDS
        while not mine.acquire():
            if clock.monotonic() >= until:
                return None
            time.sleep(_WAIT_SECONDS)
        turn.release()
        if not waiting.file.exists():
            raise FileNotFoundError(waiting.file)
        known = fill.settings(places)
        _note_changes(waiting, known)
        status = fill.now(places, waiting, known)
        if known.complete:
            _tidy(places, waiting, known)
        return known, status


def _note_changes(waiting: Queue, known: Notify) -> None:
    """Have the messages of a channel tried again at once whose settings or secret have changed since the last look."""
    for name, settings in known.channels.items():
        mark, after = f"{fill.SETTINGS}{name}", _print_of(settings)
        before = waiting.mark(mark)
        if before != after:
            if before is not None:
                waiting.retry_now(name, clock.now_ms())
            waiting.set_mark(mark, after)


def _print_of(settings: ChannelSettings) -> int:
    """Return a number that is another one after a change of *settings*, or of the file of the secret."""
    changed = 0
    if settings.secret_file is not None:
        try:
            changed = os.stat(paths.expand(settings.secret_file)).st_mtime_ns
        except OSError:
            pass
    return zlib.crc32(f"{settings!r} {changed}".encode("utf-8", "surrogatepass"))


def _tidy(places: Places, waiting: Queue, known: Notify) -> None:
    """Forget old messages, and channels that are turned off or gone; one whose settings have a fault may be mended."""
    now_ms = clock.now_ms()
    names = [name for name, settings in known.channels.items() if settings.enabled] + list(known.broken)
    waiting.tidy(now_ms, names)
    for name in names:
        if name in known.broken or not _can_send(known.channels[name]):
            waiting.drop_old(name, now_ms)
    outages.only(places, names)
