"""Link handler: messages; and a session as `server.messaging` sees it."""

from collections.abc import Sequence
from dataclasses import dataclass

from blackthorn.errors import BlackthornError
from blackthorn.ids import Address, FanoutId
from blackthorn.link import frames as f
from blackthorn.link import limits as link_limits
from blackthorn.link.fanout import open_fanout
from blackthorn.ports.parcels import Missed, TakenHandles
from blackthorn.ports.store import unless_failed
from blackthorn.server.handlers import limits
from blackthorn.server.handlers.errors import REFUSALS
from blackthorn.server.handlers.session import Session
from blackthorn.server.handlers.throttle import Throttle
from blackthorn.server.messaging.delivery import Delivery
from blackthorn.server.messaging.mailbox import Mailbox, Numbered
from blackthorn.server.messaging.mailboxes import Mailboxes
from blackthorn.server.messaging.postings import LeftOut, Reason
from blackthorn.server.messaging.submission import MessageSubmission


class LinkDevice:
    """A known device's session as a `server.messaging.mailbox.DeviceConnection`."""

    __slots__ = ("_held", "_session", "_unanswered_bytes", "address", "mailbox", "missing_named")

    def __init__(self, session: Session, address: Address, mailbox: Mailbox) -> None:
        self._session = session
        self._unanswered_bytes = 0
        self._held = False
        self.address = address
        self.mailbox = mailbox
        self.missing_named = 0

    @property
    def paused(self) -> bool:
        return self._session.paused_since is not None

    def accepted(self, postings: Sequence[bytes], left_out: LeftOut = ()) -> None:
        names = [f.LeftOut(REFUSALS[reason], list(devices)) for reason, devices in left_out]
        for start in range(0, len(postings), link_limits.MAX_POSTINGS_PER_FRAME):
            part = postings[start : start + link_limits.MAX_POSTINGS_PER_FRAME]
            self._session.transmit(f.Accepted(list(part), names))

    def refused(self, posting: bytes, reason: Reason, text: str = "", winner: bytes = b"") -> None:
        code = REFUSALS[reason]
        self._session.transmit(f.Refused(posting, code, text or code.meaning, winner))

    def fanouts_unknown(self, fanouts: Sequence[bytes], postings: Sequence[bytes]) -> None:
        self._session.transmit(f.FanoutUnknown(list(fanouts), list(postings)))

    def deliver(self, parcels: Sequence[Numbered]) -> None:
        self._session.transmit(f.Deliver([f.Delivery(seq, sealed) for seq, sealed, _ in parcels]))

    def drained(self, missed: Missed) -> None:
        self._session.transmit(f.Drained(*missed))

    def superseded(self) -> None:
        self._session.transmit(f.Superseded())

    def failed(self, error: BlackthornError) -> None:
        self._session.fail(error)

    def hold(self, size: int, crowded: bool) -> None:
        self._unanswered_bytes += size
        if crowded or self._unanswered_bytes > limits.MAX_UNANSWERED_BYTES:
            self._held = True
            self._session.hold(True)

    def release(self, size: int) -> None:
        self._unanswered_bytes -= size
        if self._held and self._unanswered_bytes <= limits.MAX_UNANSWERED_BYTES:
            self._held = False
            self._session.hold(False)


@dataclass(frozen=True, slots=True)
class MessagingHandler:
    """Handles Fanout, Send, Resume, Acknowledge, SetAside and AskOrders."""

    submission: MessageSubmission
    delivery: Delivery
    mailboxes: Mailboxes
    throttle: Throttle

    def fanout(self, session: Session, frame: f.Fanout, now: float) -> None:
        device = session.messaging
        if device is None:
            return
        devices = open_fanout(frame)
        done = unless_failed(session.fail, lambda _: session.answered())
        if not self.mailboxes.loaded(devices):
            session.ask()
        self.submission.remember_fanout(device, FanoutId(frame.id), devices, done)

    def send(self, session: Session, frame: f.Send, now: float) -> None:
        if session.messaging is not None and self.throttle.admit(session, frame, now):
            charge = self.submission.submit(session.messaging, frame.postings)
            self.throttle.charge(session, charge, now)

    def resume(self, session: Session, frame: f.Resume, now: float) -> None:
        if session.messaging is not None:
            self.delivery.resume(session.messaging, frame.set_aside)

    def acknowledge(self, session: Session, frame: f.Acknowledge, now: float) -> None:
        if session.messaging is not None:
            self.delivery.acknowledge(session.messaging, frame.seqs)
            self.delivery.missed_was_read(session.messaging, frame.missed)

    def set_aside(self, session: Session, frame: f.SetAside, now: float) -> None:
        """Mark parcels undecryptable."""
        if session.messaging is not None:
            self.delivery.mark_undecryptable(session.messaging, frame.seqs)

    def ask_orders(self, session: Session, frame: f.AskOrders, now: float) -> None:
        """Tell which handles have a Commit. One question at a time: the session waits."""

        def found(digests: list[bytes | None]) -> None:
            taken = [digest is not None for digest in digests]
            session.answer(f.Orders(frame.request, taken, [digest or b"" for digest in digests]))

        if session.messaging is not None:
            session.ask()
            done = unless_failed(session.fail, found)
            self.mailboxes.reader.ask(TakenHandles(frame.handles), done)
