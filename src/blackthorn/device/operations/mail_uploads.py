"""Uploads of sealed mail over one link: offered, then sent in pieces, a few of them ahead.

State is in memory: after a cut the copy is offered again, and the server says how much it has.
"""

from blackthorn.device.core.unit_of_work import UnitOfWork
from blackthorn.device.letters import letters
from blackthorn.device.letters.limits import PIECE_BYTES
from blackthorn.device.operations import limits, table
from blackthorn.device.operations.send_mail import SendMail, current
from blackthorn.errors import OverrunError
from blackthorn.link import frames as f
from blackthorn.ports.device_letters import WAITING

Frames = list[f.AnyFrame]


class MailUploads:
    """What was sent of each offered copy, by the row's number."""

    def __init__(self) -> None:
        self.disconnected()

    def disconnected(self) -> None:
        self._sent: dict[int, int] = {}
        self.taken = self.total = 0
        """Bytes of the newest upload: what the server has, and all of them."""

    def offered(self, unit: UnitOfWork, answer: f.SubmissionState) -> Frames | None:
        """The pieces to send now; None when nobody is left whom this copy could reach.

        Raises OverrunError for an answer against the server's own word.
        """
        row = unit.records.outbox.get(answer.request)
        operation = table.operation_of(row) if row is not None else None
        if row is None or not isinstance(operation, SendMail):
            return []
        if answer.refused and not operation.refused(unit, row, answer.refused):
            self._sent.pop(answer.request, None)
            return None
        record = unit.records.letters.get(operation.letter)
        if record is None or record.standing != WAITING:
            return []
        place, copy = current(letters.head_of(record))
        total = unit.records.letters.size(operation.letter, place)
        if answer.offset > total or answer.offset % PIECE_BYTES:
            raise OverrunError("the server has another part of a mail than this device sent")
        self.taken, self.total = answer.offset, total
        frames: Frames = []
        sent = max(self._sent.get(answer.request, 0), answer.offset)
        while sent < min(total, answer.offset + limits.PIECES_AHEAD * PIECE_BYTES):
            data = unit.records.letters.piece(operation.letter, place, sent)
            frames.append(f.SubmitMailPiece(answer.request, copy.token, sent, data))
            sent += len(data)
        self._sent[answer.request] = sent
        return frames

    def submitted(self, unit: UnitOfWork, answer: f.MailSubmitted) -> int:
        """Process the end of an upload; when to try it again, in ms, 0 for no pause."""
        self._sent.pop(answer.request, None)
        row = unit.records.outbox.get(answer.request)
        operation = table.operation_of(row) if row is not None else None
        if row is None or not isinstance(operation, SendMail):
            return 0
        if not answer.refusal:
            self.taken = self.total
        return operation.submitted(unit, row, answer)
