"""Serve root's status to a group: the folder, the socket, and the conversations (their messages: `tray.ipc.system_client`).

Only members of the group can connect; the kernel sees to that. They are not trusted: a line that is too long or makes no sense
ends the conversation, requests other than questions are refused, each user can hold only a few conversations, and a client that
does not read its answers is dropped. A thread of its own answers questions that need the disk, one at a time.
"""

import asyncio
import os
import signal
import socket
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from tray import ipc, wording
from tray.core import clock, paths
from tray.core.errors import SystemServiceError, UnexpectedError
from tray.core.locks import FileLock
from tray.core.model import Status
from tray.core.paths import Places, private
from tray.ipc import endpoint
from tray.system.answers import Answers
from tray.system.follow import Follower, StatusLines

assert sys.platform != "win32"  # tells type checkers which platforms this is for
import grp  # noqa: E402 - there are no such groups on Windows

GROUP = "backup-tray"
"""The default group; its members see the names of root's files and jobs, and no secrets."""

MOST = 400
MOST_OF_ONE = 32
"""Conversations at once: in all, and of one user."""
GREETING_SECONDS = 10.0
SLOW_SECONDS = 10.0
PACE_SECONDS, REFUSED_SECONDS = 0.05, 0.5
"""Rest of a conversation after a question for the status, and after a refused message."""
QUIET_SECONDS = 60.0
"""Pause between two lines in the log about refused messages of one user."""
_READ_ONLY = "The system's instance can only be asked; nothing can be changed here."


