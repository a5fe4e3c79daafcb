"""The keys of one device, created at activation, linking or recovery and stored in the vault.

The Ed25519 identity key names the device, signs its hello and is its MLS signature key. It signs
the user's chain together with an ML-DSA-65 key; neither leaves the device. The user's devices share
the OpenPGP key (`device.mail.keys`). Signed messages have separate domains
(docs/adr/0012-who-a-leaf-is.md).
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
    """The keys and their user's address; `openpgp` is empty while there is none."""

    address: Address
    identity: Secret
    openpgp: Secret
    certificate: bytes = field(repr=False)
    ml_dsa: Secret
    identity_public: bytes = field(init=False, repr=False, compare=False)
    device: DeviceId = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        public = signatures.ED25519.public_key(self.identity)
        object.__setattr__(self, "identity_public", public)
        object.__setattr__(self, "device", device_id(public))

    @property
    def signing(self) -> SigningKeys:
        return SigningKeys(self.identity, self.ml_dsa)

    def info(self, name: str) -> DeviceInfo:
        """The device's description for its user's chain."""
        return info_of(self.signing, name)


def info_of(signing: SigningKeys, name: str) -> DeviceInfo:
    """The description of a device with these keys; it requires the post-quantum suite."""
    public = signing.public
    return DeviceInfo.of(name, public, public.ed25519, (suites.DEFAULT_SUITE,))


def of(signing: SigningKeys, address: Address) -> DeviceKeys:
    """The keys of a device that has no OpenPGP key yet."""
    return DeviceKeys(address, signing.ed25519, Secret(b""), b"", signing.ml_dsa)


def generate(address: Address, random: Callable[[int], bytes], now_ms: int) -> DeviceKeys:
    """Generate the keys of a user's first device; the OpenPGP key is dated `now_ms`.

    (The OpenPGP library uses its own randomness.)
    """
    openpgp, certificate = openpgp_open.generate_user_key(address, now_ms // 1000)
    return DeviceKeys(address, Secret(random(32)), openpgp, certificate, Secret(random(32)))


def begin(settings: Settings, random: Callable[[int], bytes]) -> SigningKeys:
    """The signing keys of a device whose user is not known yet: stored or new."""
    identity, ml_dsa = settings.get(_IDENTITY), settings.get(_ML_DSA)
    if not identity or not ml_dsa:
        identity, ml_dsa = random(32), random(32)
        settings.put(_IDENTITY, identity)
        settings.put(_ML_DSA, ml_dsa)
    return SigningKeys(Secret(identity), Secret(ml_dsa))


def belongs_to(settings: Settings, address: Address) -> None:
    """Bind the device to this user. Raises UserError when it was begun for another."""
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
    """The stored keys, or None."""
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
