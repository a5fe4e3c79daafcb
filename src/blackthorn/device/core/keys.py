"""The keys of one device: made when it is activated, linked or recovered, kept in the vault.

- identity key (Ed25519): names the device, signs its hello, and is its MLS signature key, so
  that a leaf proves by itself which device it is of;
- ML-DSA-65 key: signs the user's chain together with the identity key, so that a statement
  holds as long as either scheme does;
- the user's present OpenPGP key, which their devices share (`device.mail.keys`).

The first two never leave the device. What the identity key signs cannot be taken for something
else it signs: MLS begins with the length of its label and then "MLS 1.0 ", hello, activation and
statements with labels of their own (docs/adr/0012-who-a-leaf-is.md).
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from blackthorn.crypto import openpgp_open, signatures
from blackthorn.crypto.secret import Secret
from blackthorn.device.mail import keys as mail_keys
from blackthorn.errors import UserError
from blackthorn.identity.keys import SigningKeys
from blackthorn.identity.statements import DeviceInfo
from blackthorn.ids import Address, DeviceId, device_id
from blackthorn.mls import suites
from blackthorn.ports.device_store import Records, Settings

_ADDRESS, _NAME = "address", "device-name"
_IDENTITY, _ML_DSA = "key.identity", "key.ml-dsa"


class NotActivatedError(UserError):
    """The home holds no activated device."""


@dataclass(frozen=True, slots=True)
class DeviceKeys:
    """The keys, and the address they were made for; `openpgp` is empty while there is none."""

    address: Address
    identity: Secret
    openpgp: Secret
    certificate: bytes = field(repr=False)
    ml_dsa: Secret

    @property
    def identity_public(self) -> bytes:
        """The 32-byte identity key."""
        return signatures.ED25519.public_key(self.identity)

    @property
    def device(self) -> DeviceId:
        """The device's name, made of its identity key."""
        return device_id(self.identity_public)

    @property
    def signing(self) -> SigningKeys:
        """Both halves of what signs statements."""
        return SigningKeys(self.identity, self.ml_dsa)

    def info(self, name: str) -> DeviceInfo:
        """The device as its user's chain names it."""
        return info_of(self.signing, name)


def info_of(signing: SigningKeys, name: str) -> DeviceInfo:
    """A device with these keys; it insists on the post-quantum suite."""
    public = signing.public
    return DeviceInfo.of(name, public, public.ed25519, (suites.DEFAULT_SUITE,))


def of(signing: SigningKeys, address: Address) -> DeviceKeys:
    """The keys of a device that has no key for mail yet."""
    return DeviceKeys(address, signing.ed25519, Secret(b""), b"", signing.ml_dsa)


def generate(address: Address, random: Callable[[int], bytes]) -> DeviceKeys:
    """Fresh keys for a user's first device. (The OpenPGP library has randomness of its own.)"""
    openpgp, certificate = openpgp_open.generate_user_key(address)
    return DeviceKeys(address, Secret(random(32)), openpgp, certificate, Secret(random(32)))


def begin(settings: Settings, random: Callable[[int], bytes]) -> SigningKeys:
    """The signing keys of a device that does not know yet whose it will be: kept, or fresh."""
    identity, ml_dsa = settings.get(_IDENTITY), settings.get(_ML_DSA)
    if not identity or not ml_dsa:
        identity, ml_dsa = random(32), random(32)
        settings.put(_IDENTITY, identity)
        settings.put(_ML_DSA, ml_dsa)
    return SigningKeys(Secret(identity), Secret(ml_dsa))


def belongs_to(settings: Settings, address: Address) -> None:
    """The device is of this user. Raises UserError when it was begun for another."""
    begun = settings.get(_ADDRESS)
    if begun and begun != address.encode():
        raise UserError(f"this home was begun for {begun.decode()}, not for {address}")
    settings.put(_ADDRESS, address.encode())


def save(records: Records, keys: DeviceKeys) -> None:
    settings = records.settings
    settings.put(_ADDRESS, keys.address.encode())
    settings.put(_IDENTITY, keys.identity.expose())
    settings.put(_ML_DSA, keys.ml_dsa.expose())
    if keys.openpgp.expose():
        mail_keys.keep(records, keys.openpgp, keys.certificate, 0)


def load(records: Records) -> DeviceKeys | None:
    """The kept keys, or None when none were made yet."""
    get = records.settings.get
    address, identity, ml_dsa = get(_ADDRESS), get(_IDENTITY), get(_ML_DSA)
    if not (address and identity and ml_dsa):
        return None
    current = mail_keys.newest(records)
    return DeviceKeys(
        address=Address(address.decode()),
        identity=Secret(identity),
        openpgp=Secret(current.secret if current else b""),
        certificate=current.certificate if current else b"",
        ml_dsa=Secret(ml_dsa),
    )


def own_name(settings: Settings, unless_known: str = "device") -> str:
    return (settings.get(_NAME) or unless_known.encode()).decode()


def put_name(settings: Settings, name: str) -> None:
    settings.put(_NAME, name.encode())
