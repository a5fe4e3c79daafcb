"""Link handler: a device sends sealed mail, offered first and then in pieces."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from blackthorn.errors import BlackthornError, DefectError, StorageError, UnavailableError
from blackthorn.ids import DeviceId
from blackthorn.link import frames as f
from blackthorn.ports.enterprise import UserRecord
from blackthorn.ports.store import unless_failed
from blackthorn.server.enterprise import EnterpriseCache
from blackthorn.server.handlers.session import Session
from blackthorn.server.mail.recipient_policy import RecipientRefusedError
from blackthorn.server.outbound.submission import (
    BadRecipientError,
    Destination,
    Submission,
    SubmissionService,
)
from blackthorn.server.outbound.uploads import Upload, Uploads

RETRY_MS: Final = 30_000
"""When a device offers a mail again that could not be taken for a reason of ours."""

AGAIN_MS: Final = 1_000
"""When it offers one again that this server does not know any more."""

_MAX_CHARS: Final = 512

_REFUSED: Final = (RecipientRefusedError, BadRecipientError)


@dataclass(frozen=True, slots=True)
class SubmissionHandler:
    submissions: SubmissionService
    enterprise: EnterpriseCache
    uploads: Uploads = field(default_factory=Uploads)

    def handle(self, session: Session, frame: f.AnyFrame, now: float) -> None:
        """Serve one frame of a known device; its peer waits for the answer."""
        device = session.device
        if device is None:
            return
        if isinstance(frame, f.SubmitMailPiece):
            self._piece(session, device.id, frame, now)
        elif isinstance(frame, f.SubmitMail):
            offered = partial(self._offered, session, device.id, frame, now)
            self._with_user(session, frame, offered)

    def _with_user(
        self, session: Session, frame: f.Exchange, go_on: Callable[[UserRecord], None]
    ) -> None:
        def loaded(user: UserRecord | None) -> None:
            if user is None:
                session.answered()
            else:
                go_on(user)

        session.ask()
        if session.device is not None:
            done = unless_failed(partial(_refuse, session, frame.request), loaded)
            self.enterprise.load_user(session.device.address, done)

    def _offered(
        self, session: Session, device: DeviceId, frame: f.SubmitMail, now: float, user: UserRecord
    ) -> None:
        def known(mail: int | None) -> None:
            if mail is None:
                self._resolve(session, device, frame, now, user)
            else:
                session.answer(f.MailSubmitted(frame.request, mail))

        def own(_: None) -> None:
            self.submissions.find(user, frame.token, unless_failed(refuse, known))

        refuse = partial(_refuse, session, frame.request)
        try:
            self.submissions.check_rate(user, len(frame.recipients))
        except BlackthornError as error:
            refuse(error)
        else:
            self.submissions.check_sender(user, frame.sender, unless_failed(refuse, own))

    def _resolve(
        self, session: Session, device: DeviceId, frame: f.SubmitMail, now: float, user: UserRecord
    ) -> None:
        """Say who cannot get it, and take the mail for the others."""
        paths = list(dict.fromkeys(frame.recipients))
        answers: dict[str, Destination | BlackthornError] = {}

        def answered(path: str, answer: Destination | BlackthornError) -> None:
            answers[path] = answer
            if len(answers) == len(paths):
                self._resolved(session, device, frame, now, user, answers)

        for path in paths:
            self.submissions.device_destination(path, partial(answered, path))

    def _resolved(
        self,
        session: Session,
        device: DeviceId,
        frame: f.SubmitMail,
        now: float,
        user: UserRecord,
        answers: dict[str, Destination | BlackthornError],
    ) -> None:
        for error in answers.values():
            if isinstance(error, BlackthornError) and not isinstance(error, _REFUSED):
                _refuse(session, frame.request, error)
                return
        refused = [
            f.RefusedRecipient(path, str(error)[:_MAX_CHARS])
            for path, error in answers.items()
            if isinstance(error, BlackthornError)
        ]
        others = [path for path, found in answers.items() if isinstance(found, Destination)]
        offset = 0
        if others:
            try:
                upload = self.uploads.offer(
                    device, frame.token, user.address, frame.sender, others, frame.size, now
                )
            except UnavailableError as error:
                _refuse(session, frame.request, error)
                return
            offset = len(upload.data)
            if upload.whole:  # it came over an earlier link, which ended before the answer
                self._submit(session, device, frame.request, frame.token, upload, user)
                return
        session.answer(f.SubmissionState(frame.request, offset, refused))

    def _piece(
        self, session: Session, device: DeviceId, frame: f.SubmitMailPiece, now: float
    ) -> None:
        upload = self.uploads.find(device, frame.token)
        if upload is None:
            text = "the server has nothing of this mail (any more)"
            session.transmit(f.MailSubmitted(frame.request, 0, text, AGAIN_MS))
            return
        if upload.submitted:
            return  # over another link of the device; it is told there
        upload.add(frame.offset, frame.data, now)
        if not upload.whole:
            session.transmit(f.SubmissionState(frame.request, len(upload.data), []))
            return
        submit = partial(self._submit, session, device, frame.request, frame.token, upload)
        self._with_user(session, frame, submit)

    def _submit(
        self,
        session: Session,
        device: DeviceId,
        request: int,
        token: bytes,
        upload: Upload,
        user: UserRecord,
    ) -> None:
        """Hand the whole mail over; told once it is durable."""
        upload.submitted = True
        content = bytes(upload.data)
        mail = Submission(user, upload.sender, upload.recipients, content, token)

        def done(result: int | BlackthornError) -> None:
            self.uploads.drop(device, token)
            if isinstance(result, BlackthornError):
                _refuse(session, request, result)
            else:
                session.answer(f.MailSubmitted(request, result))

        self.submissions.accept(mail, done)


def _refuse(session: Session, request: int, error: BlackthornError) -> None:
    """Answer an error: for good, or with a time to try again. A defect ends the link."""
    if isinstance(error, DefectError):
        session.fail(error)
        return
    retry_ms = 0
    if isinstance(error, StorageError | UnavailableError):
        retry_ms = RETRY_MS
    elif isinstance(error, RecipientRefusedError):
        retry_ms = AGAIN_MS  # offered again, it is told who
    session.answer(f.MailSubmitted(request, 0, str(error)[:_MAX_CHARS], retry_ms))
