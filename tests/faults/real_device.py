"""An honest device over real TLS and WebSockets, as far as its activation."""

import secrets

from blackthorn.crypto.openpgp_open import generate_user_key
from blackthorn.crypto.secret import Secret
from blackthorn.crypto.signatures import ED25519
from blackthorn.edges.link_client import LinkConnection, connect
from blackthorn.link import activation
from blackthorn.link.activation import Channel, DeviceKeys, Enrolment
from blackthorn.link.code import Code

ADDRESS = "alice@acme.example"


def new_device() -> tuple[Secret, DeviceKeys]:
    identity = Secret(secrets.token_bytes(32))
    _, certificate = generate_user_key(ADDRESS)
    return identity, DeviceKeys(
        identity_key=ED25519.public_key(identity),
        name="laptop",
        certificate=certificate,
        key_packages=[b"one", b"two", b"three"],
        last_resort=b"last",
    )


async def begun(port: int, code: Code) -> tuple[LinkConnection, activation.AwaitChallenge]:
    link = await connect("127.0.0.1", port, None)
    channel = Channel(link.fingerprint, link.binding)
    frame, device = activation.begin(code, channel, secrets.token_bytes)
    link.send(frame)
    return link, device


async def activate(port: int, code: Code, identity: Secret, keys: DeviceKeys) -> Enrolment:
    link, device = await begun(port, code)
    try:
        prove, waiting = device.open(await link.receive()).prove(keys, identity)
        link.send(prove)
        return waiting.open(await link.receive())
    finally:
        await link.close()
