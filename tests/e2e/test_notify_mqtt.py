"""The status in Home Assistant, by a real broker: mosquitto, with and without TLS, passwords and a past."""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread

import pytest

from tests.certificates import Authority
from tests.e2e.program import tray
from tests.home_assistant import HomeAssistant
from tests.waiting import wait_for
from tray.config.channels import ChannelSettings
from tray.core import clock, paths
from tray.core.model import State, Status
from tray.core.model.events import Event, EventKind, Message
from tray.notify.channels import NotSentError
from tray.notify.channels.mqtt import Channel
from tray.status import StatusSource

USER, PASSWORD = "ann", "correct horse"


def free_port() -> int:
    """A port of the loopback that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class Mosquitto:
    """A broker of one test, which keeps retained messages in a file across restarts."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._process, self._readers = folder, None, []
        self._process: subprocess.Popen[bytes] | None
        self._readers: list[subprocess.Popen[bytes]]
        self.port = free_port()
        self.certificate: Path | None = None
        self.rules = ""
        (folder / "passwords").touch(mode=0o600)
        subprocess.run(["mosquitto_passwd", "-b", folder / "passwords", USER, PASSWORD], check=True)

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        # Root's mosquitto becomes another user, who could not read the folder of the test.
        lines = [f"listener {self.port} 127.0.0.1", "user root", "persistence true"]
        lines += [f"persistence_location {self._folder}/", "allow_anonymous false"]
        lines += [f"password_file {self._folder}/passwords", "log_dest stderr"]
        if self.certificate is not None:
            lines += [f"certfile {self.certificate}", f"keyfile {self.certificate}"]
        if self.rules:
            (self._folder / "rules").touch(mode=0o600)
            (self._folder / "rules").write_text(self.rules)
            lines.append(f"acl_file {self._folder}/rules")
        (self._folder / "mosquitto.conf").write_text("\n".join([*lines, ""]))
        with open(self._folder / "mosquitto.log", "ab") as log:
            self._process = subprocess.Popen(
                ["mosquitto", "-c", self._folder / "mosquitto.conf"], stdout=log, stderr=log
            )
        wait_for(self._listens, what="mosquitto")

    def _listens(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
            return True
        return False

    def stop(self) -> None:
        """End it; it writes its retained messages to the disk."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(60)

    def freeze(self) -> None:
        """Let it take connections, by its kernel, and say nothing."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """Undo `freeze`."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)

    def assistant(self, prefix: str = "homeassistant") -> HomeAssistant:
        """A Home Assistant that subscribes to all topics from now on, as another program; it misses nothing that is retained."""
        house = HomeAssistant(prefix)
        login = ["-h", "127.0.0.1", "-p", str(self.port), "-u", USER, "-P", PASSWORD, "-q", "1"]
        reader = subprocess.Popen(["mosquitto_sub", *login, "-t", "#", "-F", "%t %x"], stdout=subprocess.PIPE)
        self._readers.append(reader)

        def read() -> None:
            assert reader.stdout is not None
            for line in reader.stdout:
                topic, _, content = line.decode().rstrip("\n").rpartition(" ")
                house.receive(topic, bytes.fromhex(content))

        Thread(target=read, daemon=True).start()
        return house

    def close(self) -> None:
        """End it and its readers."""
        for reader in self._readers:
            reader.terminate()
            reader.wait(60)
            assert reader.stdout is not None
            reader.stdout.close()
        self.stop()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """A broker that is not started yet."""
    folder = tmp_path / "mosquitto"
    folder.mkdir()
    made = Mosquitto(folder)
    yield made
    made.close()


@pytest.fixture
def backups() -> None:
    """One good backup."""
    tray("run", "--job", "home", "--no-watch", "--", "true", check=True)


def channel(broker: Mosquitto, tmp_path: Path, *, password: str = PASSWORD, **options: str) -> Channel:
    """The channel as [channels.house] describes it."""
    secret = tmp_path / "secret"
    secret.touch(mode=0o600)
    secret.write_text(password + "\n")
    options = {"url": f"mqtt://127.0.0.1:{broker.port}", "user": USER, **options}
    return Channel(ChannelSettings("house", "mqtt", options=options, secret_file=str(secret)), paths.places())


def message() -> Message:
    """A message; the channel takes no content from it."""
    return Message(clock.new_id(), "house", clock.now_ms(), (Event(clock.new_id(), EventKind.TEST, clock.now_ms()),))


def present() -> Status:
    """The status of this moment."""
    source = StatusSource(paths.places(), role="cli", start_tracker=False)
    try:
        return source.poll()
    finally:
        source.close()


def test_home_assistant_shows_the_jobs_and_still_does_after_a_restart(
    broker: Mosquitto, tmp_path: Path, backups: None
) -> None:
    """A backup, its failure and its end come in turn; all is there again for a broker and a Home Assistant that start anew."""
    broker.start()
    early, sender = broker.assistant(), channel(broker, tmp_path)
    sender.send(message(), present())
    wait_for(lambda: len(early.entities) == 9 and early.value("home: state") is not None, what="the entities")
    wait_for(lambda: early.value("home: last good backup") is not None, what="the last good backup")
    tray("run", "--job", "home", "--no-watch", "--", "false")
    tray("run", "--job", "photos", "--no-watch", "--", "true", check=True)
    sender.send(message(), present())
    wait_for(lambda: "photos: state" in early.names() and early.value("home: problem") is True, what="the failure")
    wait_for(lambda: early.value("All jobs: problem") is True, what="the problem of all jobs")

    broker.stop()
    broker.start()
    late = broker.assistant()
    wait_for(lambda: len(late.entities) == 15 and late.value("home: problem") is True, what="the retained messages")
    tray("forget", "photos", check=True)
    sender.send(message(), present())
    wait_for(lambda: "photos: state" not in late.names(), what="the removal")
    wait_for(
        lambda: [topic for topic, text in late.states.items() if "photos" in topic and text] == [], what="its value"
    )
    last = broker.assistant()
    wait_for(lambda: last.entities and last.value("home: state") == "failed", what="the retained messages")
    assert not any("photos" in topic for topic in last.states)


def test_a_prefix_names_the_topic_of_another_installation(broker: Mosquitto, tmp_path: Path, backups: None) -> None:
    """`prefix` is the discovery prefix in Home Assistant's settings."""
    broker.start()
    house = broker.assistant("house/two")
    channel(broker, tmp_path, prefix="house/two").send(message(), present())
    wait_for(lambda: "home: state" in house.names(), what="the entities")


def test_the_certificate_is_checked(broker: Mosquitto, tmp_path: Path, backups: None) -> None:
    """Only a broker with a valid certificate for its name, by the named authority, gets the password."""
    authority = Authority(tmp_path)
    where = {"url": f"mqtts://127.0.0.1:{broker.port}"}
    broker.certificate = authority.server_file()
    broker.start()
    channel(broker, tmp_path, ca_file=str(authority.file), **where).send(message(), present())
    with pytest.raises(NotSentError, match="certificate that is not valid") as caught:
        channel(broker, tmp_path, **where).send(message(), present())
    assert not caught.value.final, "a certificate is renewed some day"
    with pytest.raises(NotSentError, match=r"closed the connection|cannot be reached"):
        channel(broker, tmp_path).send(message(), present())
    for wrong in (authority.server_file("other.example.com"), authority.server_file(from_day=-9, to_day=-2)):
        broker.stop()
        broker.certificate = wrong
        broker.start()
        with pytest.raises(NotSentError, match="certificate that is not valid"):
            channel(broker, tmp_path, ca_file=str(authority.file), **where).send(message(), present())


def test_refusals_are_told_without_the_password(broker: Mosquitto, tmp_path: Path, backups: None) -> None:
    """A wrong password and a forbidden topic are final, a broker that is off is not."""
    with pytest.raises(NotSentError, match="Connection refused") as off:
        channel(broker, tmp_path).send(message(), present())
    broker.rules = f"user {USER}\ntopic read #\ntopic write backup-tray/#\n"
    broker.start()
    with pytest.raises(NotSentError, match="the password is wrong") as wrong:
        channel(broker, tmp_path, password="wrong word").send(message(), present())
    with pytest.raises(NotSentError, match="may not do that") as forbidden:
        channel(broker, tmp_path).send(message(), present())
    assert (off.value.final, wrong.value.final, forbidden.value.final) == (False, True, True)
    assert "wrong word" not in str(wrong.value)


def test_a_broker_that_hangs_is_given_up(
    broker: Mosquitto, tmp_path: Path, backups: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It accepts and says nothing; the try ends by itself, and the next one after it has recovered works."""
    broker.start()
    house, sender = broker.assistant(), channel(broker, tmp_path)
    broker.freeze()
    with monkeypatch.context() as patched:
        patched.setattr("tray.notify.channels.mqtt.PATIENCE_SECONDS", 1.0)
        with pytest.raises(NotSentError, match="gave no answer in time"):
            sender.send(message(), present())
    broker.go_on()
    sender.send(message(), present())
    wait_for(lambda: "home: state" in house.names(), what="the entities")


def test_an_unavailable_status_is_told_without_the_log(broker: Mosquitto, tmp_path: Path, backups: None) -> None:
    """A log that cannot be read makes the values unknown; the device keeps its name."""
    broker.start()
    house, sender = broker.assistant(), channel(broker, tmp_path)
    sender.send(message(), present())
    wait_for(lambda: "home: state" in house.names() and house.value("home: state"), what="the entities")
    names = house.names()
    paths.places().audit_db.write_bytes(b"no database")
    sender.send(message(), Status(State.UNAVAILABLE, clock.now_ms(), error={"code": "ERROR_AUDIT_UNAVAILABLE"}))
    wait_for(lambda: house.value("home: state") is None, what="the loss")
    wait_for(lambda: house.value("All jobs: state") == "unavailable", what="the state of all jobs")
    assert house.names() == names
    kept = json.loads((paths.places().state / "care" / "notify-house.json").read_text())
    assert len(kept["jobs"]) == 1
