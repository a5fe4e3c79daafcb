"""Recovery: the holder of a user's recovery key adds a device to the chain without a hello.

1. The key must be the chain's current one. Both its halves sign this connection, so that only its
   holder reads the answer.
2. One refusal for all reasons: no such user, no recovery key, another key.
3. Tries are bounded per client: each reads a chain. A proven try is not counted.
4. The statement submitted next is an add_device by the recovery key; the ledger checks it like
   every other statement.

What never happens here: signing, storing, or learning the key's private half.
"""

from dataclasses import dataclass, field
from typing import Final

from blackthorn import errors
from blackthorn.identity.keys import Signature
from blackthorn.identity.statements import AddDevice, decode
from blackthorn.ids import Address
from blackthorn.ports.clock import Clock
from blackthorn.ports.store import Done as StoreDone
from blackthorn.ports.store import unless_failed
from blackthorn.server.accounts.tries import ClientTries
from blackthorn.server.ledger.chains import Done, UserChain
from blackthorn.server.ledger.ledger import Ledger
from blackthorn.server.markets.exit_rules import ExitRules, May
from blackthorn.wire.address import domain_of

ONLY_ADD: Final = "the recovery key may only add a device"
REFUSED: Final = "the recovery key is not that of the user"


@dataclass(frozen=True, slots=True)
class Recognition:
    """The chain's end and rules, the pins and the ledger's time, to add a device by."""

    address: Address
    seq: int
    head: bytes
    domain: str
    pin: str
    config: bytes
    policy: str
    time_ms: int
    rules: int


@dataclass(slots=True)
class RecoveryService:
    ledger: Ledger
    clock: Clock
    exits: ExitRules | None = None
    _tries: ClientTries = field(default_factory=ClientTries)

    def recognise(
        self,
        address: Address,
        signature: Signature,
        message: bytes,
        client: str,
        now: float,
        done: StoreDone[Recognition],
    ) -> None:
        """Verify the recovery key's signature over `message`, which names the connection.

        Raises UnavailableError after too many tries of the client. `done` gets AbsentError (rule
        2), or ForbiddenError when service in the user's market has ended.
        """
        self._tries.count(client, now)  # rule 3

        def read(user: UserChain) -> None:
            try:
                known = self._recognised(address, signature, message, user)
            except errors.BlackthornError as error:
                done(error)
            else:
                self._tries.prove(client)
                done(known)

        self.ledger.chains.read(address, self.clock.wall_ms(), unless_failed(done, read))

    def _recognised(
        self, address: Address, signature: Signature, message: bytes, user: UserChain
    ) -> Recognition:
        chain = user.chain
        if chain is None or chain.recovery is None:
            raise errors.AbsentError(REFUSED)
        try:
            chain.recovery.verify(signature, message)
        except errors.VerificationError:
            raise errors.AbsentError(REFUSED) from None
        if self.exits is not None and (why := self.exits.refusal(address, May.LOG_IN)):
            raise errors.ForbiddenError(why)
        return Recognition(
            address,
            chain.seq,
            chain.head,
            domain_of(address),
            user.pin,
            self.ledger.config_record,
            self.ledger.policy_text,
            self.ledger.cosigned_ms,
            chain.min_rules,
        )

    def submit(self, address: Address, statement: bytes, certificate: bytes, done: Done) -> None:
        """Store the statement, if the recovery key adds a device by it."""
        try:
            body = decode(statement).statement.body
        except errors.VerificationError as error:
            done(str(error))
            return
        if not isinstance(body, AddDevice) or not body.recovered:
            done(ONLY_ADD)
            return
        now_ms = self.clock.wall_ms()
        self.ledger.submit(address, body.device.id, statement, certificate, now_ms, done)
