"""A certificate authority of the tests: root, intermediate, and certificates of servers."""

import datetime
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)


def pem_key(key: Any) -> bytes:
    return bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(each.public_bytes(Encoding.PEM) for each in certificates)


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@dataclass
class Authority:
    """A root that issued an intermediate, which issues for servers."""

    now: datetime.datetime = field(
        default_factory=lambda: datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    )

    def __post_init__(self) -> None:
        self._root_key, self._key = new_key(), new_key()
        self.root = self._sign("Test Root", self._root_key, self._root_key, "Test Root", ca=True)
        self.intermediate = self._sign(
            "Test Intermediate", self._key, self._root_key, "Test Root", ca=True
        )

    def issue(
        self,
        *names: str,
        key: Any = None,
        begins: datetime.timedelta = -DAY,
        ends: datetime.timedelta = 90 * DAY,
    ) -> tuple[bytes, x509.Certificate]:
        """PEM key and certificate of a server."""
        key = key or new_key()
        made = self._sign(
            names[0], key, self._key, "Test Intermediate", names=names, begins=begins, ends=ends
        )
        return pem_key(key), made

    def files(self, folder: Path, *names: str, **times: Any) -> tuple[Path, Path]:
        """Full chain, root included, and key, as files below `folder`."""
        key, made = self.issue(*names, **times)
        chain_file, key_file = folder / "chain.pem", folder / "key.pem"
        key_file.write_bytes(key)
        chain_file.write_bytes(pem(made, self.intermediate, self.root))
        return chain_file, key_file

    def _sign(
        self,
        subject: str,
        key: Any,
        issuer_key: Any,
        issuer: str,
        *,
        names: tuple[str, ...] = (),
        ca: bool = False,
        begins: datetime.timedelta = -2 * DAY,
        ends: datetime.timedelta = 900 * DAY,
    ) -> x509.Certificate:
        def name(text: str) -> x509.Name:
            return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
        own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        builder = (
            x509.CertificateBuilder()
            .subject_name(name(subject))
            .issuer_name(name(issuer))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.now + begins)
            .not_valid_after(self.now + ends)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(identifier, critical=False)
            .add_extension(own, critical=False)
        )
        if names:
            alternative = x509.SubjectAlternativeName([x509.DNSName(each) for each in names])
            builder = builder.add_extension(alternative, critical=False)
        return builder.sign(issuer_key, hashes.SHA256())
