"""Admission: the first statements of a device that has proved an activation code.

A user without a chain sends a genesis and, with a certificate, a set_openpgp; one with a chain a
reset, whose device waits for the ledger's delay. Only here does the enterprise's enrolment key sign
geneses and resets.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from blackthorn.crypto import vrf
from blackthorn.crypto.secret import Secret
from blackthorn.errors import AbsentError, BlackthornError, InputError, VerificationError
from blackthorn.identity import statements
from blackthorn.identity.chain import VerifiedChain
from blackthorn.identity.keys import SigningKeys
from blackthorn.ids import Address
from blackthorn.link.activation.exchange import DeviceKeys, Owner
from blackthorn.ports.enrolment import OpenCode
from blackthorn.ports.enterprise import Standing
from blackthorn.ports.ledger import Change, Label
from blackthorn.ports.randomness import Randomness
from blackthorn.ports.store import Done, unless_failed
from blackthorn.server.ledger.chains import UserChain, check_settled
from blackthorn.server.ledger.changes import change_of
from blackthorn.server.ledger.ledger import Ledger
from blackthorn.wire import limits

SALT_BYTES = 32


@dataclass(frozen=True, slots=True)
class Admission:
    """An admitted device: seq of its first statement, standing; `change` None if stored already."""

    seq: int
    standing: Standing
    change: Change | None


@dataclass(frozen=True, slots=True)
class Admissions:
    """Verifies new devices. `vrf_key` and `enrolment` are the ledger's secrets."""

    ledger: Ledger
    enrolment: SigningKeys
    vrf_key: Secret
    random: Randomness

    def owner(self, code: OpenCode, now_ms: int, done: Done[Owner]) -> None:
        """The code's user, and their chain's end before the code was used."""

        def read(user: UserChain) -> None:
            chain = user.chain
            seq = chain.seq if chain is not None else 0
            if code.used_seq is not None:
                seq = min(seq, code.used_seq - 1)
            head = chain.hash_of(seq) if chain is not None and seq else statements.NO_STATEMENT
            rules = chain.min_rules if chain is not None else statements.FIRST_RULES
            done(Owner(code.address, seq, head, self.ledger.cosigned_ms, rules))

        self.ledger.chains.read(code.address, now_ms, unless_failed(done, read))

    def admit(self, address: Address, keys: DeviceKeys, now_ms: int, done: Done[Admission]) -> None:
        """Verify a device's statements; `done` gets InputError or VerificationError otherwise."""
        if self.ledger.stopped:
            done(InputError(self.ledger.stopped))
            return
        try:
            signed = [statements.decode(data) for data in keys.statements]
        except VerificationError as error:
            done(error)
            return

        def read(user: UserChain | BlackthornError) -> None:
            if isinstance(user, BlackthornError) and not isinstance(user, AbsentError):
                done(user)
                return
            known = None if isinstance(user, BlackthornError) else user
            try:
                admission = self._admitted(address, keys, signed, now_ms, known)
            except (InputError, VerificationError) as error:
                done(error)
            else:
                done(admission)

        self.ledger.chains.read(address, now_ms, read)

    def _admitted(
        self,
        address: Address,
        keys: DeviceKeys,
        signed: list[statements.SignedStatement],
        now_ms: int,
        user: UserChain | None,
    ) -> Admission:
        chain = None if user is None else user.chain
        standing = _standing(signed, keys)
        if chain is not None and _stored(chain, signed):
            return Admission(signed[0].statement.seq, standing, None)
        _check_kinds(signed, chain)
        if user is not None and chain is not None:
            check_settled(user, signed[0])
        signed[0] = statements.countersign(signed[0], statements.ENROLMENT, self.enrolment)
        chains = self.ledger.chains
        after = chains.extended(chain, signed, now_ms)
        if after[0].label != address:
            raise VerificationError("I13", "a statement is of another user's chain")
        change = change_of(chain, after, signed, keys.certificate, now_ms)
        label = None if chain is not None else self._label(address)
        return Admission(after[0].seq, standing, replace(change, label=label))

    def _label(self, address: Address) -> Label:
        beta, proof = vrf.prove(self.vrf_key, address.encode())
        # The store sets the number of the user's row.
        return Label(0, address, beta[:32], proof, self.random(SALT_BYTES))


def _standing(signed: Sequence[statements.SignedStatement], keys: DeviceKeys) -> Standing:
    body = signed[0].statement.body
    if not isinstance(body, statements.Genesis | statements.Reset):
        raise InputError("a device with a code sends a genesis or a reset")
    if (body.device.keys.ed25519, body.device.name) != (keys.identity_key, keys.name):
        raise InputError("the statement names another device than its sender")
    return Standing.PENDING if isinstance(body, statements.Reset) else Standing.LIVE


def _stored(chain: VerifiedChain, signed: Sequence[statements.SignedStatement]) -> bool:
    return all(
        new.statement.seq <= chain.seq and chain.hash_of(new.statement.seq) == new.statement.hash
        for new in signed
    )


def _check_kinds(signed: Sequence[statements.SignedStatement], chain: VerifiedChain | None) -> None:
    bodies = [new.statement.body for new in signed]
    if chain is None:
        if not isinstance(bodies[0], statements.Genesis):
            raise InputError("the user has no chain yet: their first device sends a genesis")
        if any(not isinstance(body, statements.SetOpenPGP) for body in bodies[1:]):
            raise InputError("only a set_openpgp may follow a genesis")
        return
    if isinstance(bodies[0], statements.Genesis):
        raise InputError("the user has a chain already: ask for a reset, or pair with a device")
    if len(bodies) > 1:
        raise InputError("a device of a user with a chain sends one statement")
    if chain.seq >= limits.MAX_CHAIN_STATEMENTS:
        raise InputError("the user's chain is full")
