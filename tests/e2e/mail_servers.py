"""Real mail servers on the loopback: aiosmtpd with TLS, STARTTLS and AUTH, a private postfix, and one that does as it is told."""

import asyncio
import ipaddress
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email import message_from_string, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.waiting import wait_for
from tray.core import clock

ROOT = [] if os.geteuid() == 0 else ["sudo", "-n"]
USER, PASSWORD = "tray@example.com", "pässword 'with\" signs"


class Authority:
    """A certificate authority of a test, and the certificates that it issued."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Test CA {folder.name}")])
        certificate = self._signed(self._name, self._key.public_key(), 0, None)
        self.file = folder / "ca.pem"
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def _signed(self, name: x509.Name, key: Any, ended_days: int, host: str | None) -> x509.Certificate:
        now = datetime.fromtimestamp(clock.now_ms() / 1000, UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=30))
            .not_valid_after(now + timedelta(days=1 - ended_days))
            .add_extension(x509.BasicConstraints(ca=host is None, path_length=None), critical=True)
        )
        if host is not None:
            names: list[x509.GeneralName] = [x509.DNSName(host)]
            with suppress(ValueError):
                names = [x509.IPAddress(ipaddress.ip_address(host))]
            made = made.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return made.sign(self._key, hashes.SHA256())

    def context(self, host: str = "127.0.0.1", *, ended_days: int = 0) -> ssl.SSLContext:
        """Return the context of a server with a certificate for *host*, which ended so many days ago."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "server")])
        certificate = self._signed(name, key.public_key(), ended_days, host)
        file = self._folder / f"{host}-{ended_days}.pem"
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        file.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


