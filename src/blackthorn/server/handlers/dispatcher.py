"""The dispatcher gives each frame to its handler, and pushes the server's frames to devices.

The link's edge calls `connect`, `receive`, `pause`, `disconnect`, and `tick` a few times a second.
All is synchronous and takes the time as an argument, for asyncio and scenarios alike. A fault ends
only its own session.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from blackthorn.errors import BlackthornError, StorageError
from blackthorn.ids import Address, DeviceId
from blackthorn.link import frames as f
from blackthorn.link.codes import Code, LinkError
from blackthorn.link.session import State
from blackthorn.ports.enterprise import DeviceRecord, Standing, UserRecord
from blackthorn.ports.store import Reader, Writer
from blackthorn.server.budgets.budgets import Budgets
from blackthorn.server.budgets.turns import NoPace, Pace, Turns
from blackthorn.server.counters import Counters
from blackthorn.server.enterprise import EnterpriseCache
from blackthorn.server.handlers import limits
from blackthorn.server.handlers.connections import Connections
from blackthorn.server.handlers.directory import DirectoryHandler
from blackthorn.server.handlers.errors import farewell
from blackthorn.server.handlers.hello import HelloHandler
from blackthorn.server.handlers.key_packages import KeyPackageHandler
from blackthorn.server.handlers.messaging import MessagingHandler
from blackthorn.server.handlers.notices import NoticeHandler
from blackthorn.server.handlers.restrictions import Restrictions
from blackthorn.server.handlers.session import Session, Wire
from blackthorn.server.handlers.throttle import Throttle
from blackthorn.server.ledger.chains import DevicesChanged
from blackthorn.server.markets.exit_rules import ExitRules, May
from blackthorn.server.messaging.delivery import Delivery
from blackthorn.server.messaging.key_packages import KeyPackages
from blackthorn.server.messaging.mailboxes import Mailboxes
from blackthorn.server.messaging.submission import MessageSubmission

HandlerFunction = Callable[[Session, Any, float], None]


class FrameHandler(Protocol):
    def handle(self, session: Session, frame: Any, now: float) -> None:
        """Serve one frame of a known device. InputError ends the session as its peer's fault."""


class SessionHandler(FrameHandler, Protocol):
    """A handler that keeps state of its sessions."""

    def leave(self, session: Session) -> None:
        """The session has ended; the handler may not know it."""


LEDGER_FRAMES: Final = (
    f.LookUp,
    f.FetchChain,
    f.SubmitStatement,
    f.ProveConsistency,
    f.FetchEntries,
    f.FetchEpochs,
    f.TellCheckpoint,
    f.FetchTrust,
)
DECISION_FRAMES: Final = (f.FetchDecisions, f.SubmitDecision)
URGENT: Final = frozenset(
    int(str(kind.__struct_config__.tag))
    for kind in (f.Bye, f.Pong, f.Acknowledge, f.SubmitStatement, f.SubmitDecision, f.TellExit)
)
"""Second bytes of the frames that go first: those that end work, and that stop an attacker."""
PAIRING_FRAMES: Final = (f.OpenPairing, f.JoinPairing, f.Relay, f.PairingEnded)


