"""Who a leaf of an MLS group is: a user's address and one of his devices.

The rules for every leaf, in a Welcome, an Add or a claimed key package:

1. The credential is basic; its identity is a normalised address and a 16-byte device id.
2. The device id is made of the signature key beside it, which is the device's identity key:
   nobody speaks for a device but itself.
3. A device that was never met must have been named by the server as one of that address.
4. A device keeps the address and the signature key with which it was first met.
5. The policy agrees (the place of further checks, such as a public ledger of devices).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from blackthorn.errors import DecodeError
from blackthorn.ids import Address, DeviceId
from blackthorn.link.device_id import device_id
from blackthorn.mls.credential import BasicCredential, Credential
from blackthorn.mls.epoch import Member
from blackthorn.mls.errors import InvalidLeaf
from blackthorn.ports.device_store import Peers
from blackthorn.wire.address import parse_address

DEVICE_ID_BYTES = 16


@dataclass(frozen=True, slots=True)
class Identity:
    """One device of one user."""

    address: Address
    device: DeviceId

    def credential(self) -> BasicCredential:
        """As it stands in a leaf: address, then device id."""
        return BasicCredential(self.address.encode() + self.device)


class UnnamedDeviceError(InvalidLeaf):
    """Leaves are of devices that were never met, and that the server has not named (rule 3)."""

    def __init__(self, strangers: Sequence[Identity]) -> None:
        whose = sorted({each.address for each in strangers})
        others = f" and {len(whose) - 3} more" if len(whose) > 3 else ""
        super().__init__(f"the server has named no such device of {', '.join(whose[:3])}{others}")
        self.strangers = strangers


LeafPolicy = Callable[[Identity, bytes], None]
"""Is given an identity and the signature key beside it; raises MLSError to refuse."""


def trust_first_use(identity: Identity, signature_key: bytes) -> None:
    """The policy that asks for no more than the rules before."""


def identify(credential: Credential) -> Identity:
    """Who a credential says it is (rule 1). Raises InvalidLeaf."""
    if not isinstance(credential, BasicCredential):
        raise InvalidLeaf("the credential is not a basic one")
    address, device = (
        credential.identity[:-DEVICE_ID_BYTES],
        credential.identity[-DEVICE_ID_BYTES:],
    )
    try:
        text = address.decode("ascii")
        if parse_address(text) != text or len(device) != DEVICE_ID_BYTES:
            raise InvalidLeaf("the address in a leaf is not in its normal form")
    except (UnicodeDecodeError, DecodeError):
        raise InvalidLeaf("a leaf does not name an address and a device") from None
    return Identity(Address(text), DeviceId(device))


class LeafValidator:
    """The `CredentialValidator` of one transaction. It remembers whom it meets for the first time.

    Run it where a failure undoes what was written (`Records.attempt`).
    """

    def __init__(self, me: Identity, peers: Peers, now_ms: int, policy: LeafPolicy) -> None:
        self._me = me
        self._peers = peers
        self._now_ms = now_ms
        self._policy = policy

    def __call__(self, credential: Credential, signature_key: bytes) -> None:
        identity = identify(credential)
        if device_id(signature_key) != identity.device:
            raise InvalidLeaf(
                f"a leaf of {identity.address} has a key that is not of the device that it names"
            )
        pinned = self._peers.pinned(identity.device)
        if pinned is None:
            if identity != self._me and self._peers.named(identity.device) != identity.address:
                self._stranger(identity)
                return
            self._peers.pin(identity.device, identity.address, signature_key, self._now_ms)
        elif pinned != (identity.address, signature_key):
            raise InvalidLeaf(
                f"a device of {identity.address} shows another address or key than when first met"
            )
        self._policy(identity, signature_key)

    def _stranger(self, identity: Identity) -> None:
        raise UnnamedDeviceError([identity])


class GatheringValidator(LeafValidator):
    """Goes on past devices that the server has not named, to know all there is to ask for.

    What it was used for must come to nothing unless `require_named` returns.
    """

    def __init__(self, me: Identity, peers: Peers, now_ms: int, policy: LeafPolicy) -> None:
        super().__init__(me, peers, now_ms, policy)
        self._strangers: list[Identity] = []

    def _stranger(self, identity: Identity) -> None:
        self._strangers.append(identity)

    def require_named(self) -> None:
        """Raises UnnamedDeviceError with all that the server has not named."""
        if self._strangers:
            raise UnnamedDeviceError(self._strangers)


def identities(members: Iterable[Member]) -> list[Identity]:
    """Who these members are, in their order."""
    return [identify(member.credential) for member in members]


def addresses(members: Iterable[Member]) -> list[Address]:
    """The users behind these members, sorted, each once."""
    return sorted({identity.address for identity in identities(members)})
