"""An honest device over real TLS and WebSockets, as far as its activation."""

import asyncio
import secrets
import time

import msgspec

from blackthorn.crypto.openpgp_open import generate_user_key, sign_detached
from blackthorn.crypto.secret import Secret
from blackthorn.crypto.signatures import ED25519
from blackthorn.edges.link.client import LinkConnection, connect
from blackthorn.identity.chain import first_statement
from blackthorn.identity.keys import SigningKeys
from blackthorn.identity.openpgp import claim
from blackthorn.identity.statements import Genesis, Statement, make
from blackthorn.link.activation import exchange
from blackthorn.link.activation.code import Code
from blackthorn.link.activation.exchange import Channel, DeviceKeys, Enrolment
from blackthorn.link.frames import AnyFrame, EpochPushed, LeafChanged
from tests.support.ledger_world import Model

ADDRESS = "alice@acme.example"


def new_device(openpgp: tuple[Secret, bytes] | None = None) -> tuple[Secret, DeviceKeys]:
    """A first device of the user's, perhaps with this OpenPGP key and certificate.

    Returns its identity key, and what it brings.
    """
    keys = SigningKeys.generate(secrets.token_bytes)
    mls_key = ED25519.public_key(Secret(secrets.token_bytes(32)))
    model = Model(keys, mls_key, "laptop")
    key, certificate = openpgp or generate_user_key(ADDRESS)
    now_ms = time.time_ns() // 1_000_000
    body = claim(ADDRESS, certificate, lambda data: sign_detached(data, key))
    first = make(first_statement(ADDRESS, Genesis(model.info), now_ms), [(model.id, keys)])
    second = Statement(ADDRESS, 2, first.statement.hash, body, now_ms)
    statements = first.encode(), make(second, [(model.id, keys)]).encode()
    brings = model.brings(*statements, certificate=certificate)
    return keys.ed25519, msgspec.structs.replace(brings, key_packages=[b"one", b"two", b"three"])


async def begun(port: int, code: Code) -> tuple[LinkConnection, exchange.AwaitChallenge]:
    link = await connect("127.0.0.1", port, None)
    channel = Channel(link.fingerprint, link.binding)
    frame, device = exchange.begin(code, channel, secrets.token_bytes)
    link.send(frame)
    return link, device


async def activate(port: int, code: Code, identity: Secret, keys: DeviceKeys) -> Enrolment:
    link, device = await begun(port, code)
    try:
        challenged = device.open(await link.receive())
        link.trust()
        prove, waiting = challenged.prove(keys, identity)
        link.send(prove)
        return waiting.open(await link.receive())
    finally:
        await link.close()


async def answer(link: LinkConnection) -> AnyFrame:
    """The next frame, but for those of the ledger, whose first entry may be published meanwhile."""
    frame = await asyncio.wait_for(link.receive(), 10)
    while isinstance(frame, LeafChanged | EpochPushed):
        frame = await asyncio.wait_for(link.receive(), 10)
    return frame
