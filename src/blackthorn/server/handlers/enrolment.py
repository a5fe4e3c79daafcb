"""Link handler: activation (`link.activation.exchange`)."""

from dataclasses import dataclass
from functools import partial

from blackthorn import errors
from blackthorn.ids import Fingerprint
from blackthorn.link.activation import exchange
from blackthorn.link.activation.exchange import AwaitProof, Channel, Enrolment
from blackthorn.link.codes import Code
from blackthorn.link.frames import ActivateBegin, ActivateProve
from blackthorn.ports.randomness import Randomness
from blackthorn.ports.store import unless_failed
from blackthorn.server.accounts.enrolment import EnrolmentService, Try
from blackthorn.server.handlers.session import Session


@dataclass(frozen=True, slots=True)
class _Challenged:
    """`Session.stage` between challenge and proof."""

    attempt: Try
    step: AwaitProof


@dataclass(frozen=True, slots=True)
class EnrolmentHandler:
    """Handles ActivateBegin and ActivateProve over connections of the key `fingerprint`."""

    enrolment: EnrolmentService
    fingerprint: Fingerprint
    random: Randomness

    def handle(self, session: Session, frame: ActivateBegin | ActivateProve, now: float) -> None:
        """Serve one frame before a hello; `link.session` keeps the order."""
        if isinstance(frame, ActivateBegin):
            challenge = partial(self._challenge, session, frame)
            done = unless_failed(partial(_refuse, session), challenge)
            self.enrolment.begin(frame.nameplate, session.client, now, done)
        else:
            self._prove(session, frame)

    def _challenge(self, session: Session, begin: ActivateBegin, attempt: Try) -> None:
        if session.closed:  # while it waited
            return
        channel = Channel(self.fingerprint, session.binding)
        try:
            challenge, step = exchange.challenge(
                begin, attempt.verifier, attempt.owner, channel, self.random
            )
        except errors.ProtocolError as error:
            _refuse(session, self.enrolment.refusal(str(error)))
            return
        session.stage = _Challenged(attempt, step)
        session.transmit(challenge)

    def _prove(self, session: Session, prove: ActivateProve) -> None:
        stage = session.stage
        if not isinstance(stage, _Challenged):
            raise errors.ProtocolError("a proof without a challenge")
        session.stage = None
        try:
            proven = stage.step.verify(prove)
        except errors.InputError as error:
            _refuse(session, self.enrolment.refusal(str(error)))
            return

        def enrolled(enrolment: Enrolment) -> None:
            session.transmit(proven.answer(enrolment))

        done = unless_failed(partial(_refuse, session), enrolled)
        self.enrolment.enrol(stage.attempt, proven.keys, done)


def _refuse(session: Session, error: errors.BlackthornError) -> None:
    if isinstance(error, errors.ForbiddenError):
        session.close(Code.ACTIVATION_REFUSED, str(error))
    else:
        session.fail(error)
