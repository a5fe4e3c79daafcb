"""The identity in an MLS leaf: a user's address and one of their devices.

Rules for every leaf in a Welcome, an Add, an Update or a claimed key package:

1. The credential is basic: a normalised address followed by a 16-byte device id.
2. The device is live in its user's verified chain, and the signature key is its MLS key there.
3. The leaf of this device has this device's key.
4. The device id is made of the key, and a leaf that replaces another is of the same device.

A received Commit is judged by rules 1 and 4 alone (`same_device`), a Welcome by all, except that
its members may be former devices. The user of an unknown device is looked up, and the leaf is then
checked again.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from blackthorn.device.core.limits import MAX_CACHED_LEAVES
from blackthorn.errors import DecodeError, VerificationError
from blackthorn.identity.chain import VerifiedChain, live_device
from blackthorn.ids import Address, DeviceId, device_id
from blackthorn.mls.credential import BasicCredential, Credential
from blackthorn.mls.epoch.epoch import Member
from blackthorn.mls.errors import InvalidLeaf
from blackthorn.mls.group.group import Group
from blackthorn.wire.address import parse_address

DEVICE_ID_BYTES = 16


@dataclass(frozen=True, slots=True)
class Identity:
    """One device of one user."""

    address: Address
    device: DeviceId

    def credential(self) -> BasicCredential:
        return BasicCredential(self.address.encode() + self.device)


class UnknownDeviceError(InvalidLeaf):
    """Leaves name devices that the locally verified chains do not contain (rule 2)."""

    def __init__(self, unknown_devices: Sequence[Identity]) -> None:
        whose = sorted({device.address for device in unknown_devices})
        others = f" and {len(whose) - 3} more" if len(whose) > 3 else ""
        super().__init__(f"the ledger has no such device of {', '.join(whose[:3])}{others}")
        self.unknown_devices = unknown_devices


def same_device(credential: Credential, signature_key: bytes, replaced: Credential | None) -> None:
    """The `CredentialValidator` for Commits: rules 1 and 4. Raises InvalidLeaf.

    Chains and dates do not decide whether a Commit is merged, only what is sealed and shown then.
    """
    identity = identify(credential)
    if device_id(signature_key) != identity.device:
        raise InvalidLeaf("the device id in a leaf is not made of its key")
    if replaced is not None and identify(replaced) != identity:
        raise InvalidLeaf("a member's leaf becomes another device's")


ChainOf = Callable[[str], VerifiedChain | None]
"""The chain of an address as this device has verified it."""


def identify(credential: Credential) -> Identity:
    """The identity in a credential (rule 1). Raises InvalidLeaf."""
    if not isinstance(credential, BasicCredential):
        raise InvalidLeaf("the credential is not a basic one")
    return _named(credential.identity)


@lru_cache(MAX_CACHED_LEAVES)
def _named(whole: bytes) -> Identity:
    """The same of each member of a group is asked for with each text."""
    address, device = whole[:-DEVICE_ID_BYTES], whole[-DEVICE_ID_BYTES:]
    try:
        text = address.decode("ascii")
        if parse_address(text) != text or len(device) != DEVICE_ID_BYTES:
            raise InvalidLeaf("the address in a leaf is not in its normal form")
    except (UnicodeDecodeError, DecodeError):
        raise InvalidLeaf("a leaf does not name an address and a device") from None
    return Identity(Address(text), DeviceId(device))


class LeafValidator:
    """The `CredentialValidator` of one unit of work."""

    def __init__(self, me: Identity, own_key: bytes, chain_of: ChainOf) -> None:
        self._me = me
        self._own_key = own_key
        self._chain_of = chain_of

    def __call__(
        self, credential: Credential, signature_key: bytes, replaced: Credential | None = None
    ) -> None:
        identity = identify(credential)
        if identity == self._me:
            if signature_key != self._own_key:
                raise InvalidLeaf("a leaf of this device has a key that it does not have")
            return
        chain = self._chain_of(identity.address)
        if chain is None or chain.device(identity.device) is None:
            self._unknown_device(identity, signature_key)
            return
        try:
            live_device(chain, identity.device, signature_key)
        except VerificationError as error:
            raise InvalidLeaf(f"a leaf of {identity.address}: {error}") from error

    def _unknown_device(self, identity: Identity, signature_key: bytes) -> None:
        raise UnknownDeviceError([identity])


class GatheringValidator(LeafValidator):
    """Collects unknown devices instead of stopping at the first.

    Discard the validated message unless `require_known` returns.
    """

    def __init__(self, me: Identity, own_key: bytes, chain_of: ChainOf) -> None:
        super().__init__(me, own_key, chain_of)
        self._unknown_devices: list[tuple[Identity, bytes]] = []

    def _unknown_device(self, identity: Identity, signature_key: bytes) -> None:
        self._unknown_devices.append((identity, signature_key))

    def require_known(self) -> None:
        """Raises UnknownDeviceError for all devices that are neither live nor former.

        Nothing is sealed for former ones (`operations.postings`).
        """
        unknown_devices = [
            identity for identity, key in self._unknown_devices if not self._was_one(identity, key)
        ]
        if unknown_devices:
            raise UnknownDeviceError(unknown_devices)

    def _was_one(self, identity: Identity, signature_key: bytes) -> bool:
        chain = self._chain_of(identity.address)
        former = [] if chain is None else [one.device for one in chain.former]
        return (identity.device, signature_key) in [(one.id, one.mls_key) for one in former]


def identities(members: Iterable[Member]) -> list[Identity]:
    return [identify(member.credential) for member in members]


def addresses(members: Iterable[Member]) -> list[Address]:
    """The users of these members, sorted and unique."""
    return sorted({identity.address for identity in identities(members)})


def indices_of(group: Group, wanted: Collection[str], devices: Collection[bytes] = ()) -> list[int]:
    """The leaf indices of all devices of the `wanted` users and of these devices."""
    found = ((member.index, identify(member.credential)) for member in group.members)
    return [
        index
        for index, member in found
        if member.address in wanted or bytes(member.device) in devices
    ]