class Mailbox:
    """The mails that a server took, and its answers.

    Attributes:
        refuse: By recipient, the answer to RCPT.
        answer: The answer to the mail itself, None to take it.
        close: Close the connection instead of an answer to the mail.
    """

    def __init__(self) -> None:
        self.mails: list[tuple[list[str], EmailMessage]] = []
        self.encrypted: list[bool] = []
        self.refuse: dict[str, str] = {}
        self.answer: str | None = None
        self.close = False
        self.users: list[str] = []

    async def handle_RCPT(self, *asked: Any) -> str:  # noqa: N802 # aiosmtpd's name
        """Take the recipient or not."""
        _, _, envelope, address, _ = asked
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Envelope) -> str:  # noqa: N802 # aiosmtpd's name
        """Take the mail or not."""
        if self.close:
            assert server.transport is not None
            server.transport.abort()
            await asyncio.sleep(0)
        if self.answer is not None:
            return self.answer
        assert isinstance(envelope.content, bytes)
        mail = message_from_string(envelope.content.decode(), policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.encrypted.append(session.ssl is not None)
        self.mails.append((list(envelope.rcpt_tos), mail))
        return "250 OK"

    def authenticate(self, *asked: Any) -> AuthResult:
        """Take the one user."""
        *_, mechanism, data = asked
        assert isinstance(data, LoginPassword)
        self.users.append(f"{mechanism} {data.login.decode()}")
        good = data.login.decode() == USER and data.password.decode() == PASSWORD
        return AuthResult(success=good, handled=False)


@contextmanager
def serving(mailbox: Mailbox, **settings: Any) -> Iterator[int]:
    """Run a real aiosmtpd for as long as the block lasts, and yield its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    controller = Controller(
        mailbox, hostname="127.0.0.1", port=port, decode_data=False, enable_SMTPUTF8=True, **settings
    )
    controller.start()
    try:
        yield port
    finally:
        controller.stop()


@contextmanager
def scripted(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """Run a server that does *talk* with each connection, and yield its port."""
    listener = socket.create_server(("127.0.0.1", 0))
    taken: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                taken.append(listener.accept()[0])
            except OSError:
                return
            threading.Thread(target=quietly, args=(taken[-1],), daemon=True).start()

    def quietly(connection: socket.socket) -> None:
        with suppress(OSError):
            talk(connection)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for connection in taken:
            connection.close()


def hear(connection: socket.socket, word: bytes) -> None:
    """Read lines until one begins with *word*."""
    file = connection.makefile("rb")
    while not file.readline().upper().startswith(word):
        pass


class Postfix:
    """A private postfix, which passes every mail on to *relay*.

    Attributes:
        port: Of its SMTP server.
        sendmail: A program that hands mails to it.
    """

    def __init__(self, relay: int) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.folder = Path(tempfile.mkdtemp(prefix="bt-postfix-", dir="/tmp"))
        self.folder.chmod(0o755)
        settings = {
            "compatibility_level": "3.6",
            "queue_directory": self.folder / "queue",
            "data_directory": self.folder / "data",
            "maillog_file": self.folder / "log",
            "maillog_file_prefixes": "/tmp",
            "inet_interfaces": "127.0.0.1",
            "inet_protocols": "ipv4",
            "myhostname": "nas.example.com",
            "mydestination": "",
            "mynetworks": "127.0.0.0/8",
            "relayhost": f"[127.0.0.1]:{relay}",
            "smtp_tls_security_level": "none",
            "smtputf8_enable": "yes",
            "alias_maps": "",
            "local_recipient_maps": "",
            "multi_instance_enable": "no",
        }
        (self.folder / "main.cf").write_text("".join(f"{key} = {value}\n" for key, value in settings.items()))
        services = [
            f"127.0.0.1:{self.port} inet n - n - - smtpd",
            "pickup unix n - n 1 1 pickup",
            "cleanup unix n - n - 0 cleanup",
        ]
        services += [
            "qmgr unix n - n 300 1 qmgr",
            "rewrite unix - - n - - trivial-rewrite",
            "tlsmgr unix - - n 1000? 1 tlsmgr",
        ]
        services += [f"{name} unix - - n - 0 bounce" for name in ("bounce", "defer", "trace")]
        services += ["flush unix n - n 1000? 0 flush", "proxymap unix - - n - - proxymap", "smtp unix - - n - - smtp"]
        services += ["showq unix n - n - - showq", "error unix - - n - - error", "retry unix - - n - - error"]
        services += [
            "anvil unix - - n - 1 anvil",
            "scache unix - - n - 1 scache",
            "postlog unix-dgram n - n - 1 postlogd",
        ]
        (self.folder / "master.cf").write_text("\n".join(services) + "\n")
        self.sendmail = self.folder / "sendmail"
        words = " ".join([*ROOT, "env", f"MAIL_CONFIG={self.folder}", "/usr/sbin/sendmail"])
        self.sendmail.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        self.sendmail.chmod(0o755)

    def start(self) -> None:
        """Start it and wait until it answers."""
        for name in ("queue", "data"):
            subprocess.run([*ROOT, "install", "-d", self.folder / name], check=True)
        subprocess.run([*ROOT, "chown", "postfix", self.folder / "data"], check=True)
        subprocess.run(
            [*ROOT, "chown", "root", self.folder, self.folder / "main.cf", self.folder / "master.cf"], check=True
        )
        self._do("start")

        def answers() -> bool:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as probe:
                return probe.recv(100).startswith(b"220")
            return False

        wait_for(answers, what="postfix")

    def close(self) -> None:
        """Stop it and remove its folder."""
        with suppress(subprocess.CalledProcessError):
            self._do("stop")
        subprocess.run([*ROOT, "rm", "-rf", self.folder], check=True)

    def log(self) -> str:
        """Return its log."""
        return subprocess.run([*ROOT, "cat", self.folder / "log"], capture_output=True, text=True).stdout

    def _do(self, verb: str) -> None:
        program = shutil.which("postfix") or "/usr/sbin/postfix"
        subprocess.run([*ROOT, program, "-c", self.folder, verb], check=True, capture_output=True, timeout=60)
