"""Certificates for servers of tests: valid ones and the usual faulty ones, signed by an authority of their own."""

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tray.core import clock

DAY = timedelta(days=1)


class Authority:
    """An authority that clients trust by its file.

    Attributes:
        file: Its certificate, PEM, for `ca_file`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._key = folder, ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Authority of the tests")])
        self.file = folder / "authority.pem"
        builder = self._builder(self._name, self._key, 0, 30)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        certificate = builder.add_extension(usage, critical=True).sign(self._key, hashes.SHA256())
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def server(self, name: str = "127.0.0.1", *, from_day: int = -1, to_day: int = 30) -> ssl.SSLContext:
        """Return the context of a server with a certificate for *name*, valid between two days counted from now."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.server_file(name, from_day=from_day, to_day=to_day))
        return context

    def server_file(self, name: str = "127.0.0.1", *, from_day: int = -1, to_day: int = 30) -> Path:
        """Return a file with such a certificate and its key, PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        is_address = name.replace(".", "").isdigit()
        other = x509.IPAddress(ip_address(name)) if is_address else x509.DNSName(name)
        builder = self._builder(subject, key, from_day, to_day)
        builder = builder.add_extension(x509.SubjectAlternativeName([other]), critical=False)
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        certificate = builder.add_extension(identifier, critical=False).sign(self._key, hashes.SHA256())
        file = self._folder / f"{name}{from_day}{to_day}.pem"
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + private)
        return file

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, from_day: int, to_day: int
    ) -> x509.CertificateBuilder:
        now = datetime.fromtimestamp(clock.now_ms() // 1000, UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + from_day * DAY - timedelta(hours=1))
            .not_valid_after(now + to_day * DAY)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )
