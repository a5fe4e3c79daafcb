"""One signature of DKIM or ARC: its tags, its key, and whether it verifies (RFC 6376, 3.5 and 6.1).

SHA-1 does not count (RFC 8301, 3.1). A body length (l=) that leaves text unsigned is not accepted.
"""

import base64
import binascii
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from blackthorn.crypto.dkim.keys import (
    DkimKeyError,
    DkimSignatureError,
    verify_ed25519,
    verify_rsa,
)
from blackthorn.mail.authentication import limits
from blackthorn.mail.authentication.canonical import (
    body_hash,
    canonical_field,
    without_signature,
)
from blackthorn.mail.authentication.fields import RawField, RawHeader
from blackthorn.mail.authentication.questions import Answers

_TAG: Final = re.compile(rb"[a-zA-Z][a-zA-Z0-9_]*")
_NAME: Final = re.compile(rb"[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*")
_SLOP_SECONDS: Final = 36_000
_VERIFY: Final = {b"rsa-sha256": verify_rsa, b"ed25519-sha256": verify_ed25519}
_KEY_TYPES: Final = {b"rsa-sha256": b"rsa", b"ed25519-sha256": b"ed25519"}


class Outcome(StrEnum):
    """Results of RFC 8601, 2.7.1."""

    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    POLICY = "policy"
    NEUTRAL = "neutral"
    TEMPERROR = "temperror"
    PERMERROR = "permerror"


class SignatureFailedError(Exception):
    """A signature does not count; `outcome` says how, the text why, in words of ours."""

    def __init__(self, outcome: Outcome, reason: str) -> None:
        super().__init__(reason)
        self.outcome = outcome


def _wrong(reason: str) -> SignatureFailedError:
    return SignatureFailedError(Outcome.PERMERROR, reason)


def parse_tags(text: bytes) -> dict[bytes, bytes]:
    """A tag=value list (RFC 6376, 3.2). Raises SignatureFailedError: permerror."""
    tags: dict[bytes, bytes] = {}
    for piece in text.rstrip(b" \t\r\n;").split(b";"):
        name, equals, value = piece.partition(b"=")
        name = name.strip()
        if not equals or _TAG.fullmatch(name) is None or name in tags:
            raise _wrong("malformed tags")
        tags[name] = value.strip()
    return tags


def _squeezed(value: bytes) -> bytes:
    return b"".join(value.split())


def _decoded(tags: dict[bytes, bytes], name: bytes) -> bytes:
    try:
        return base64.b64decode(_squeezed(tags[name]), validate=True)
    except (KeyError, binascii.Error):
        raise _wrong(f"no usable {name.decode()}=") from None


@dataclass(slots=True)
class Bodies:
    """A mail's body and the hashes of its canonical forms, each computed once."""

    body: bytes
    _forms: dict[bool, tuple[bytes, int]] = field(default_factory=dict)

    def hash(self, relaxed: bool) -> tuple[bytes, int]:
        """SHA-256 of the canonical body, and its size."""
        if relaxed not in self._forms:
            self._forms[relaxed] = body_hash(self.body, relaxed)
        return self._forms[relaxed]


@dataclass(frozen=True, slots=True)
class Signature:
    """A parsed signature; `domain` is lower case."""

    field: RawField
    tags: dict[bytes, bytes]
    domain: str
    selector: str

    @property
    def key_name(self) -> str:
        """Where the key is published (RFC 6376, 3.6.2.1)."""
        return f"{self.selector}._domainkey.{self.domain}"


def parse_signature(found: RawField, *, seal: bool = False) -> Signature:
    """A signature's tags, those that all kinds need; `seal`: an ARC-Seal, which has no h= and bh=.

    Raises SignatureFailedError.
    """
    if len(found.raw) > limits.MAX_SIGNATURE_FIELD_BYTES:
        raise SignatureFailedError(Outcome.POLICY, "too large")
    tags = parse_tags(found.unfolded)
    for name in (b"a", b"b", b"d", b"s", *(() if seal else (b"h", b"bh"))):
        if not tags.get(name):
            raise _wrong(f"no {name.decode()}=")
    domain, selector = tags[b"d"], tags[b"s"]
    if len(domain) > 253 or _NAME.fullmatch(domain) is None:
        raise _wrong("no domain in d=")
    if len(selector) > 253 or _NAME.fullmatch(selector) is None:
        raise _wrong("no selector in s=")
    return Signature(found, tags, domain.decode().lower(), selector.decode().lower())


def signed_names(signature: Signature) -> list[bytes]:
    """The names in h=, lower case. Raises SignatureFailedError."""
    names = [each.strip().lower() for each in signature.tags[b"h"].split(b":")]
    if len(names) > limits.MAX_SIGNED_FIELDS:
        raise SignatureFailedError(Outcome.POLICY, "too many signed fields")
    if b"from" not in names:
        raise _wrong("From is not signed")
    return names


