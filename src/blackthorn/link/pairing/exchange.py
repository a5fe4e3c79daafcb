"""Pairing: a live device of a user and a new one prove to each other that they know one code.

Pure, both sides; specified in docs/specs/pairing.md. The server relays sealed messages. Each step
returns the object for the next one, so that steps cannot be out of order:

    live   Offer.open ► AwaitJoin.paired ► AwaitProof.open ► AwaitReveal.open ► Comparison
    new    join ► AwaitPaired.paired ► AwaitGreeting.open ► Comparison

Before a side has seen the other's proof it sends only its own.

Two people compare six digits of `Comparison.digest`. The new device commits to its part before it
sees the live one's, so that a man in the middle with the code can match both sides only by luck.
"""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from blackthorn.crypto import pake
from blackthorn.errors import DecodeError, UserError
from blackthorn.ids import Address, Fingerprint
from blackthorn.link import limits as link_limits
from blackthorn.link.activation.code import Code
from blackthorn.link.frames import JoinPairing, OpenPairing, Paired, Relay
from blackthorn.link.pairing.channel import (
    LABEL,
    LIVE,
    NEW,
    PAIRING_VERSION,
    AlteredError,
    Channel,
    framed,
    password,
    wrong_code,
)
from blackthorn.link.pairing.messages import Commitment, Greeting, Reveal
from blackthorn.wire.address import parse_address

NONCE_BYTES: Final = 32

Random = Callable[[int], bytes]


class BurntError(UserError):
    """The code was tried too often; make another one."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both sides have proved the code; two people now compare digits of `digest`.

    `address` is the user's, `device` the new device's description.
    """

    channel: Channel = field(repr=False)
    digest: bytes
    address: Address
    device: bytes


def _compared(channel: Channel, greeting: Greeting, reveal: Reveal) -> Comparison:
    try:
        address = parse_address(greeting.address)
    except DecodeError:
        raise AlteredError("the other device named no address") from None
    parts = (greeting.nonce, greeting.address.encode(), reveal.nonce, reveal.device)
    digest = hashlib.sha256(framed(LABEL + b" digits", channel.transcript, *parts)).digest()
    return Comparison(channel, digest, address, reveal.device)


def _commit(reveal: Reveal) -> bytes:
    parts = framed(LABEL + b" commitment", reveal.nonce, reveal.device)
    return hashlib.sha256(parts).digest()


@dataclass(frozen=True, slots=True)
class Offer:
    """A code of the live device, and its number of wrong tries."""

    code: Code
    fingerprint: Fingerprint
    address: Address
    tries: int = 0

    def open(self, random: Random) -> tuple[OpenPairing, "AwaitJoin"]:
        """Wait for a device to join, with fresh randomness each time."""
        exchange = pake.initiate(
            password(self.code, self.fingerprint), initiator=LIVE, responder=NEW, random=random
        )
        return OpenPairing(self.code.nameplate, exchange.message), AwaitJoin(self, exchange)

    def tried(self) -> "Offer":
        """The offer after a wrong try. Raises BurntError after the last one."""
        if self.tries + 1 >= link_limits.PAIRING_TRIES:
            raise BurntError(
                f"the code was tried wrongly {link_limits.PAIRING_TRIES} times and is burnt"
            )
        return replace(self, tries=self.tries + 1)


@dataclass(frozen=True, slots=True)
class AwaitJoin:
    _offer: Offer
    _exchange: pake.Exchange

    def paired(self, paired: Paired) -> "AwaitProof":
        """A device has joined. Raises WrongCodeError for a bad SPAKE2 message."""
        try:
            shared = self._exchange.finish(paired.message)
        except pake.PakeError:
            raise wrong_code() from None
        offer = self._offer
        messages = (self._exchange.message, paired.message)
        channel = Channel.of(shared, offer.code, messages, offer.fingerprint, live=True)
        return AwaitProof(offer, channel)


@dataclass(frozen=True, slots=True)
class AwaitProof:
    """The live device has revealed nothing before the new one's proof."""

    _offer: Offer
    _channel: Channel

    def open(self, relay: Relay, random: Random) -> tuple[Relay, "AwaitReveal"]:
        """The other side's proof; returns this side's. Raises WrongCodeError, AlteredError."""
        message = self._channel.open_proof(relay)
        if not isinstance(message, Commitment):
            raise AlteredError("the other device did not begin as it should")
        greeting = Greeting(random(NONCE_BYTES), self._offer.address)
        return self._channel.prove(greeting), AwaitReveal(self._channel, greeting, message)


@dataclass(frozen=True, slots=True)
class AwaitReveal:
    _channel: Channel
    _greeting: Greeting
    _commitment: Commitment

    def open(self, relay: Relay) -> Comparison:
        """The comparison. Raises AlteredError unless the reveal matches its commitment."""
        message = self._channel.open(relay)
        if not isinstance(message, Reveal) or not hmac.compare_digest(
            _commit(message), self._commitment.hash
        ):
            raise AlteredError("the other device revealed something else than it committed to")
        return _compared(self._channel, self._greeting, message)


def join(code: Code, fingerprint: Fingerprint, random: Random) -> tuple[JoinPairing, "AwaitPaired"]:
    """The new device's first frame; `fingerprint` is the key that its server shows."""
    exchange = pake.respond(
        password(code, fingerprint), initiator=LIVE, responder=NEW, random=random
    )
    frame = JoinPairing(PAIRING_VERSION, code.nameplate, exchange.message)
    return frame, AwaitPaired(code, fingerprint, exchange)


@dataclass(frozen=True, slots=True)
class AwaitPaired:
    _code: Code
    _fingerprint: Fingerprint
    _exchange: pake.Exchange

    def paired(
        self, paired: Paired, device: bytes, random: Random
    ) -> tuple[Relay, "AwaitGreeting"]:
        """This side's proof and commitment to `device`. Raises WrongCodeError."""
        try:
            shared = self._exchange.finish(paired.message)
        except pake.PakeError:
            raise wrong_code() from None
        messages = (paired.message, self._exchange.message)
        channel = Channel.of(shared, self._code, messages, self._fingerprint, live=False)
        reveal = Reveal(random(NONCE_BYTES), device)
        return channel.prove(Commitment(_commit(reveal))), AwaitGreeting(channel, reveal)


@dataclass(frozen=True, slots=True)
class AwaitGreeting:
    _channel: Channel
    _reveal: Reveal

    def open(self, relay: Relay) -> tuple[Relay, Comparison]:
        """This device's description, and the comparison. Raises as `AwaitProof.open`."""
        message = self._channel.open_proof(relay)
        if not isinstance(message, Greeting):
            raise AlteredError("the other device did not begin as it should")
        compared = _compared(self._channel, message, self._reveal)
        return self._channel.seal(self._reveal), compared
