"""The server's answers to mail that is sent: keys of people outside, uploads, and their end.

A copy is offered, then sent in pieces, a few of them ahead. State is in memory: after a cut it is
offered again, and the server says how much it has.
"""

from dataclasses import dataclass, field

from blackthorn.device.core.unit_of_work import UnitOfWork
from blackthorn.device.letters import letters
from blackthorn.device.letters.limits import PIECE_BYTES
from blackthorn.device.operations import limits, outbox, table
from blackthorn.device.operations.send_mail import DAMAGED, SendMail, current
from blackthorn.errors import OverrunError
from blackthorn.link import frames as f
from blackthorn.ports.device_letters import WAITING
from blackthorn.ports.device_store import OutboxRecord

MailAnswer = f.SubmissionState | f.MailSubmitted | f.CertificatesFound


@dataclass(frozen=True, slots=True)
class Reaction:
    """The frames to send; without `goes_on` the operation is prepared again, after `wait_ms`."""

    frames: list[f.AnyFrame] = field(default_factory=list)
    goes_on: bool = False
    wait_ms: int = 0


class MailUploads:
    """What was sent of each offered copy, and who was asked about, by the row's number."""

    def __init__(self) -> None:
        self.disconnected()

    def disconnected(self) -> None:
        self._sent: dict[int, int] = {}
        self._asked: dict[int, str] = {}
        self.taken = self.total = 0
        """Bytes of the newest upload: what the server has, and all of them."""

    def requested(self, frame: f.AnyFrame) -> None:
        """A frame is sent; what asks about an address is answered about that."""
        if isinstance(frame, f.FindCertificates):
            self._asked[frame.request] = frame.address

    def answered(self, unit: UnitOfWork, answer: MailAnswer) -> Reaction:
        """Process an answer. Raises OverrunError for one to something else than was asked."""
        about = answer.address if isinstance(answer, f.CertificatesFound) else ""
        if about != self._asked.pop(answer.request, ""):
            raise OverrunError("the server answers something that was not asked for")
        row = unit.records.outbox.get(answer.request)
        operation = table.operation_of(row) if row is not None else None
        if row is None or not isinstance(operation, SendMail):
            return Reaction()
        match answer:
            case f.SubmissionState():
                return self._offered(unit, row, operation, answer)
            case f.MailSubmitted():
                self._sent.pop(answer.request, None)
                if not answer.refusal:
                    self.taken = self.total
                return Reaction(wait_ms=operation.submitted(unit, row, answer))
            case f.CertificatesFound():
                return Reaction(wait_ms=operation.found(unit, row, answer))

    def _offered(
        self, unit: UnitOfWork, row: OutboxRecord, operation: SendMail, answer: f.SubmissionState
    ) -> Reaction:
        """Send the next pieces, unless nobody is left whom this copy could reach."""
        if answer.refused and not operation.refused(unit, row, answer.refused):
            self._sent.pop(answer.request, None)
            return Reaction()
        record = unit.records.letters.get(operation.letter)
        if record is None or record.standing != WAITING:
            return Reaction()
        place, copy = current(letters.head_of(record))
        total = unit.records.letters.size(operation.letter, place)
        if answer.offset > total or answer.offset % PIECE_BYTES:
            raise OverrunError("the server has another part of a mail than this device sent")
        self.taken, self.total = answer.offset, total
        frames: list[f.AnyFrame] = []
        sent = max(self._sent.get(answer.request, 0), answer.offset)
        while sent < min(total, answer.offset + limits.PIECES_AHEAD * PIECE_BYTES):
            data = unit.records.letters.piece(operation.letter, place, sent)
            if not data:
                outbox.fail(unit, row, DAMAGED)
                return Reaction()
            frames.append(f.SubmitMailPiece(answer.request, copy.token, sent, data))
            sent += len(data)
        self._sent[answer.request] = sent
        return Reaction(frames, goes_on=True)
