"""A device that keeps to no rule: it sends its proof whatever the server proved.

Also what a thief of the server's database can do with the stored row of a code. Shipped code
has no such way; that is why it is written here.
"""

from collections.abc import Callable

from blackthorn.crypto import pake
from blackthorn.crypto.secret import Secret
from blackthorn.crypto.signatures import ED25519
from blackthorn.link.activation import exchange as activation
from blackthorn.link.activation.exchange import AwaitChallenge, Channel, DeviceKeys, Verifier
from blackthorn.link.frames import ActivateBegin, ActivateChallenge, ActivateProve


def prove_unasked(
    device: AwaitChallenge, challenge: ActivateChallenge, keys: DeviceKeys, identity: Secret
) -> ActivateProve:
    """`AwaitChallenge.prove` without looking at the server's proof."""
    session = activation._Session.of(
        device._exchange.finish(challenge.message),
        device._nameplate,
        device._exchange.message,
        challenge.message,
        device._channel,
    )
    possession = ED25519.sign(identity, session.signed_by_identity())
    sealed = session.seal(b"device", activation._encode(activation._Proven(keys, possession)))
    signature = ED25519.sign(device._signing, session.signed_by_code(sealed))
    return ActivateProve(session.proof(b"device", sealed), signature, sealed)


def begin_as_thief(
    stolen: Verifier, nameplate: str, channel: Channel, random: Callable[[int], bytes]
) -> tuple[ActivateBegin, AwaitChallenge]:
    """The device's side with the stored SPAKE2 password, and a signing key of the thief's own."""
    exchange = pake.initiate(
        stolen.password,
        initiator=activation._DEVICE,
        responder=channel.fingerprint,
        random=random,
    )
    frame = ActivateBegin(activation.ACTIVATION_VERSION, nameplate, exchange.message)
    return frame, AwaitChallenge(nameplate, Secret(random(32)), channel, exchange)
