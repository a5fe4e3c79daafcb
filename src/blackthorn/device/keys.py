"""The keys of one device: made at activation, kept in the vault, never sent.

- identity key (Ed25519): names the device, signs its hello, and is its MLS signature key, so
  that a leaf proves by itself which device it is of;
- OpenPGP key: opens the user's mail.

What the identity key signs cannot be taken for something else it signs: MLS begins with the
length of its label and then "MLS 1.0 ", hello and activation with labels of their own
(docs/adr/0012-who-a-leaf-is.md).
"""

from collections.abc import Callable
from dataclasses import dataclass

from blackthorn.crypto.openpgp_open import generate_user_key
from blackthorn.crypto.secret import Secret
from blackthorn.crypto.signatures import ED25519
from blackthorn.errors import UserError
from blackthorn.ids import Address, DeviceId
from blackthorn.link.device_id import device_id
from blackthorn.ports.device_store import Settings

_ADDRESS, _IDENTITY = "address", "key.identity"
_OPENPGP, _CERTIFICATE = "key.openpgp", "openpgp-certificate"


class NotActivatedError(UserError):
    """The home holds no activated device."""


@dataclass(frozen=True, slots=True)
class DeviceKeys:
    """The keys, and the address they were made for."""

    address: Address
    identity: Secret
    openpgp: Secret
    certificate: bytes

    @property
    def identity_public(self) -> bytes:
        """The 32-byte identity key."""
        return ED25519.public_key(self.identity)

    @property
    def device(self) -> DeviceId:
        """The device's name, made of its identity key."""
        return device_id(self.identity_public)


def generate(address: Address, random: Callable[[int], bytes]) -> DeviceKeys:
    """Fresh keys for a device of that user. (The OpenPGP library has randomness of its own.)"""
    openpgp, certificate = generate_user_key(address)
    return DeviceKeys(address, Secret(random(32)), openpgp, certificate)


def save(settings: Settings, keys: DeviceKeys) -> None:
    """Keep the keys."""
    settings.put(_ADDRESS, keys.address.encode())
    settings.put(_IDENTITY, keys.identity.expose())
    settings.put(_OPENPGP, keys.openpgp.expose())
    settings.put(_CERTIFICATE, keys.certificate)


def load(settings: Settings) -> DeviceKeys | None:
    """The kept keys, or None when none were made yet."""
    found = [settings.get(n) for n in (_ADDRESS, _IDENTITY, _OPENPGP, _CERTIFICATE)]
    address, identity, openpgp, certificate = found
    if not (address and identity and openpgp and certificate):
        return None
    return DeviceKeys(Address(address.decode()), Secret(identity), Secret(openpgp), certificate)
