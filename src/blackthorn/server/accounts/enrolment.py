"""Enrolment: the server's side of activation, from a code's first frame to a stored device.

The rules, in the order in which they are checked:

1. A code must exist, be live, and have tries left; its user's market must not be on the way out.
2. The try is counted durably before the challenge leaves, so that a crash gives no guess back.
3. A device is enrolled only by the code's proof, its signature and its own key's signature.
4. The device's first statements must continue the user's chain as `server.accounts.admission`
   allows.
5. Device, statements, certificate, key packages and the use of the code are one transaction;
   `Activated` leaves when it is durable. A proof made good takes its try back.
6. A used code answers the device that used it again, until it expires, and no other.
7. Every refusal is counted and told to `warn`, which is given nothing of code, address or peer.

What never happens here: deriving anything from a code, or storing one.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from blackthorn.errors import InputError, ProtocolError, StorageError, VerificationError
from blackthorn.ids import Fingerprint, device_id
from blackthorn.link import limits as link_limits
from blackthorn.link.activation import exchange
from blackthorn.link.activation.exchange import AwaitProof, Channel, Enrolment, Proven
from blackthorn.link.codes import Code
from blackthorn.link.frames import ActivateBegin, ActivateProve
from blackthorn.ports.clock import Clock
from blackthorn.ports.enrolment import Enrolled, EnrolmentStore, OpenCode
from blackthorn.ports.key_packages import KeyPackageStore
from blackthorn.ports.randomness import Randomness
from blackthorn.ports.writer import Job, Writer
from blackthorn.server.accounts import limits as accounts_limits
from blackthorn.server.accounts.admission import Admission, Admissions
from blackthorn.server.counters import Counters
from blackthorn.server.handlers.session import Session
from blackthorn.server.markets.exit_rules import ExitRules, May
from blackthorn.wire.address import domain_of

UNKNOWN = "there is no such activation code here: check its number, or ask for a new code"
EXPIRED = "this activation code has expired: ask for a new one"
BURNT = "this activation code was tried too often and is burnt: ask for a new one"

USED = "another device has used this code"

REFUSED = "activation refused"
UNPROVEN = "activation tried before without proof"
LAST_TRY = "activation code on its last try"
CODE_BURNT = "activation code burnt"


def why_refused(code: OpenCode | None, now_ms: int) -> str | None:
    """Why a code may not be tried now, or None when it may."""
    if code is None:
        return UNKNOWN
    if code.expires_ms <= now_ms:
        return EXPIRED
    if code.tries >= accounts_limits.ACTIVATION_TRIES:
        return BURNT
    return None


@dataclass(frozen=True, slots=True)
class _Challenged:
    """What `Session.stage` holds between challenge and proof."""

    code: OpenCode
    step: AwaitProof
    last_try: bool


@dataclass(frozen=True, slots=True)
class EnrolmentHandler:
    """Handles the frames of activation. `ledger` judges the statements that a device brings.

    `warn` takes one of the events UNPROVEN, LAST_TRY, CODE_BURNT and REFUSED, for the log. A
    device that finds its code wrong hangs up without a word: that shows at the next try.
    """

    fingerprint: Fingerprint
    store: EnrolmentStore
    key_packages: KeyPackageStore
    writer: Writer
    counters: Counters
    clock: Clock
    random: Randomness
    ledger: Admissions
    warn: Callable[[str], None]
    exits: ExitRules | None = None

    def handle(self, session: Session, frame: ActivateBegin | ActivateProve, now: float) -> None:
        """One frame of a session that is not yet anybody's; `link.session` keeps the order."""
        if isinstance(frame, ActivateBegin):
            self._begin(session, frame)
        else:
            self._prove(session, frame)

    def _why_refused(self, code: OpenCode | None, now_ms: int) -> str | None:
        refusal = why_refused(code, now_ms)
        if refusal is None and code is not None and self.exits is not None:
            refusal = self.exits.refusal(code.address, May.ACTIVATE) or None
        return refusal

    def _begin(self, session: Session, begin: ActivateBegin) -> None:
        now_ms = self.clock.wall_ms()
        refusal = self._why_refused(self.store.code(begin.nameplate), now_ms)
        if refusal is not None:
            self._refuse(session, refusal)
            return
        job = self.store.count_try(begin.nameplate, now_ms)
        self.writer.submit(job, partial(self._counted, session, begin, now_ms))

    def _counted(
        self,
        session: Session,
        begin: ActivateBegin,
        now_ms: int,
        code: OpenCode | StorageError | None,
    ) -> None:
        """The try is durable: challenge the device, unless another try was the last."""
        if isinstance(code, StorageError):
            session.close(Code.STORAGE)
            return
        refusal = self._why_refused(code, now_ms)
        if refusal is not None or code is None:
            self._refuse(session, refusal or UNKNOWN)
            return
        self.counters.activation_tries += 1
        channel = Channel(self.fingerprint, session.binding)
        try:
            owner = self.ledger.owner(code, now_ms)
            challenge, step = exchange.challenge(begin, code.verifier, owner, channel, self.random)
        except ProtocolError as error:
            self._refuse(session, str(error))
            return
        except StorageError:
            session.close(Code.STORAGE)
            return
        last_try = code.tries + 1 >= accounts_limits.ACTIVATION_TRIES
        if code.tries:
            self.warn(LAST_TRY if last_try else UNPROVEN)
        session.stage = _Challenged(code, step, last_try)
        session.transmit(challenge)

    def _prove(self, session: Session, prove: ActivateProve) -> None:
        stage = session.stage
        if not isinstance(stage, _Challenged):
            raise ProtocolError("a proof without a challenge")
        session.stage = None
        now_ms = self.clock.wall_ms()
        try:
            proven = stage.step.verify(prove)
            if stage.code.used_by not in (None, device_id(proven.keys.identity_key)):
                raise ProtocolError(USED)
            admission = self.ledger.admit(stage.code.address, proven.keys, now_ms)
        except (InputError, VerificationError) as error:
            self._refuse(session, str(error), burnt=stage.last_try)
            return
        job = self._enrol(stage.code.nameplate, proven, admission, now_ms)
        self.writer.submit(job, partial(self._enrolled, session, proven, admission, now_ms))

    def _enrol(
        self, nameplate: str, proven: Proven, admission: Admission, now_ms: int
    ) -> Job[Enrolled | str]:
        """Rule 5. Whatever can refuse comes before anything is written."""
        keys, change = proven.keys, admission.change

        def job(transaction: Any) -> Enrolled | str:
            outcome = self.ledger.fits(change)(transaction) if change is not None else ""
            if outcome:
                return outcome
            enrolled = self.store.enrol(
                nameplate,
                keys,
                admission.standing,
                admission.seq,
                now_ms,
                repeated=outcome is not None,
            )(transaction)
            if isinstance(enrolled, Enrolled) and enrolled.fresh and change is not None:
                self.ledger.store_change(change)(transaction)
                self.key_packages.publish(
                    enrolled.number,
                    keys.key_packages,
                    keys.last_resort,
                    link_limits.MAX_KEY_PACKAGES_PER_DEVICE,
                )(transaction)
            return enrolled

        return job

    def _enrolled(
        self,
        session: Session,
        proven: Proven,
        admission: Admission,
        now_ms: int,
        enrolled: Enrolled | str | StorageError,
    ) -> None:
        """The device is durable, or was refused: say so."""
        if isinstance(enrolled, StorageError):
            session.close(Code.STORAGE)
            return
        if isinstance(enrolled, str):
            self._refuse(session, enrolled)
            return
        self.store.forget(enrolled.address)
        self.counters.devices_activated += enrolled.fresh
        if enrolled.fresh and admission.change is not None:
            change = replace(admission.change, removed=enrolled.removed)
            self.ledger.admitted(change, now_ms)
        count = len(proven.keys.statements)
        answer = Enrolment(
            address=enrolled.address,
            domain=domain_of(enrolled.address),
            pin=enrolled.pin,
            device=enrolled.device,
            server_time=self.clock.wall_ms(),
            statements=self.ledger.stored_statements(enrolled.address, enrolled.seq, count),
            config=self.ledger.config_record,
            policy=self.ledger.policy_text,
        )
        session.transmit(proven.answer(answer))

    def _refuse(self, session: Session, text: str, *, burnt: bool = False) -> None:
        self.counters.activations_refused += 1
        self.warn(CODE_BURNT if burnt or text == BURNT else REFUSED)
        session.close(Code.ACTIVATION_REFUSED, text)
