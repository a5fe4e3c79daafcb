"""Link handler: Recover, and SubmitStatement of a recognised session."""

from dataclasses import dataclass
from functools import partial

from blackthorn.errors import AbsentError, BlackthornError, ForbiddenError, UnavailableError
from blackthorn.identity.keys import Signature
from blackthorn.ids import Address
from blackthorn.link import frames as f
from blackthorn.link.codes import Code, LinkError
from blackthorn.link.hello import check_version, recovery_bytes
from blackthorn.server.accounts.recovery import Recognition, RecoveryService
from blackthorn.server.handlers.session import Session


@dataclass(frozen=True, slots=True)
class RecoveryHandler:
    """Handles Recover and the statement after it; `link.session` keeps the order."""

    recovery: RecoveryService

    def handle(self, session: Session, frame: f.Recover | f.SubmitStatement, now: float) -> None:
        if isinstance(frame, f.Recover):
            self._recognise(session, frame, now)
        else:
            self._submit(session, frame)

    def _recognise(self, session: Session, recover: f.Recover, now: float) -> None:
        check_version(recover.version)
        session.ask()
        try:
            self.recovery.recognise(
                Address(recover.address),
                Signature(recover.ed25519, recover.ml_dsa),
                recovery_bytes(session.binding, recover.address),
                session.client,
                now,
                partial(_recognised, session),
            )
        except UnavailableError as error:
            raise LinkError(Code.BUSY, str(error)) from None

    def _submit(self, session: Session, frame: f.SubmitStatement) -> None:
        stage = session.stage
        if not isinstance(stage, Recognition):
            raise LinkError(Code.NOT_NOW, "the recovery key is not recognised yet")

        def done(refusal: str) -> None:
            session.answer(f.StatementStored(frame.request, refusal[:512]))

        session.ask()
        self.recovery.submit(stage.address, frame.statement, frame.certificate, done)


def _recognised(session: Session, known: Recognition | BlackthornError) -> None:
    match known:
        case Recognition():
            session.stage = known
            session.transmit(
                f.Recognised(
                    known.seq,
                    known.head,
                    known.domain,
                    known.pin,
                    known.config,
                    known.policy,
                    known.time_ms,
                    known.rules,
                )
            )
        case AbsentError():
            session.close(Code.RECOVERY_REFUSED)
        case ForbiddenError():
            session.close(Code.MARKET_LEFT, str(known))
        case _:
            session.fail(known)
    session.answered()
