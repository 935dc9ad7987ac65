"""Keep one window for each user: the second one asks the first to come to the front at a page, and ends.

The window holds a lock for as long as it lives and listens as the tracker does (`tray.ipc.endpoint`: a Unix socket in the runtime
folder, no port). A request is one line of JSON, `{"page": "report", "token": null}`, answered by `{"ok": true}`. It listens
only to processes of the same user.
"""

import errno
import json
import re
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tray.core import clock
from tray.core.errors import UsageError, WindowBusyError
from tray.core.locks import FileLock
from tray.core.paths import Places, private
from tray.ipc import endpoint

SOCKET = "window.sock"
"""The name of the socket in the runtime folder."""
PAGES = (
    "dashboard",
    "history",
    "audit",
    "verify",
    "create",
    "import",
    "guide",
    "notifications",
    "report",
    "log",
    "cancel",
    "entry",
    "job",
)
_OF_A_RUN = ("report", "log", "cancel")
_PAGE = re.compile(r"([a-z]{1,16})(?:/(last|[0-9a-f][0-9a-f-]{0,35}))?", re.ASCII)
_JOB = re.compile(r"job/(?:[A-Za-z0-9._~!*'()-]|%[0-9A-F]{2}){1,600}", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,15}", re.ASCII)
_LINE = 1024
_PATIENCE = 5.0
_ANSWER_SECONDS = 2.0
_SHORT_SECONDS = 0.5


def page_of(text: str) -> str:
    """Return the page that *text* names, in its one spelling: "dashboard", or "report/<run>" for a page about one run.

    A page about a run that names none ("report"), or "last", is about the last run; "details" is another word for "log".
    "verify" is the page "audit" with a check that starts at once. "cancel" is the Dashboard with the question whether a live
    run shall be cancelled. "entry" is about the entry of the audit log whose number it names, "job" about the job of a name,
    which is written as in an address: "job/my%20papers".

    Raises:
        UsageError: There is no such page.
    """
    if _JOB.fullmatch(text):
        return text
    match = _PAGE.fullmatch(text)
    if match:
        name, run = {"details": "log"}.get(match[1], match[1]), match[2]
        if name in ("report", "log") and run == "last":
            return name
        if name == "entry":
            if run is not None and _NUMBER.fullmatch(run):
                return f"entry/{run}"
        elif name in PAGES and name != "job" and (run is None or (name in _OF_A_RUN and run != "last")):
            return name if run is None else f"{name}/{run}"
    raise UsageError(
        f"There is no page {text[:80]!r}.",
        why=f"The pages are {', '.join(PAGES)}; report, log and cancel also take a run, as in `report/RUN`, entry its number, "
        "and job its name.",
        next="Open the first one: `backup-tray window dashboard`.",
    )


class Instance:
    """This process's claim to be the one window.

    Raises:
        OSError: The runtime folder cannot be used.
        UnsafeFolderError: It is not private.
    """

    def __init__(self, places: Places) -> None:
        folder = private(places.runtime)
        self.path = folder / SOCKET
        self._lock = FileLock(folder / "window.lock")
        self._socket: socket.socket | None = None

    def claim_or_ask(self, page: str) -> bool:
        """Become the one window and return True, or have the open one show *page* and return False.

        Raises:
            WindowBusyError: There is one, but it neither answers nor goes.
        """
        deadline = clock.monotonic() + _PATIENCE
        while True:
            if self._lock.acquire():
                return True
            try:
                ask(self.path, page)
                return False
            except (OSError, ValueError) as error:  # it is just starting or just ending
                if clock.monotonic() > deadline:
                    raise WindowBusyError(f"{error}.") from error
            time.sleep(0.05)

    def listen(self, show: Callable[[str], object]) -> None:
        """Hear requests from now on; *show* gets each page, in a thread of ours."""
        self._socket, token = endpoint.listen(self.path)
        self._socket.setblocking(True)
        threading.Thread(target=_serve, args=(self._socket, token, show), daemon=True, name="raise").start()

    def close(self) -> None:
        """Stop listening and let the next window claim its place."""
        if self._socket is not None:
            self.path.unlink(missing_ok=True)
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits there
            self._socket.close()
            self._socket = None
        self._lock.release()


def ask(path: Path, page: str) -> None:
    """Ask the window that listens at *path* to show *page*.

    Raises:
        OSError: None listens, it does not answer, or it is not ours.
        ValueError: Its answer makes no sense.
    """
    conversation, token = endpoint.dial(path, _ANSWER_SECONDS)
    with conversation:
        conversation.sendall(json.dumps({"page": page, "token": token}).encode() + b"\n")
        if json.loads(_line(conversation)) != {"ok": True}:
            raise ValueError("the open window refused the page")


def _serve(listener: socket.socket, token: str | None, show: Callable[[str], object]) -> None:
    while True:
        try:
            conversation, _ = listener.accept()
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.ECONNABORTED):
                return  # closed: the window ends
            time.sleep(_SHORT_SECONDS)  # no descriptors are left now
            continue
        with conversation:
            try:
                conversation.settimeout(_ANSWER_SECONDS)
                if endpoint.same_user(conversation):
                    show(_request(_line(conversation), token))
                    conversation.sendall(b'{"ok": true}\n')
            except Exception:  # noqa: S112 - a request that makes no sense gets no answer
                continue


def _request(line: bytes, token: str | None) -> str:
    request = json.loads(line)
    if not isinstance(request, dict) or not isinstance(request.get("page"), str):
        raise ValueError("no page")
    if not endpoint.shows(token, request.get("token")):
        raise ValueError("no token")
    return page_of(request["page"])


def _line(conversation: socket.socket) -> bytes:
    data = b""
    while not data.endswith(b"\n"):
        chunk = conversation.recv(_LINE)
        if not chunk or len(data) > _LINE:
            raise ValueError("no whole line")
        data += chunk
    return data
