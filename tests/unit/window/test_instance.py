"""One window for each user."""

import errno
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.waiting import wait_for
from tray.core import paths
from tray.core.errors import UnsafeFolderError, WindowBusyError
from tray.core.paths import Places
from tray.ipc import endpoint
from tray.window import instance
from tray.window.instance import Instance


@pytest.fixture
def shown() -> list[str]:
    """The pages that the open window was asked for."""
    return []


@pytest.fixture
def first(places: Places, shown: list[str]) -> Iterator[Instance]:
    """The window that is open."""
    made = Instance(places)
    assert made.claim_or_ask("dashboard")
    made.listen(shown.append)
    with closing(made):
        yield made


def test_the_second_one_has_the_first_show_its_page(first: Instance, places: Places, shown: list[str]) -> None:
    """A second start does not open a second window."""
    assert not Instance(places).claim_or_ask("report/0190")
    assert shown == ["report/0190"]


def test_the_place_is_free_once_the_first_is_closed(first: Instance, places: Places) -> None:
    """After closing, the next start opens a window again, and no socket is left."""
    first.close()
    assert not first.path.exists()
    second = Instance(places)
    assert second.claim_or_ask("dashboard")
    second.close()


def test_a_stale_socket_is_replaced(places: Places, shown: list[str]) -> None:
    """A killed window's socket does not stop the next window."""
    folder = paths.private(places.runtime)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(folder / "window.sock"))
    made = Instance(places)
    assert made.claim_or_ask("dashboard")
    made.listen(shown.append)
    with closing(made):
        instance.ask(made.path, "audit")
    assert shown == ["audit"]


def test_socket_and_lock_are_private(first: Instance) -> None:
    """Mode 0600 in a 0700 folder."""
    assert first.path.stat().st_mode & 0o777 == 0o600
    assert first.path.parent.stat().st_mode & 0o777 == 0o700
    assert (first.path.parent / "window.lock").stat().st_mode & 0o777 == 0o600


def test_a_folder_that_others_can_enter_is_refused(places: Places) -> None:
    """A socket where others could put their own is no socket of ours."""
    places.runtime.mkdir(parents=True)
    places.runtime.chmod(0o755)
    with pytest.raises(UnsafeFolderError):
        Instance(places)


@pytest.mark.parametrize(
    "line",
    [
        b"nonsense\n",
        b'{"page": 5}\n',
        b'{"page": "../etc"}\n',
        b"[]\n",
        b"\xff\xfe\n",
        b"x" * 5000 + b"\n",
        b'{"page"',
        b"",
    ],
)
def test_nonsense_gets_no_answer_and_does_no_harm(first: Instance, shown: list[str], line: bytes) -> None:
    """Garbage, half and over-long lines end the conversation; the next one is heard."""
    with socket.socket(socket.AF_UNIX) as conversation:
        conversation.settimeout(5)
        conversation.connect(str(first.path))
        try:
            conversation.sendall(line)
            conversation.shutdown(socket.SHUT_WR)
            assert conversation.recv(100) == b""
        except (BrokenPipeError, ConnectionResetError):
            pass  # it hung up before all was sent
    instance.ask(first.path, "history")
    assert shown == ["history"]


def test_another_users_request_is_not_heard(first: Instance, shown: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Only processes of the same user may navigate the window."""
    monkeypatch.setattr(endpoint, "same_user", lambda _: False)
    with socket.socket(socket.AF_UNIX) as conversation:
        conversation.settimeout(5)
        conversation.connect(str(first.path))
        try:
            conversation.sendall(json.dumps({"page": "audit"}).encode() + b"\n")
            assert conversation.recv(100) == b""
        except (BrokenPipeError, ConnectionResetError):
            pass  # it hung up at once
    assert shown == []


def test_a_listener_of_another_user_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A foreign process on our socket gets no word from us."""
    path = tmp_path / "window.sock"
    with socket.socket(socket.AF_UNIX) as foreign:
        foreign.bind(str(path))
        foreign.listen()
        monkeypatch.setattr(endpoint, "same_user", lambda _: False)
        with pytest.raises(OSError, match="belongs to another user"):
            instance.ask(path, "audit")


def test_without_unix_sockets_a_token_keeps_others_out(
    places: Places, shown: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Windows a user who cannot read the window owner's file cannot navigate the window."""
    monkeypatch.setattr(endpoint, "LOOPBACK", True)
    made = Instance(places)
    assert made.claim_or_ask("dashboard")
    made.listen(shown.append)
    with closing(made):
        port = int(made.path.read_text().split()[0])
        with socket.create_connection(("127.0.0.1", port), 5) as stranger:
            stranger.sendall(b'{"page": "history", "token": "guess"}\n')
            assert stranger.recv(100) == b""
        assert not Instance(places).claim_or_ask("audit")
    assert shown == ["audit"]


def test_a_window_that_hangs_is_named_as_the_cause(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """A start never waits for ever, and says what to do."""
    monkeypatch.setattr(instance, "_PATIENCE", 0.1)
    holder = Instance(places)
    assert holder.claim_or_ask("dashboard")
    with closing(holder), pytest.raises(WindowBusyError) as caught:
        Instance(places).claim_or_ask("dashboard")
    assert caught.value.next


def test_of_many_starts_at_once_one_opens(places: Places, shown: list[str]) -> None:
    """Ten clicks open one window; the nine others ask it."""
    owners, lock = [], threading.Lock()

    def start() -> None:
        made = Instance(places)
        if made.claim_or_ask("history"):
            made.listen(shown.append)
            with lock:
                owners.append(made)

    threads = [threading.Thread(target=start) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(owners) == 1
    wait_for(lambda: len(shown) == 9, what="nine requests")
    owners[0].close()


@pytest.mark.parametrize("line", [b"[" * 1020 + b"\n", b"\xff\n", b"5\n", b'{"page":"\\ud800"}\n', b"x" * 3000, b""])
def test_nonsense_ends_one_conversation_and_the_window_still_hears(places: Places, line: bytes) -> None:
    """Also what nests too deeply."""
    one = instance.Instance(places)
    assert one.claim_or_ask("dashboard")
    heard: list[str] = []
    one.listen(heard.append)
    conversation, _ = endpoint.dial(one.path, 2.0)
    with conversation:
        conversation.sendall(line)
        conversation.shutdown(socket.SHUT_WR)
        assert b"".join(iter(lambda: conversation.recv(100), b"")) == b""
    instance.ask(one.path, "report")
    assert heard == ["report"]
    one.close()


def test_no_descriptor_left_does_not_make_the_window_deaf(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """It hears again as soon as there are some."""
    monkeypatch.setattr(instance, "_SHORT_SECONDS", 0.01)
    left = [errno.EMFILE, errno.ECONNABORTED, errno.EBADF]

    class Listener:
        def accept(self) -> None:
            raise OSError(left.pop(0), "x")

    instance._serve(Listener(), None, lambda _: None)  # type: ignore[arg-type]
    assert left == []
