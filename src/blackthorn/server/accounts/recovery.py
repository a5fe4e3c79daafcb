"""Recovery: whoever holds a user's recovery key adds a device to his chain before any hello.

1. The key must be the one that the user's chain names now. It signs this very connection, by
   both halves, so that what the server says of the chain goes to nobody else.
2. There is one refusal for all reasons: no such user, no recovery key, another one.
3. Tries are bounded for each client: each costs the reading of a chain.
4. What is submitted then is an add_device that says that the recovery key has signed it; whether
   it may stand in the chain decides the ledger, as for every other statement.

What never happens here: signing, storing, or learning the key's private half.
"""

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Final, Protocol

from blackthorn.errors import VerificationError
from blackthorn.identity.chain import VerifiedChain
from blackthorn.identity.keys import Signature
from blackthorn.identity.statements import AddDevice, decode
from blackthorn.ids import Address, DeviceId
from blackthorn.link.codes import Code, LinkError
from blackthorn.link.frames import (
    LINK_VERSION,
    Recognised,
    Recover,
    StatementStored,
    SubmitStatement,
)
from blackthorn.link.hello import recovery_bytes
from blackthorn.ports.clock import Clock
from blackthorn.ports.enterprise import Enterprise
from blackthorn.server import limits as server_limits
from blackthorn.server.accounts import limits as accounts_limits
from blackthorn.server.handlers.session import Session
from blackthorn.server.ledger.chains import Done
from blackthorn.server.markets.exit_rules import ExitRules, May
from blackthorn.wire.address import domain_of

WINDOW_SECONDS: Final = 600.0
ONLY_ADD: Final = "the recovery key only adds a device"


class Ledger(Protocol):
    """What recovery needs of `server.ledger.ledger.Ledger`."""

    @property
    def config_record(self) -> bytes: ...
    @property
    def policy_text(self) -> str: ...
    def chain(self, address: Address, now_ms: int) -> VerifiedChain | None: ...
    def submit(
        self,
        address: Address,
        device: DeviceId,
        statement: bytes,
        certificate: bytes,
        now_ms: int,
        done: Done,
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class _Recognised:
    """What `Session.stage` holds: whose recovery key has signed this connection."""

    address: Address


@dataclass(slots=True)
class RecoveryHandler:
    """Handles Recover, and SubmitStatement of whoever has been recognised by it."""

    ledger: Ledger
    enterprise: Enterprise
    clock: Clock
    exits: ExitRules | None = None
    _tries: OrderedDict[str, deque[float]] = field(default_factory=OrderedDict)

    def handle(self, session: Session, frame: Recover | SubmitStatement, now: float) -> None:
        """Serve one frame; `link.session` keeps the order."""
        if isinstance(frame, Recover):
            self._recognise(session, frame, now)
        else:
            self._submit(session, frame)

    def _recognise(self, session: Session, recover: Recover, now: float) -> None:
        if recover.version != LINK_VERSION:
            text = f"this server speaks link version {LINK_VERSION}, not {recover.version}"
            raise LinkError(Code.VERSION, text)
        self._count(session.client, now)
        address = Address(recover.address)
        user = self.enterprise.user(address)
        chain = None if user is None else self.ledger.chain(address, self.clock.wall_ms())
        if user is None or chain is None or chain.recovery is None:
            raise LinkError(Code.RECOVERY_REFUSED, Code.RECOVERY_REFUSED.meaning)
        message = recovery_bytes(session.binding, recover.address)
        try:
            chain.recovery.verify(Signature(recover.ed25519, recover.ml_dsa), message)
        except VerificationError:
            raise LinkError(Code.RECOVERY_REFUSED, Code.RECOVERY_REFUSED.meaning) from None
        if self.exits is not None and (why := self.exits.refusal(address, May.LOG_IN)):
            raise LinkError(Code.MARKET_LEFT, why)
        session.stage = _Recognised(address)
        session.transmit(
            Recognised(
                chain.seq,
                chain.head,
                domain_of(address),
                user.pin,
                self.ledger.config_record,
                self.ledger.policy_text,
            )
        )

    def _count(self, client: str, now: float) -> None:
        """Rule 3. Raises LinkError."""
        tries = self._tries.setdefault(client, deque())
        self._tries.move_to_end(client)
        while tries and tries[0] <= now - WINDOW_SECONDS:
            tries.popleft()
        if len(tries) >= accounts_limits.MAX_RECOVERY_TRIES:
            raise LinkError(Code.BUSY, "too many tries at a recovery: try again in ten minutes")
        tries.append(now)
        while len(self._tries) > server_limits.MAX_CONNECTIONS:
            self._tries.popitem(last=False)

    def _submit(self, session: Session, frame: SubmitStatement) -> None:
        stage = session.stage
        if not isinstance(stage, _Recognised):
            raise LinkError(Code.NOT_NOW, "nobody has said who he is")

        def done(refusal: str) -> None:
            session.transmit(StatementStored(frame.request, refusal[:512]))
            session.answered()

        try:
            body = decode(frame.statement).statement.body
        except VerificationError as error:
            done(str(error))
            return
        if not isinstance(body, AddDevice) or not body.recovered:
            done(ONLY_ADD)
            return
        session.ask()
        self.ledger.submit(
            stage.address,
            body.device.id,
            frame.statement,
            frame.certificate,
            self.clock.wall_ms(),
            done,
        )
