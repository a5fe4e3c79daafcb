"""Admission: the first statements of a device that has proved an activation code.

For a user without a chain they are its genesis and, with its certificate, a set_openpgp; for
one with a chain a reset, whose device waits until the ledger's delay has passed. (A device that
another one adds, or the recovery key, needs no code.) The enterprise's enrolment key signs
geneses and resets, here and nowhere else, and only when the code allows it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from blackthorn.crypto import vrf
from blackthorn.crypto.secret import Secret
from blackthorn.errors import InputError, VerificationError
from blackthorn.identity.chain import VerifiedChain
from blackthorn.identity.keys import SigningKeys
from blackthorn.identity.statements import (
    ENROLMENT,
    NO_STATEMENT,
    Genesis,
    Reset,
    SetOpenPGP,
    SignedStatement,
    countersign,
    decode,
)
from blackthorn.ids import Address
from blackthorn.link.activation.exchange import DeviceKeys, Owner
from blackthorn.ports.enrolment import OpenCode
from blackthorn.ports.enterprise import Standing
from blackthorn.ports.ledger import Change, Label, LedgerStore
from blackthorn.ports.randomness import Randomness
from blackthorn.ports.writer import Job
from blackthorn.server.ledger.chains import Chains
from blackthorn.wire import limits

SALT_BYTES = 32


@dataclass(frozen=True, slots=True)
class Admission:
    """What an admitted device brings: its first statement's place, how it stands, what changes.

    `change` is None when its statements are stored already: then its answer was lost.
    """

    seq: int
    standing: Standing
    change: Change | None


class Admissions(Protocol):
    """What enrolment needs of the ledger."""

    @property
    def config_record(self) -> bytes:
        """The configuration that devices pin."""
        ...

    @property
    def policy_text(self) -> str:
        """The trust policy that devices pin."""
        ...

    def owner(self, code: OpenCode, now_ms: int) -> Owner:
        """Whose the code is, and where his chain stood before the code was used."""
        ...

    def admit(self, address: Address, keys: DeviceKeys, now_ms: int) -> Admission:
        """Verify what a device brings. Raises InputError or VerificationError."""
        ...

    def fits(self, change: Change) -> Job[str | None]:
        """See `ports.ledger.LedgerStore.fits`."""
        ...

    def store_change(self, change: Change) -> Job[str | None]:
        """See `ports.ledger.LedgerStore.change`."""
        ...

    def admitted(self, change: Change, now_ms: int) -> None:
        """The change is durable."""
        ...

    def stored_statements(self, address: Address, seq: int, count: int) -> list[bytes]:
        """So many statements of the chain from `seq` on."""
        ...


class Desk:
    """Judges what new devices bring. `vrf_key` and `enrolment` are the ledger's secrets."""

    def __init__(
        self,
        chains: Chains,
        store: LedgerStore,
        enrolment: SigningKeys,
        vrf_key: Secret,
        random: Randomness,
    ) -> None:
        self._chains = chains
        self._store = store
        self._enrolment = enrolment
        self._vrf_key = vrf_key
        self._random = random

    def owner(self, code: OpenCode, now_ms: int) -> Owner:
        """See `Admissions.owner`."""
        chain = self._chains.chain(code.address, now_ms)
        seq = chain.seq if chain is not None else 0
        if code.used_seq is not None:
            seq = min(seq, code.used_seq - 1)
        head = chain.hash_of(seq) if chain is not None and seq else NO_STATEMENT
        return Owner(code.address, seq, head)

    def admit(self, address: Address, keys: DeviceKeys, now_ms: int) -> Admission:
        """See `Admissions.admit`."""
        signed = [decode(data) for data in keys.statements]
        chain = self._chains.chain(address, now_ms)
        standing = _standing(signed, keys)
        if chain is not None and _stored(chain, signed):
            return Admission(signed[0].statement.seq, standing, None)
        _check_kinds(signed, chain)
        if chain is not None:
            self._chains.check_settled(address, chain, signed[0])
        signed[0] = countersign(signed[0], ENROLMENT, self._enrolment)
        after = self._chains.extended(chain, signed, now_ms)
        if after[0].label != address:
            raise VerificationError("I13", "a statement is of another user's chain")
        change = self._chains.change(chain, after, signed, keys.certificate, now_ms)
        label = None if chain is not None else self._label(address)
        return Admission(after[0].seq, standing, replace(change, label=label))

    def _label(self, address: Address) -> Label:
        """A new user's place in the map; the number of his row is filled in by the store."""
        beta, proof = vrf.prove(self._vrf_key, address.encode())
        return Label(0, address, beta[:32], proof, self._random(SALT_BYTES))


def _standing(signed: Sequence[SignedStatement], keys: DeviceKeys) -> Standing:
    """How the device will stand. Raises InputError when the first statement is not about it."""
    body = signed[0].statement.body
    if not isinstance(body, Genesis | Reset):
        raise InputError("a device with a code brings a genesis or a reset")
    if (body.device.keys.ed25519, body.device.name) != (keys.identity_key, keys.name):
        raise InputError("the statement is about another device than the one that brings it")
    return Standing.PENDING if isinstance(body, Reset) else Standing.LIVE


def _stored(chain: VerifiedChain, signed: Sequence[SignedStatement]) -> bool:
    """Whether all of these statements stand in the chain."""
    return all(
        each.statement.seq <= chain.seq and chain.hash_of(each.statement.seq) == each.statement.hash
        for each in signed
    )


def _check_kinds(signed: Sequence[SignedStatement], chain: VerifiedChain | None) -> None:
    """Raises InputError unless the statements are such as a code allows for this chain."""
    bodies = [each.statement.body for each in signed]
    if chain is None:
        if not isinstance(bodies[0], Genesis):
            raise InputError("the user has no chain yet: his first device brings a genesis")
        if any(not isinstance(body, SetOpenPGP) for body in bodies[1:]):
            raise InputError("behind a genesis only a set_openpgp is taken")
        return
    if isinstance(bodies[0], Genesis):
        raise InputError("the user has a chain already: ask for a reset, or pair with a device")
    if len(bodies) > 1:
        raise InputError("a device of a user with a chain brings one statement")
    if chain.seq >= limits.MAX_CHAIN_STATEMENTS:
        raise InputError("the user's chain is full")