class Dispatcher:
    """All link sessions of a server.

    `exits` restricts the users of a market that is being closed.
    """

    def __init__(
        self,
        *,
        enterprise: EnterpriseCache,
        writer: Writer,
        reader: Reader,
        counters: Counters,
        mail_service: FrameHandler | None = None,
        submission: FrameHandler | None = None,
        passwords: FrameHandler | None = None,
        enrolment: FrameHandler | None = None,
        ledger: DirectoryHandler | None = None,
        pairing: SessionHandler | None = None,
        recovery: FrameHandler | None = None,
        decisions: FrameHandler | None = None,
        productions: FrameHandler | None = None,
        exits: ExitRules | None = None,
        notices: NoticeHandler | None = None,
        closures: FrameHandler | None = None,
        throttle: Throttle | None = None,
    ) -> None:
        self.counters = counters
        self._enterprise = enterprise
        self._connections = Connections(counters, self._ended)
        self._mailboxes = Mailboxes(enterprise, reader)
        self._delivery = Delivery(writer, reader, self._mailboxes, counters)
        self._submission = MessageSubmission(
            writer, self._mailboxes, self._delivery, counters, exits
        )
        self._exits, self._throttle = exits, throttle or Throttle(Budgets(), counters)
        self._now, self._turns = 0.0, Turns(NoPace())
        self._faults, self._stale = list[Exception](), set[Address]()
        self._pushed: f.EpochPushed | None = None
        self._to_push = deque[Session]()
        self._key_packages = KeyPackages(enterprise, writer, reader, counters, exits, self._claimed)
        self._key_package_handler = KeyPackageHandler(self._key_packages)
        self._restrictions = Restrictions(exits, self._key_package_handler)
        self._recovery, self._ledger = recovery, ledger
        self._session_handlers = [part for part in (ledger, pairing) if part is not None]
        hello = HelloHandler(
            self._connections,
            enterprise,
            self._mailboxes,
            self._key_packages,
            writer,
            counters,
            exits,
            notices,
            lambda: ledger.size() if ledger is not None else 0,
            self._throttle,
        )
        messaging = MessagingHandler(
            self._submission, self._delivery, self._mailboxes, self._throttle
        )
        self._handlers = self._own_handlers(hello, messaging, self._key_package_handler)
        served: tuple[tuple[FrameHandler | None, tuple[type[f.Frame], ...]], ...] = (
            (mail_service, (f.ListMail, f.FetchMail, f.DeleteMail, f.FindCertificates)),
            (submission, (f.SubmitMail, f.SubmitMailPiece)),
            (passwords, (f.AskAppPasswords,)),
            (enrolment, (f.ActivateBegin, f.ActivateProve)),
            (ledger, LEDGER_FRAMES),
            (pairing, PAIRING_FRAMES),
            (recovery, (f.Recover,)),
            (decisions, DECISION_FRAMES),
            (productions, (f.FetchProduction,)),
            (notices, (f.TellExit,)),
            (closures, (f.FetchExit, f.FetchReceipt)),
        )
        for handler, frames in served:
            self._handlers |= dict.fromkeys(frames, handler.handle) if handler is not None else {}

    def _own_handlers(
        self, hello: HelloHandler, messaging: MessagingHandler, key_packages: KeyPackageHandler
    ) -> dict[type[f.Frame], HandlerFunction]:
        return {
            f.Hello: hello.handle,
            f.Bye: self._bye,
            f.Ping: _ping,
            f.Pong: _pong,
            f.Fanout: messaging.fanout,
            f.Send: messaging.send,
            f.Resume: messaging.resume,
            f.Acknowledge: messaging.acknowledge,
            f.SetAside: messaging.set_aside,
            f.AskOrders: messaging.ask_orders,
            f.PublishKeyPackages: key_packages.publish,
            f.ClaimKeyPackages: key_packages.claim,
        }

    def connect(self, wire: Wire, binding: bytes, now: float, client: str = "") -> Session:
        """A new connection with the TLS `binding`; `client` is its peer's address."""
        return self._connections.connect(wire, binding, now, client, self._work_off)

    def receive(self, session: Session, data: bytes | memoryview, now: float) -> None:
        """One WebSocket message of the peer; queued while the peer must wait."""
        if session.closed:
            return
        self._now = now
        free = not (session.backlog or session.waits) and self._turns.may_serve(session)
        if free or self._is_urgent(session, data):
            self._serve(session, data, now)
            return
        self.counters.frames_waited += 1
        try:
            session.put_off(data)
        except LinkError as error:
            self._connections.fail(session, error)
            return
        if not session.waits:
            self._turns.queue(session)

    def _is_urgent(self, session: Session, data: bytes | memoryview) -> bool:
        """Whether the frame goes before those that wait for a turn or for a budget."""
        if not 1 < len(data) <= limits.MAX_OPENING_FRAME_BYTES or data[1] not in URGENT:
            return False
        return not session.takes_nothing and self._turns.may_serve(session, urgent=True)

    def take_turns(self, pace: Pace) -> None:
        """From now on users are served in turn, by this clock."""
        self._turns = Turns(pace)

    def _work_off(self, session: Session) -> None:
        """Serve queued frames until the peer must wait again."""
        while (frame := session.next_put_off()) is not None:
            try:
                self._serve(session, frame, self._now)
            except Exception as fault:
                self._faults.append(fault)
            if session.backlog and not self._turns.may_serve(session):
                self._turns.queue(session)

    def _serve(self, session: Session, data: bytes | memoryview, now: float) -> None:
        begun = self._turns.begin()
        try:
            _check_opening(session, len(data))
            frame = session.link.receive(data, now)
            if self._restrictions.answer(session, frame):
                return
            handler = self._handlers.get(type(frame))
            if session.link.state is State.RECOVERING and self._recovery is not None:
                handler = self._recovery.handle
            if handler is None:
                raise LinkError(Code.NOT_NOW, f"this server does not handle {type(frame).__name__}")
            handler(session, frame, now)
        except Exception as error:
            self._connections.fail(session, error)
            if farewell(error)[0] is Code.INTERNAL:
                raise
        finally:
            self._turns.used(session, begun)

    def fault(self, session: Session, code: Code, text: str = "") -> None:
        """The edge found the peer at fault: end the session."""
        self._connections.cut(session, code, text)

    def pause(self, session: Session, now: float) -> None:
        self._connections.pause(session, now)

    def unpause(self, session: Session) -> None:
        self._connections.unpause(session)
        if session.messaging is not None:
            self._delivery.catch_up(session.messaging.mailbox)

    def disconnect(self, session: Session) -> None:
        self._connections.disconnect(session)

    def _ended(self, session: Session) -> None:
        if session.messaging is not None:
            self._delivery.leave(session.messaging)
        for handler in self._session_handlers:
            handler.leave(session)

    def tick(self, now: float) -> None:
        """Flush deletions, retry failed reloads, end silent peers and those that do not read.

        Raises the first fault of a handler since the last tick.
        """
        self._now = now
        self._delivery.flush()
        self._throttle.tick(now)
        self._push()
        stale, self._stale = self._stale, set()
        for address in stale:
            self._reload(address)
        if self._ledger is not None:
            self._ledger.tick(now)
        self._connections.check(now)
        faults, self._faults = self._faults, []
        for fault in faults:
            raise fault

    def disk_is_short(self, short: bool) -> None:
        """While the disk is nearly full nothing is stored but acknowledgements."""
        self._submission.disk_short = short

    def start_day(self, day: int) -> None:
        """Called at the start and at each new Unix day."""
        self._submission.today = self._key_packages.today = day
        self._delivery.start_day(day)

    def stop(self) -> None:
        """Flush to the writer and close all sessions."""
        self._delivery.flush()
        self._submission.flush()
        self._connections.stop()

    def notify_user(self, address: Address, frame: f.AnyFrame) -> None:
        """Send `frame` to all receiving devices of the user; to pending ones only LeafChanged."""
        for session in self._connections.of_user(address):
            device = session.device
            if session.link.state is not State.RECEIVING or device is None:
                continue
            if device.standing is Standing.LIVE or isinstance(frame, f.LeafChanged):
                session.transmit(frame)

    def push(self, frame: f.EpochPushed) -> None:
        """Send the frame to all live devices that have resumed, to some with each tick."""
        self._pushed = frame
        self._to_push = deque(self._connections.with_device())

    def _push(self) -> None:
        for _ in range(min(limits.PUSHES_PER_TICK, len(self._to_push))):
            session = self._to_push.popleft()
            live = session.device is not None and session.device.standing is Standing.LIVE
            if live and session.link.state is State.RECEIVING and self._pushed is not None:
                session.transmit(self._pushed)

    def _claimed(self, devices: Sequence[DeviceRecord]) -> None:
        for device in devices:
            session = self._connections.receiving(device.id)
            if session is not None:
                self._key_package_handler.tell_if_low(session)

    def user_changed(self, change: DevicesChanged) -> None:
        """A durable statement changed the user's devices: end links, reload them."""
        self._enterprise.forget(change.address)
        self._mailboxes.change_user(change.address)
        for device in change.removed:
            self.device_removed(device)
        for old, new in change.renamed:
            self._connections.end_device(old, Code.GOING)
            self._mailboxes.rename(old, new)
        if change.renamed:
            self._submission.forget_fanouts()

        self._reload(change.address)

    def _reload(self, address: Address) -> None:
        def loaded(user: UserRecord | BlackthornError | None) -> None:
            if isinstance(user, BlackthornError):
                self._stale.add(address)
                for session in self._connections.of_user(address):
                    session.fail(user)
            elif user is not None:
                self._refresh(user)

        self._enterprise.load_user(address, loaded)

    def _refresh(self, user: UserRecord) -> None:
        turned = [self._mailboxes.refresh(device) for device in user.devices]
        if any(turned):
            self._submission.forget_fanouts()
        records = {device.id: device for device in user.devices}
        for session in self._connections.of_user(user.address):
            if session.device is not None:
                session.device = records.get(session.device.id, session.device)

    def device_removed(self, device: DeviceId) -> None:
        """End the device's sessions and forget the lists that may hold it."""
        self._submission.forget_fanouts()
        mailbox = self._mailboxes.find(device)
        if mailbox is not None:
            self._mailboxes.forget(device)
            self._delivery.device_removed(mailbox)
        self._connections.end_device(device, Code.REMOVED)

    def exit_changed(self) -> None:
        """An exit changed state: end links that it forbids."""
        self._submission.forget_fanouts()
        for session in self._connections.with_device():
            if session.device is None or self._exits is None:
                continue
            try:
                why = self._exits.refusal(session.device.address, May.LOG_IN)
            except StorageError as error:  # the next hello asks again
                session.fail(error)
                continue
            if why:
                session.close(Code.MARKET_LEFT, why)
                self._connections.disconnect(session)

    def _bye(self, session: Session, bye: f.Bye, now: float) -> None:
        session.close(Code.GOING)
        self._connections.disconnect(session)


def _ping(session: Session, ping: f.Ping, now: float) -> None:
    session.transmit(f.Pong(ping.nonce))


def _pong(session: Session, pong: f.Pong, now: float) -> None:
    """No-op: receiving the frame reset the idle timer."""


def _check_opening(session: Session, size: int) -> None:
    """Frames before hello are small. Raises LinkError."""
    bound = session.frame_bound
    if bound is not None and size > bound:
        raise LinkError(Code.TOO_LARGE, f"a frame of {size} bytes before the link was opened")
