"""Bodies of statements: nine kinds, unchecked; `identity.fields` parses and checks them.

A chain's state follows from bodies alone, never from who signed: the head does not cover
signatures, so all chains of one head must mean the same.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from blackthorn.identity.keys import VerifyKeys
from blackthorn.ids import DeviceId, device_id


class Role(StrEnum):
    """A device's role. A compliance device only receives; all contacts see it."""

    PERSONAL = "personal"
    COMPLIANCE = "compliance"


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """A device in its user's chain.

    `id` is 16 bytes derived from `keys.ed25519`; `mls_key` is the 32-byte Ed25519 key of its MLS
    leaves; `suites` are the MLS suites that it requires, if any.
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
        """Computes the id."""
        return cls(device_id(keys.ed25519), name, str(role), keys, mls_key, suites)

    @property
    def personal(self) -> bool:
        """Whether its user acts with it."""
        return self.role == Role.PERSONAL


@dataclass(frozen=True, slots=True)
class Genesis:
    """The first device. Signed by it and the enterprise."""

    device: DeviceInfo
    recovery: VerifyKeys | None = None


@dataclass(frozen=True, slots=True)
class AddDevice:
    """A further device. Signed by it and a live device, or the recovery key if `recovered`."""

    device: DeviceInfo
    recovered: bool = False


@dataclass(frozen=True, slots=True)
class RevokeDevice:
    """Removes a device. `last_seq` is its last trusted statement."""

    device_id: DeviceId
    reason: str
    last_seq: int


@dataclass(frozen=True, slots=True)
class SetOpenPGP:
    """The user's OpenPGP certificate: hex fingerprint, SHA-256, its own signature.

    `proof` is a detached OpenPGP signature over `identity.openpgp.certificate_message`.
    """

    fingerprint: str
    digest: bytes
    proof: bytes


@dataclass(frozen=True, slots=True)
class SetCompatible:
    """The certificate for programs without RFC 9580, *not post-quantum*; None revokes it.

    `copies`: a program reads what is sealed to it, so that mail is sealed to it as well.
    """

    certificate: SetOpenPGP | None
    copies: bool = False


@dataclass(frozen=True, slots=True)
class Rotate:
    """`device`, with new keys and so a new id, replaces `replaces`. Signed by both.

    With the same id only name, MLS key and suites change.
    """

    device: DeviceInfo
    replaces: DeviceId


@dataclass(frozen=True, slots=True)
class SetRecovery:
    """A new recovery key's public half, or None."""

    keys: VerifyKeys | None


@dataclass(frozen=True, slots=True)
class Cancel:
    """Stops the pending reset at `reset_seq`. Signed by a live device."""

    reset_seq: int


@dataclass(frozen=True, slots=True)
class Reset:
    """After a delay this is the only device. Signed by it and the enterprise."""

    device: DeviceInfo


Body = (
    Genesis
    | AddDevice
    | RevokeDevice
    | SetOpenPGP
    | Rotate
    | SetRecovery
    | Cancel
    | Reset
    | SetCompatible
)

KINDS: Final[dict[type[Body], int]] = {
    Genesis: 1,
    AddDevice: 2,
    RevokeDevice: 3,
    SetOpenPGP: 4,
    Rotate: 5,
    SetRecovery: 6,
    Cancel: 7,
    Reset: 8,
    SetCompatible: 9,
}
"""Wire numbers."""

FIRST_RULES: Final = 1
NEWER_RULES: Final[dict[type[Body], int]] = {SetCompatible: 2}
"""The rules that a statement of the kind asks for, where they are newer than the first."""


def rules_of(body: Body) -> int:
    """The oldest rules that judge such a statement."""
    return NEWER_RULES.get(type(body), FIRST_RULES)
