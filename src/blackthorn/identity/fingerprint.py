"""Safety numbers: sixty digits, or a QR code, by which two people compare their chains.

A user's half is derived from their label, first statement and last effective reset: it changes when
their identity starts over, not when old devices add one. 5200 hashes slow it down like Signal's;
thirty digits are 99 bits, so a chain for a given half takes 2^99 slow hashes.
"""

import functools
import hashlib
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, quote

from blackthorn.errors import DecodeError, VerificationError
from blackthorn.identity import limits
from blackthorn.identity.chain import VerifiedChain
from blackthorn.wire.address import parse_address

SCHEME: Final = "blackthorn:verify?"
HASH_BYTES: Final = 32
_DOMAIN: Final = b"blackthorn-fingerprint-v1\0"
_ROUNDS: Final = 5200
_GROUPS: Final = 6
_DIGITS: Final = 60
_FIELDS: Final = ("v", "shows", "hash", "to", "tohash")
_HEX: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Half:
    """One user's half: their label and 32 bytes."""

    label: str
    hash: bytes

    @property
    def digits(self) -> str:
        """Thirty digits: six times five bytes, each modulo 100,000."""
        parts = (self.hash[5 * group : 5 * group + 5] for group in range(_GROUPS))
        return "".join(f"{int.from_bytes(part, 'big') % 100_000:05}" for part in parts)


@dataclass(frozen=True, slots=True)
class Payload:
    """A QR code: the halves of the user who shows it and of the other."""

    shows: Half
    to: Half


def half(chain: VerifiedChain) -> Half:
    return Half(chain.label, _slow_hash(chain.label, chain.genesis, chain.last_reset))


@functools.lru_cache(maxsize=256)
def _slow_hash(label: str, genesis: bytes, last_reset: bytes) -> bytes:
    name = label.encode()
    known = len(name).to_bytes(2, "big") + name + genesis + last_reset
    value = hashlib.sha512(_DOMAIN + known).digest()
    for _ in range(_ROUNDS - 1):
        value = hashlib.sha512(value + known).digest()
    return value[:HASH_BYTES]


def sixty_digits(one: VerifiedChain, other: VerifiedChain) -> str:
    """Twelve groups of five digits, equal on both sides; the smaller half first."""
    both = "".join(sorted((half(one).digits, half(other).digits)))
    return " ".join(both[place : place + 5] for place in range(0, len(both), 5))


def parse_digits(text: str) -> str:
    """The sixty typed digits, whatever is between them. Raises DecodeError for another number."""
    typed = re.sub(r"[^0-9]", "", text)
    if len(typed) != _DIGITS:
        raise DecodeError(f"that is {len(typed)} digits, not {_DIGITS}: type all of them again")
    return typed


def compare_digits(text: str, mine: VerifiedChain, theirs: VerifiedChain) -> VerifiedChain:
    """Their chain if the typed digits match. Raises DecodeError, I45 for sixty other digits."""
    typed = parse_digits(text)
    if typed != sixty_digits(mine, theirs).replace(" ", ""):
        raise VerificationError(
            "I45",
            f"the digits of {theirs.label} are not the same: if they were read out for you two and "
            "typed rightly, one of you may be shown a false identity; do not confirm",
        )
    return theirs


def encode_payload(mine: VerifiedChain, theirs: VerifiedChain) -> str:
    """The text of the QR code that `mine` shows to `theirs`."""
    shows, to = half(mine), half(theirs)
    values = ("1", shows.label, shows.hash.hex(), to.label, to.hash.hex())
    pairs = zip(_FIELDS, values, strict=True)
    return SCHEME + "&".join(f"{name}={quote(value, safe='')}" for name, value in pairs)


def parse_payload(text: str) -> Payload:
    """Raises `VerificationError` (I44)."""
    error = VerificationError("I44", "not a QR code for comparing identities")
    if len(text) > limits.MAX_VERIFY_PAYLOAD_CHARACTERS or not text.startswith(SCHEME):
        raise error
    try:
        pairs = parse_qsl(text[len(SCHEME) :], keep_blank_values=True, strict_parsing=True)
        names, values = zip(*pairs, strict=True)
        if names != _FIELDS or values[0] != "1":
            raise error
        return Payload(_half(values[1], values[2]), _half(values[3], values[4]))
    except (ValueError, DecodeError):
        raise error from None


def _half(label: str, hash_: str) -> Half:
    if parse_address(label) != label or not _HEX.fullmatch(hash_):
        raise ValueError("not the half of a comparison")
    return Half(label, bytes.fromhex(hash_))


def compare_payload(text: str, mine: VerifiedChain, theirs: VerifiedChain) -> VerifiedChain:
    """Their chain if their QR code shows both chains as seen here. Raises I44, I45."""
    payload = parse_payload(text)
    for shown, seen in ((payload.shows, theirs), (payload.to, mine)):
        if shown != half(seen):
            raise VerificationError(
                "I45",
                f"the other device sees other keys of {seen.label} than this one: do not confirm; "
                "one of you may be shown a false identity",
            )
    return theirs


def short_code(transcript: bytes) -> str:
    """Six digits that both devices of a pairing show, derived from the transcript.

    Neither side may choose the transcript after it saw the other's part.
    """
    digest = hashlib.sha256(b"blackthorn-short-code-v1\0" + transcript).digest()
    return f"{int.from_bytes(digest, 'big') % 1_000_000:06}"
