"""Bodies of statements: eight kinds, and the device that four of them hold.

The state of a chain follows from the bodies alone, never from who signed: the head does not
cover signatures, so two chains of one head must mean one thing. Nothing here is checked;
`identity.fields` reads bodies from bytes and checks them.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from blackthorn.identity.keys import VerifyKeys
from blackthorn.ids import DeviceId, device_id


class Role(StrEnum):
    """A device's role. A compliance device only receives, and is shown to all contacts."""

    PERSONAL = "personal"
    COMPLIANCE = "compliance"


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """A device as its user's chain knows it.

    `id` is 16 bytes made of `keys.ed25519`; `mls_key` is the 32-byte Ed25519 key of its MLS
    leaves; `suites` are the MLS suites that it insists on, none for no wish.
    """

    id: DeviceId
    name: str
    role: str
    keys: VerifyKeys
    mls_key: bytes
    suites: tuple[int, ...]

    @classmethod
    def of(
        cls,
        name: str,
        keys: VerifyKeys,
        mls_key: bytes,
        suites: tuple[int, ...] = (),
        role: str = Role.PERSONAL,
    ) -> "DeviceInfo":
        """The device with these keys, its id computed."""
        return cls(device_id(keys.ed25519), name, str(role), keys, mls_key, suites)

    @property
    def personal(self) -> bool:
        """Whether its user acts by it."""
        return self.role == Role.PERSONAL


@dataclass(frozen=True, slots=True)
class Genesis:
    """The chain begins with this device. Signed by it and by the enterprise."""

    device: DeviceInfo
    recovery: VerifyKeys | None = None


@dataclass(frozen=True, slots=True)
class AddDevice:
    """One more device. Signed by it and by a live device, or the recovery key if `recovered`."""

    device: DeviceInfo
    recovered: bool = False


@dataclass(frozen=True, slots=True)
class RevokeDevice:
    """A device is no more the user's. `last_seq` is its last statement that the user trusts."""

    device_id: DeviceId
    reason: str
    last_seq: int


@dataclass(frozen=True, slots=True)
class SetOpenPGP:
    """The user's OpenPGP certificate: fingerprint in hex, SHA-256 of its bytes, its own signature.

    `proof` is a detached OpenPGP signature over `identity.openpgp.certificate_message`.
    """

    fingerprint: str
    digest: bytes
    proof: bytes


@dataclass(frozen=True, slots=True)
class Rotate:
    """`device` takes the place of the live device `replaces`: with new keys, and so a new id.

    If the ids are the same, only name, MLS key and suites change. Signed by both.
    """

    device: DeviceInfo
    replaces: DeviceId


@dataclass(frozen=True, slots=True)
class SetRecovery:
    """The public half of a new recovery key, or None to have none."""

    keys: VerifyKeys | None


@dataclass(frozen=True, slots=True)
class Cancel:
    """The waiting reset at `reset_seq` is not the user's wish. Signed by a live device."""

    reset_seq: int


@dataclass(frozen=True, slots=True)
class Reset:
    """All was lost: after a delay this is the only device. Signed by it and by the enterprise."""

    device: DeviceInfo


Body = Genesis | AddDevice | RevokeDevice | SetOpenPGP | Rotate | SetRecovery | Cancel | Reset

KINDS: Final[dict[type[Body], int]] = {
    Genesis: 1,
    AddDevice: 2,
    RevokeDevice: 3,
    SetOpenPGP: 4,
    Rotate: 5,
    SetRecovery: 6,
    Cancel: 7,
    Reset: 8,
}
"""The number of each kind on the wire."""
