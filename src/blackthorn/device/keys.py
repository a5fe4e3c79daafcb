"""The keys of one device: made at activation, kept in the vault, never sent.

- identity key (Ed25519): names the device and signs its hello;
- MLS signature key (Ed25519): signs its leaves and messages;
- OpenPGP key: opens the user's mail.
"""

from collections.abc import Callable
from dataclasses import dataclass

from blackthorn.crypto.openpgp_open import generate_user_key
from blackthorn.crypto.secret import Secret
from blackthorn.crypto.signatures import ED25519
from blackthorn.errors import UserError
from blackthorn.ids import Address, DeviceId
from blackthorn.link.device_id import device_id
from blackthorn.mls import suites
from blackthorn.ports.device_store import Settings

_ADDRESS, _IDENTITY, _SIGNATURE = "address", "key.identity", "key.mls-signature"
_OPENPGP, _CERTIFICATE = "key.openpgp", "openpgp-certificate"


class NotActivatedError(UserError):
    """The home holds no activated device."""


@dataclass(frozen=True, slots=True)
class DeviceKeys:
    """The keys, and the address they were made for."""

    address: Address
    identity: Secret
    signature_private: Secret
    signature_public: bytes
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
    private, public = suites.suite(suites.DEFAULT_SUITE).generate_signature_key(random)
    openpgp, certificate = generate_user_key(address)
    return DeviceKeys(address, Secret(random(32)), private, public, openpgp, certificate)


def save(settings: Settings, keys: DeviceKeys) -> None:
    """Keep the keys."""
    settings.put(_ADDRESS, keys.address.encode())
    settings.put(_IDENTITY, keys.identity.expose())
    settings.put(_SIGNATURE, keys.signature_private.expose())
    settings.put(_OPENPGP, keys.openpgp.expose())
    settings.put(_CERTIFICATE, keys.certificate)


def load(settings: Settings) -> DeviceKeys | None:
    """The kept keys, or None when none were made yet."""
    found = [settings.get(n) for n in (_ADDRESS, _IDENTITY, _SIGNATURE, _OPENPGP, _CERTIFICATE)]
    address, identity, signature, openpgp, certificate = found
    if not (address and identity and signature and openpgp and certificate):
        return None
    private = Secret(signature)
    public = suites.suite(suites.DEFAULT_SUITE).signature.public_key(private)
    return DeviceKeys(
        Address(address.decode()), Secret(identity), private, public, Secret(openpgp), certificate
    )
