"""Mail signed by DKIM and ARC with dkimpy, the oracle, and the zone in which its keys lie."""

import base64
import time
from dataclasses import dataclass, field
from functools import cache

import dkim
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from blackthorn.mail.authentication import limits
from blackthorn.mail.authentication.questions import Found, Kind, Question
from blackthorn.mail.authentication.verdict import Arrival, Rules, Verdict, judge

NOW = int(time.time())  # dkimpy signs with this clock
PEER = "192.0.2.1"
MAIL = (
    b"From: Eve <eve@out.example>\r\nTo: alice@acme.example\r\nSubject:  A  folded\r\n subject\r\n"
    b"Date: Tue, 01 Dec 2026 10:00:00 +0000\r\nMessage-ID: <1@out.example>\r\n\r\n"
    b"Hello,  \r\nthis   is\t text. \r\n\r\n\r\n"
)
SIGNED = [b"from", b"to", b"subject", b"date", b"message-id", b"from"]


@cache
def rsa_key(bits: int = 2_048) -> tuple[bytes, bytes]:
    """Private PEM, and the published record."""
    key = rsa.generate_private_key(65_537, bits)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return private, b"v=DKIM1; k=rsa; p=" + base64.b64encode(public)


@cache
def ed25519_key() -> tuple[bytes, bytes]:
    """dkimpy's private form, and the published record."""
    key = ed25519.Ed25519PrivateKey.generate()
    public = base64.b64encode(key.public_key().public_bytes_raw())
    return base64.b64encode(key.private_bytes_raw()), b"v=DKIM1; k=ed25519; p=" + public


def signed(
    mail: bytes = MAIL,
    domain: bytes = b"out.example",
    form: tuple[bytes, bytes] = (b"relaxed", b"relaxed"),
    algorithm: bytes = b"rsa-sha256",
) -> bytes:
    """The mail with one more DKIM-Signature, of the selector `s`."""
    private = rsa_key()[0] if algorithm == b"rsa-sha256" else ed25519_key()[0]
    line = dkim.sign(
        mail,
        b"s",
        domain,
        private,
        canonicalize=form,
        include_headers=SIGNED,
        signature_algorithm=algorithm,
    )
    return bytes(line) + mail


def sealed(mail: bytes, domain: bytes, results: str = "spf=pass") -> bytes:
    """The mail with one more ARC set of `domain`."""
    noted = f"Authentication-Results: {domain.decode()}; {results}\r\n".encode() + mail
    lines = dkim.arc_sign(
        noted, b"s", domain, rsa_key()[0], domain, include_headers=[b"from", b"subject"]
    )
    return b"".join(lines) + mail


@dataclass
class Zone:
    """Answers, and what was asked."""

    texts: dict[str, list[bytes]] = field(default_factory=dict)
    others: dict[Question, Found] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    rounds: int = 0

    def key(self, domain: str, record: bytes | None = None) -> "Zone":
        self.texts[f"s._domainkey.{domain}"] = [record or rsa_key()[1]]
        return self

    def txt(self, name: str, *texts: str) -> "Zone":
        self.texts[name] = [text.encode() for text in texts]
        return self

    def answer(self, question: Question) -> Found:
        if question.name in self.failed:
            return Found(failed=True)
        if question in self.others:
            return self.others[question]
        texts = self.texts.get(question.name) if question.kind is Kind.TXT else None
        exists = any(f".{name}".endswith(f".{question.name}") for name in self.texts)
        return Found(tuple(texts or ()), exists=exists)


def judged(
    mail: bytes,
    zone: Zone,
    sender: str = "eve@out.example",
    peer: str = PEER,
    rules: Rules | None = None,
    helo: str = "mx.out.example",
) -> Verdict:
    """The verdict, with all questions answered by `zone`."""
    rules = rules or Rules("acme.example", "acme.example")
    known: dict[Question, Found] = {}
    for _ in range(limits.MAX_QUESTIONS + 1):
        zone.rounds += 1
        found = judge(mail, Arrival(peer, sender, helo, NOW), rules, known, last=False)
        if isinstance(found, Verdict):
            return found
        assert found and not found & known.keys(), found
        known |= {question: zone.answer(question) for question in found}
    raise AssertionError("it asks without end")