def _forms(signature: Signature) -> tuple[bool, bool]:
    """Whether header and body are in the relaxed form."""
    header, _, body = signature.tags.get(b"c", b"simple/simple").lower().partition(b"/")
    if header not in (b"simple", b"relaxed") or body not in (b"simple", b"relaxed", b""):
        raise _wrong("unknown canonical form")
    return header == b"relaxed", body == b"relaxed"


def check_times(tags: dict[bytes, bytes], now: int) -> None:
    """t= and x=, Unix seconds (RFC 6376, 3.5). Raises SignatureFailedError."""
    times = {}
    for name in (b"t", b"x"):
        value = tags.get(name)
        if value is None:
            continue
        if not value.isdigit() or len(value) > 12:
            raise _wrong(f"no time in {name.decode()}=")
        times[name] = int(value)
    if times.get(b"t", 0) > now + _SLOP_SECONDS:
        raise SignatureFailedError(Outcome.FAIL, "signed in the future")
    if times.get(b"x", now) < now - _SLOP_SECONDS:
        raise SignatureFailedError(Outcome.FAIL, "expired")


def check_body(signature: Signature, bodies: Bodies) -> None:
    """The body's hash. Raises SignatureFailedError."""
    expected = _decoded(signature.tags, b"bh")
    digest, size = bodies.hash(_forms(signature)[1])
    length = signature.tags.get(b"l")
    if length is not None and (not length.isdigit() or len(length) > 12 or int(length) != size):
        raise SignatureFailedError(Outcome.POLICY, "a part of the body is not signed")
    if digest != expected:
        raise SignatureFailedError(Outcome.FAIL, "the body was changed")


def check_fields(signature: Signature, header: RawHeader, answers: Answers) -> None:
    """The signature over the fields of h=, from the bottom (RFC 6376, 5.4.2).

    Raises SignatureFailedError, MissingError, LookupFailedError.
    """
    relaxed = _forms(signature)[0]
    places: dict[bytes, list[RawField]] = {}
    for each in header.fields:
        places.setdefault(each.name, []).append(each)
    data = []
    for name in signed_names(signature):
        left = places.get(name)
        if left:
            data.append(canonical_field(left.pop(), relaxed))
    own = canonical_field(without_signature(signature.field), relaxed)
    data.append(own.removesuffix(b"\r\n"))
    verify(signature, b"".join(data), answers)


def verify(signature: Signature, data: bytes, answers: Answers) -> None:
    """The signature over `data` by the published key.

    Raises SignatureFailedError, MissingError, LookupFailedError.
    """
    algorithm = signature.tags[b"a"].lower()
    if algorithm not in _VERIFY:
        raise SignatureFailedError(Outcome.PERMERROR, "algorithm")
    key = _key(signature, algorithm, answers.txt(signature.key_name))
    try:
        _VERIFY[algorithm](key, _decoded(signature.tags, b"b"), data)
    except DkimKeyError as error:
        raise SignatureFailedError(Outcome.PERMERROR, str(error)) from None
    except DkimSignatureError:
        raise SignatureFailedError(Outcome.FAIL, "the signature is false") from None


def _key(signature: Signature, algorithm: bytes, texts: tuple[bytes, ...]) -> bytes:
    """The key in the first usable record (RFC 6376, 3.6.1 and 6.1.2)."""
    if not texts:
        raise _wrong("no key")
    if len(texts) > 1:
        raise _wrong("several keys")
    if len(texts[0]) > limits.MAX_KEY_RECORD_BYTES:
        raise _wrong("too large a key")
    tags = parse_tags(texts[0])
    if tags.get(b"v", b"DKIM1") != b"DKIM1" or tags.get(b"k", b"rsa") != _KEY_TYPES[algorithm]:
        raise _wrong("a key of another kind")
    services = [each.strip() for each in tags.get(b"s", b"*").split(b":")]
    if b"*" not in services and b"email" not in services:
        raise _wrong("a key of another service")
    digests = [each.strip() for each in tags.get(b"h", b"sha256").split(b":")]
    if b"sha256" not in digests:
        raise _wrong("a key for another hash")
    flags = [each.strip() for each in tags.get(b"t", b"").split(b":")]
    if b"s" in flags and signature.tags.get(b"i", b"@").rpartition(b"@")[2].lower() not in (
        b"",
        signature.domain.encode(),
    ):
        raise _wrong("the key is not for subdomains")
    if not tags.get(b"p"):
        raise _wrong("the key is revoked")
    return _decoded(tags, b"p")