class Conversation(asyncio.Protocol):
    """One connection."""

    def __init__(self, service: "Service") -> None:
        self.service = service
        self.transport: asyncio.Transport
        self.uid = -1
        self._buffer = bytearray()
        self._greeted = self._subscribed = self._busy = self._full = self._behind = False
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Join, unless there are too many conversations already."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.uid = endpoint.peer_uid(transport.get_extra_info("socket"))
        if not self.service.joined(self):
            transport.abort()
            return
        self._within(GREETING_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio names it
        """Leave: the client is gone."""
        self._in_time()
        self.service.left(self)

    def data_received(self, data: bytes) -> None:
        """Handle whole lines, one after the other."""
        self._buffer += data
        self._go_on()

    def pause_writing(self) -> None:
        """Keep nothing more for a client that does not read, and give it a while to catch up."""
        self._full = True
        self._within(SLOW_SECONDS)

    def resume_writing(self) -> None:
        """Send the present status to a client that has caught up."""
        self._full = False
        self._in_time()
        self.first()
        self._go_on()

    def news(self, line: bytes) -> None:
        """Pass a change of the status on."""
        if not self._subscribed:
            return
        if self._full:
            self._behind = True
        else:
            self.transport.write(line)

    def first(self) -> None:
        """Send the present status, if the client waits for it and it is known."""
        if self._behind and self.service.lines.known:
            self._behind = False
            self.transport.write(self.service.lines.whole())

    def _go_on(self) -> None:
        """Act on the buffered lines, as long as the line before is answered and read."""
        while not self._busy and not self._full and (end := self._buffer.find(b"\n")) >= 0:
            line = bytes(self._buffer[:end])
            del self._buffer[: end + 1]
            try:
                if len(line) > ipc.MAX_REQUEST:
                    raise ipc.ProtocolError("line too long")
                self._act(ipc.decode(line))
            except (ipc.ProtocolError, ValueError) as error:
                self._end(str(error))
                return
        if self._busy or self._full:
            self.transport.pause_reading()
        elif len(self._buffer) > ipc.MAX_REQUEST:
            self._end("line too long")
        else:
            self.transport.resume_reading()

    def _act(self, message: ipc.Message) -> None:
        kind = message["type"]
        if kind == "hello":
            self._greeted = True
            self._in_time()
            self.transport.write(ipc.encode(ipc.hello("system")))
        elif not self._greeted:
            raise ipc.ProtocolError("hello comes first")
        elif kind in ("status", "subscribe"):
            self._subscribed = self._subscribed or kind == "subscribe"
            self._behind = True
            self.first()
            self._rest(PACE_SECONDS)
        elif self.service.answers.knows(kind):
            self._busy = True
            self.service.ask(self, message)
        else:
            self.service.refused(self.uid, kind)
            self.transport.write(ipc.encode({"type": "refused", "why": _READ_ONLY}))
            self._rest(REFUSED_SECONDS)

    def _rest(self, seconds: float) -> None:
        """Take nothing more for a moment, so that a client that talks fast does not keep the service busy."""
        self._busy = True
        asyncio.get_running_loop().call_later(seconds, self._rested)

    def _rested(self) -> None:
        self._busy = False
        if not self.transport.is_closing():
            self._go_on()

    def answered(self, line: bytes | None) -> None:
        """Send an answer; None: the question makes no sense."""
        self._busy = False
        if self.transport.is_closing():
            return
        if line is None:
            self._end("the question makes no sense")
            return
        self.transport.write(line)
        self._go_on()

    def _end(self, why: str) -> None:
        """Tell the client why, and hang up."""
        self._buffer.clear()
        self.service.refused(self.uid, why)
        self.transport.write(ipc.encode({"type": "error", "why": why}))
        self._within(SLOW_SECONDS)
        self.transport.close()

    def _within(self, seconds: float) -> None:
        """Drop the client unless `_in_time` is called before."""
        self._in_time()
        self._timer = asyncio.get_running_loop().call_later(seconds, self.transport.abort)

    def _in_time(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Service:
    """The system-wide instance, for as long as it runs."""

    def __init__(self, places: Places) -> None:
        self.lines = StatusLines()
        self.answers = Answers(places)
        self._follower = Follower(places, self._take_soon, self._ended)
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="answers")
        self._conversations: set[Conversation] = set()
        self._of: Counter[int] = Counter()
        self._logged: dict[int, float] = {}
        self._failed = False
        self._loop: asyncio.AbstractEventLoop
        self._done: asyncio.Event

    async def serve(self, listener: socket.socket) -> bool:
        """Serve on *listener* until a signal; return False if it ended because root's status can no longer be followed."""
        self._loop, self._done = asyncio.get_running_loop(), asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            with suppress(NotImplementedError):
                self._loop.add_signal_handler(number, self._done.set)
        server = await self._loop.create_server(lambda: Conversation(self), sock=listener)
        self._follower.start()
        await self._done.wait()
        server.close()
        for conversation in tuple(self._conversations):
            conversation.transport.abort()
        await asyncio.to_thread(self._follower.stop)
        self._worker.shutdown(wait=False, cancel_futures=True)
        return not self._failed

    def joined(self, conversation: Conversation) -> bool:
        """Whether one more conversation is taken."""
        if len(self._conversations) >= MOST or self._of[conversation.uid] >= MOST_OF_ONE:
            self.refused(conversation.uid, "too many conversations at once")
            return False
        self._conversations.add(conversation)
        self._of[conversation.uid] += 1
        return True

    def left(self, conversation: Conversation) -> None:
        """Forget a conversation that has ended."""
        if conversation in self._conversations:
            self._conversations.discard(conversation)
            self._of[conversation.uid] -= 1
            self._of += Counter()  # forgets those who have none

    def ask(self, conversation: Conversation, question: ipc.Message) -> None:
        """Have *question* answered in its turn."""

        def work() -> None:
            line = None
            try:
                line = self.answers.answer(question)
            except ValueError:
                pass  # the question makes no sense
            except Exception as error:  # it must not wait for an answer for ever
                print(f"backup-tray system: {UnexpectedError(error).why}", file=sys.stderr, flush=True)
            with suppress(RuntimeError):  # the loop has ended meanwhile
                self._loop.call_soon_threadsafe(conversation.answered, line)

        self._worker.submit(work)

    def refused(self, uid: int, message: object) -> None:
        """Log that a user sent a refused message, but not again and again."""
        now = clock.monotonic()
        if now < self._logged.get(uid, 0.0):
            return
        self._logged = {known: until for known, until in self._logged.items() if until > now} | {
            uid: now + QUIET_SECONDS
        }
        words = wording.escape(str(message)[:60])
        print(f"backup-tray system: refused from user {uid}: {words}", file=sys.stderr, flush=True)

    def _take_soon(self, status: Status) -> None:
        with suppress(RuntimeError):  # the loop has ended meanwhile
            self._loop.call_soon_threadsafe(self._take, status)

    def _take(self, status: Status) -> None:
        begins = not self.lines.known
        line = self.lines.take(status)
        for conversation in tuple(self._conversations):
            conversation.first() if begins else conversation.news(line)

    def _ended(self) -> None:
        def end() -> None:
            self._failed = not self._done.is_set()
            self._done.set()

        with suppress(RuntimeError):  # the loop has ended meanwhile
            self._loop.call_soon_threadsafe(end)


def group_id(name: str) -> int:
    """Return the number of the group *name*, which may be a number already.

    Raises:
        SystemServiceError: There is no such group.
    """
    if name.isascii() and name.isdigit():
        return int(name)
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        step = f"Make it: `sudo groupadd --system {name}`, then try again."
        raise SystemServiceError(f"There is no group {name!r} on this system.", step) from None


def check_user(folder: Path) -> None:
    """Check that this user may run the service: root, except in a trial.

    Raises:
        SystemServiceError: It is an ordinary user.
    """
    if folder == paths.VIEW_FOLDER and os.geteuid() != 0:
        raise SystemServiceError(
            "Only root can be the system's instance.",
            "Have systemd start it: `sudo systemctl start backup-tray`; or by hand: `sudo backup-tray system`.",
        )


def prepare(folder: Path, group: int) -> None:
    """Make *folder*, which only we can write and only the *group* can enter.

    Raises:
        SystemServiceError: Another thing is in its place, or it cannot be given to the group.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as error:
        raise _unusable(folder, error.strerror or str(error)) from error
    try:
        owner = os.fstat(handle).st_uid
        if owner != os.geteuid():
            raise _unusable(folder, f"it belongs to user {owner}")
        os.fchown(handle, -1, group)
        os.fchmod(handle, 0o750)
    except OSError as error:
        raise _unusable(folder, error.strerror or str(error)) from error
    finally:
        os.close(handle)


def listen(folder: Path, group: int) -> socket.socket:
    """Return the listening socket.

    Raises:
        SystemServiceError: It cannot be made.
    """
    try:
        return endpoint.listen_to_group(folder / paths.VIEW_SOCKET, group)
    except OSError as error:
        raise _unusable(folder, error.strerror or str(error)) from error


def _unusable(folder: Path, why: str) -> SystemServiceError:
    return SystemServiceError(
        f"{folder}: {why}.", f"Look at it with `ls -ld {folder}` and move it away, then try again."
    )


def run(places: Places, *, group: str = GROUP) -> int:
    """Run the service until a signal, and return the exit code.

    Raises:
        SystemServiceError: There is one already, or it cannot show itself to the group.
        UnsafeFolderError: The runtime folder is not private.
    """
    folder = paths.view_folder()
    check_user(folder)
    number = group_id(group)
    lock = FileLock(private(places.runtime) / "system.lock")
    if not lock.acquire():
        raise SystemServiceError("It is shown already, by another process.", "Look: `systemctl status backup-tray`.")
    with lock:
        prepare(folder, number)
        with listen(folder, number) as listener:
            print(f"backup-tray system: shown to the group {group} at {folder}", file=sys.stderr, flush=True)
            fine = asyncio.run(Service(places).serve(listener))
        (folder / paths.VIEW_SOCKET).unlink(missing_ok=True)
    return 0 if fine else 70
