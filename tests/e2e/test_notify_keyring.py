"""The secret of a channel in a real keyring: unlocked, locked, without the secret, and absent."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.notification_doubles import private_bus
from tests.waiting import wait_for
from tray.config.channels import ChannelSettings
from tray.notify import secrets
from tray.notify.channels import NotSentError

SECRETS, COLLECTION = "org.freedesktop.secrets", "/org/freedesktop/secrets/collection/login"
LOOKUP = ("secret-tool", "lookup", "service", "backup-tray")
SETTINGS = ChannelSettings("phone", "ntfy", secret_command=LOOKUP)
PASSWORD, SECRET = "correct horse", "tk_sesame"


@pytest.fixture
def bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A session bus without a screen, on which nothing is."""
    for name, folder in (("HOME", "home"), ("XDG_RUNTIME_DIR", "home/run"), ("XDG_DATA_HOME", "home/data")):
        (tmp_path / folder).mkdir(mode=0o700)
        monkeypatch.setenv(name, str(tmp_path / folder))
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with private_bus() as address:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
        yield


@pytest.fixture
def keyring(bus: None) -> Iterator[None]:
    """An unlocked keyring on that bus, which holds the secret."""
    words = ["gnome-keyring-daemon", "--foreground", "--unlock", "--components=secrets"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as daemon:
        assert daemon.stdin is not None
        daemon.stdin.write(PASSWORD.encode())
        daemon.stdin.close()
        try:
            wait_for(
                lambda: _call("/org/freedesktop/secrets", "Peer.Ping", bus="org.freedesktop.DBus"), what="the keyring"
            )
            store = ["secret-tool", "store", "--label=Phone", *LOOKUP[2:]]
            subprocess.run(store, input=SECRET.encode(), check=True, timeout=60)
            yield
        finally:
            daemon.terminate()


def _call(path: str, member: str, *arguments: str, bus: str = "org.freedesktop.Secret") -> bool:
    words = ["gdbus", "call", "--session", "-d", SECRETS, "-o", path, "-m", f"{bus}.{member}", *arguments]
    return subprocess.run(words, capture_output=True, timeout=60).returncode == 0


def test_an_unlocked_keyring_gives_the_secret(keyring: None) -> None:
    """As in a session: login has unlocked it."""
    assert secrets.of(SETTINGS) == SECRET


def test_a_locked_keyring_lets_the_message_wait(keyring: None) -> None:
    """The user has not logged in yet, and cron started the sender."""
    assert _call("/org/freedesktop/secrets", "Service.Lock", f"['{COLLECTION}']")
    with pytest.raises(NotSentError, match="`secret-tool` gave no secret") as caught:
        secrets.of(SETTINGS)
    assert not caught.value.final


def test_a_keyring_without_the_secret_lets_the_message_wait(keyring: None) -> None:
    """The user stores it, and the next try sends the message."""
    subprocess.run(["secret-tool", "clear", *LOOKUP[2:]], check=True, timeout=60)
    with pytest.raises(NotSentError, match="is it in the keyring") as caught:
        secrets.of(SETTINGS)
    assert not caught.value.final


def test_an_absent_keyring_lets_the_message_wait(bus: None) -> None:
    """A session bus without a keyring."""
    with pytest.raises(NotSentError, match="`secret-tool` gave no secret") as caught:
        secrets.of(SETTINGS)
    assert not caught.value.final


def test_without_a_session_bus_the_message_waits(bus: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """As cron starts a backup."""
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere")
    with pytest.raises(NotSentError, match="`secret-tool` gave no secret") as caught:
        secrets.of(SETTINGS)
    assert not caught.value.final
