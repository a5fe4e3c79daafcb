"""The hub: who is connected, and which handler a frame goes to.

The edge calls it: `connect`, `receive`, `pause`, `disconnect`, and `tick` a few times a
second. All of it is synchronous and takes the time as an argument, so that it runs under
asyncio and in scenarios alike. One session's fault ends that session and no other.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any, Final, Protocol

from blackthorn.errors import InputError, StorageError
from blackthorn.ids import Address, DeviceId
from blackthorn.link import frames as f
from blackthorn.link import limits as link_limits
from blackthorn.link.codes import Code, LinkError
from blackthorn.link.hello import check_version, verify_hello
from blackthorn.link.session import State
from blackthorn.ports.enterprise import Enterprise, Standing
from blackthorn.ports.key_packages import KeyPackageStore
from blackthorn.ports.parcels import ParcelStore
from blackthorn.ports.writer import Writer
from blackthorn.server import limits as server_limits
from blackthorn.server.counters import Counters
from blackthorn.server.handlers import pending_device, read_only
from blackthorn.server.handlers.session import Session, Wire
from blackthorn.server.ledger.chains import DevicesChanged
from blackthorn.server.markets.exit_rules import ExitRules, May
from blackthorn.server.messaging import limits as messaging_limits
from blackthorn.server.messaging.delivery import Delivery
from blackthorn.server.messaging.key_packages import KeyPackageHandler
from blackthorn.server.messaging.mailboxes import Mailboxes
from blackthorn.server.messaging.submission import MessageSubmission

HandlerFunction = Callable[[Session, Any, float], None]

IDLE_CHECK_SECONDS = 10.0
"""How often all sessions are looked through for silent ones."""


class FrameHandler(Protocol):
    """Serves the frames of one part of the enterprise."""

    def handle(self, session: Session, frame: Any, now: float) -> None:
        """Serve one frame. InputError ends the session as its peer's fault."""
        ...


class Desk(FrameHandler, Protocol):
    """A part that keeps something of its sessions."""

    def leave(self, session: Session) -> None:
        """The session has ended, whoever ended it; it may be none that the part knows."""
        ...


class NoticeHandler(FrameHandler, Protocol):
    """The part that tells people of an exit."""

    def greet(self, session: Session) -> None:
        """Send a device that has just opened the link the notices of its user."""
        ...


class LedgerHandler(Desk, Protocol):
    """The part that serves the ledger."""

    def tick(self, now: float) -> None:
        """What is due; called with `Dispatcher.tick`."""
        ...


LEDGER_FRAMES: Final = (
    f.LookUp,
    f.FetchChain,
    f.SubmitStatement,
    f.ProveConsistency,
    f.FetchEntries,
    f.TellCheckpoint,
    f.FetchTrust,
)
DECISION_FRAMES: Final = (f.FetchDecisions, f.SubmitDecision)
PAIRING_FRAMES: Final = (f.OpenPairing, f.JoinPairing, f.Relay, f.PairingEnded)


class Dispatcher:
    """All link sessions of a server.

    `mail_service` serves ListMail and FetchMail, `enrolment` ActivateBegin and ActivateProve,
    `ledger`, `pairing` and `decisions` the frames named after them, `recovery` Recover and what
    follows it, `productions` FetchProduction, `notices` TellExit, `closures` FetchExit and
    FetchReceipt; `exits` narrows what users of a market that is being left may do.
    """

    def __init__(
        self,
        *,
        enterprise: Enterprise,
        parcels: ParcelStore,
        key_packages: KeyPackageStore,
        writer: Writer,
        counters: Counters,
        mail_service: FrameHandler | None = None,
        enrolment: FrameHandler | None = None,
        ledger: LedgerHandler | None = None,
        pairing: Desk | None = None,
        recovery: FrameHandler | None = None,
        decisions: FrameHandler | None = None,
        productions: FrameHandler | None = None,
        exits: ExitRules | None = None,
        notices: NoticeHandler | None = None,
        closures: FrameHandler | None = None,
    ) -> None:
        self.counters = counters
        self._enterprise = enterprise
        self._mailboxes = Mailboxes(enterprise, parcels)
        self._delivery = Delivery(parcels, writer, self._mailboxes, counters)
        self._exits = exits
        self._notices = notices
        self._submission = MessageSubmission(
            parcels, writer, self._mailboxes, self._delivery, counters, exits
        )
        self._key_packages = KeyPackageHandler(enterprise, key_packages, writer, counters, exits)
        self._sessions: set[Session] = set()
        self._opening: set[Session] = set()
        self._paused: set[Session] = set()
        self._by_client: Counter[str] = Counter()
        self._opening_by_client: Counter[str] = Counter()
        self._faults: list[Exception] = []
        self._idle_check_at = 0.0
        self._stopping = False
        self._handlers: dict[type[f.Frame], HandlerFunction] = {
            f.Hello: self._hello,
            f.Bye: self._bye,
            f.Ping: self._ping,
            f.Pong: self._pong,
            f.Fanout: self._submission.fanout,
            f.Send: self._submission.send,
            f.Resume: self._delivery.resume,
            f.Acknowledge: self._delivery.acknowledge,
            f.SetAside: self._delivery.set_aside,
            f.PublishKeyPackages: self._key_packages.publish,
            f.ClaimKeyPackages: self._key_packages.claim,
        }
        if mail_service is not None:
            self._handlers |= {f.ListMail: mail_service.handle, f.FetchMail: mail_service.handle}
        if enrolment is not None:
            self._handlers |= {f.ActivateBegin: enrolment.handle, f.ActivateProve: enrolment.handle}
        if ledger is not None:
            self._handlers |= dict.fromkeys(LEDGER_FRAMES, ledger.handle)
        if pairing is not None:
            self._handlers |= dict.fromkeys(PAIRING_FRAMES, pairing.handle)
        if recovery is not None:
            self._handlers[f.Recover] = recovery.handle
        if decisions is not None:
            self._handlers |= dict.fromkeys(DECISION_FRAMES, decisions.handle)
        if productions is not None:
            self._handlers[f.FetchProduction] = productions.handle
        if notices is not None:
            self._handlers[f.TellExit] = notices.handle
        if closures is not None:
            self._handlers |= {f.FetchExit: closures.handle, f.FetchReceipt: closures.handle}
        self._recovery = recovery
        self._ledger = ledger
        self._desks = [desk for desk in (ledger, pairing) if desk is not None]

    # --- Connections ----------------------------------------------------------------------

    def connect(self, wire: Wire, binding: bytes, now: float, client: str = "") -> Session:
        """A new connection; `binding` is that of its TLS, `client` its peer's address."""
        session = Session(wire, binding, now, client, self._work_off)
        self.counters.connections_total += 1
        if self._stopping or self._crowded(client):
            self.counters.connections_refused += 1
            session.close(Code.STOPPING if self._stopping else Code.BUSY)
            return session
        self._sessions.add(session)
        self._opening.add(session)
        self._by_client[client] += 1
        self._opening_by_client[client] += 1
        self.counters.connections = len(self._sessions)
        return session

    def _crowded(self, client: str) -> bool:
        return (
            len(self._sessions) >= server_limits.MAX_CONNECTIONS
            or self._by_client[client] >= messaging_limits.MAX_CONNECTIONS_PER_CLIENT
            or self._opening_by_client[client] >= messaging_limits.MAX_OPENING_PER_CLIENT
        )

    def receive(self, session: Session, data: bytes | memoryview, now: float) -> None:
        """One WebSocket message of the session's peer; it is put off while the peer must wait."""
        if session.closed:
            return
        if session.waits or session.backlog:
            try:
                session.put_off(data, now)
            except LinkError as error:
                self._cut(session, error.code, str(error))
            return
        self._serve(session, data, now)

    def _work_off(self, session: Session) -> None:
        """Serve what was put off, for as long as the peer need not wait again."""
        while (frame := session.next_put_off()) is not None:
            try:
                self._serve(session, *frame)
            except Exception as fault:
                self._faults.append(fault)

    def _serve(self, session: Session, data: bytes | memoryview, now: float) -> None:
        try:
            _check_opening(session, len(data))
            frame = session.link.receive(data, now)
            if session.device is not None and session.device.standing is Standing.PENDING:
                answer = pending_device.ANSWERS.get(type(frame))
                if answer is not None:
                    answer(session, frame)
                    return
            handler = self._narrowed(session, frame) or self._handlers.get(type(frame))
            if session.link.state is State.RECOVERING and self._recovery is not None:
                handler = self._recovery.handle
            if handler is None:
                raise LinkError(Code.NOT_NOW, f"{type(frame).__name__} is not served here")
            handler(session, frame, now)
        except LinkError as error:
            self._cut(session, error.code, str(error))
        except InputError as error:
            self._cut(session, Code.MALFORMED, str(error))
        except StorageError as error:
            self.counters.storage_failures += 1
            self._cut(session, Code.STORAGE, str(error))
        except Exception:
            self._cut(session, Code.INTERNAL)
            raise

    def _narrowed(self, session: Session, frame: f.AnyFrame) -> HandlerFunction | None:
        """What answers in place of the handler, while the device's user may only read."""
        if self._exits is None or not self._exits.reading or session.device is None:
            return None
        if type(frame) not in read_only.ANSWERS:
            return None
        if not (why := self._exits.refusal(session.device.address, May.SEND)):
            return None
        answer = read_only.ANSWERS[type(frame)]
        stock = self._key_packages.stock(session.device)
        return lambda session, frame, now: answer(session, frame, why, stock)

    def fault(self, session: Session, code: Code, text: str = "") -> None:
        """The edge found the peer at fault: end the session."""
        self._cut(session, code, text)

    def pause(self, session: Session, now: float) -> None:
        """The peer does not read what it is sent."""
        session.pause(now)
        self._paused.add(session)

    def unpause(self, session: Session) -> None:
        """The peer reads again."""
        session.pause(None)
        self._paused.discard(session)
        mailbox = session.mailbox
        if mailbox is None or mailbox.receiver is None:
            return
        try:
            self._delivery.catch_up(mailbox)
        except StorageError as error:
            self.counters.storage_failures += 1
            self._cut(session, Code.STORAGE, str(error))

    def disconnect(self, session: Session) -> None:
        """The connection has ended, whoever ended it."""
        self._leave_opening(session)
        if session in self._sessions:
            self._sessions.remove(session)
            _count_out(self._by_client, session.client)
        self._paused.discard(session)
        self._delivery.leave(session)
        for desk in self._desks:
            desk.leave(session)
        if session.mailbox is not None and session in session.mailbox.sessions:
            session.mailbox.sessions.remove(session)
        self.counters.connections = len(self._sessions)

    def _leave_opening(self, session: Session) -> None:
        if session in self._opening:
            self._opening.remove(session)
            _count_out(self._opening_by_client, session.client)

    def _cut(self, session: Session, code: Code, text: str = "") -> None:
        self.counters.links_cut += 1
        session.close(code, text)
        self.disconnect(session)

    # --- Time -----------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """What is due: deletions that wait for company, silent peers, peers that do not read.

        Raises the first fault of a handler since the last tick that nobody has heard of.
        """
        self._delivery.flush()
        if self._ledger is not None:
            self._ledger.tick(now)
        for session in [each for each in self._paused if each.paused_since is not None]:
            if now - (session.paused_since or now) > messaging_limits.LINK_WRITE_SECONDS:
                self._cut(session, Code.NOT_READING)
        self._check(self._opening, now)
        if now >= self._idle_check_at:
            self._idle_check_at = now + IDLE_CHECK_SECONDS
            self._check(self._sessions, now)
        faults, self._faults = self._faults, []
        for fault in faults:
            raise fault

    def _check(self, sessions: set[Session], now: float) -> None:
        silent: list[tuple[Session, LinkError]] = []
        for session in sessions:
            try:
                session.link.check(now)
            except LinkError as error:
                silent.append((session, error))
        for session, fault in silent:
            self._cut(session, fault.code, str(fault))

    def disk_is_short(self, short: bool) -> None:
        """While too little disk is free nothing is taken; acknowledgements still make room."""
        self._submission.disk_short = short

    def start_day(self, day: int) -> None:
        """It is this Unix day; called at the start and once a day."""
        self._submission.today = day
        self._delivery.start_day(day)

    def stop(self) -> None:
        """Take no more connections, tell all peers, hand what waits to the writer."""
        self._stopping = True
        self._delivery.flush()
        self._submission.flush()
        for session in list(self._sessions):
            session.close(Code.STOPPING)
            self.disconnect(session)

    # --- The enterprise -------------------------------------------------------------------

    def notify_user(self, address: Address, frame: f.AnyFrame) -> None:
        """Say `frame` to every device of the user that receives now.

        Devices that are pending hear of the ledger and of nothing else.
        """
        user = self._enterprise.user(address)
        if user is None:
            return
        for device in user.devices if isinstance(frame, f.LeafChanged) else user.live:
            mailbox = self._mailboxes.of(device.id)
            if mailbox is not None and mailbox.receiver is not None:
                mailbox.receiver.session.transmit(frame)

    def user_changed(self, change: DevicesChanged) -> None:
        """A statement has changed the user's devices, durably: end links, know them afresh."""
        self._enterprise.forget(change.address)
        for device in change.removed:
            self.device_removed(device)
        for old, new in change.renamed:
            self._end_sessions(old, Code.GOING)
            self._mailboxes.rename(old, new)
        user = self._enterprise.user(change.address)
        turned = [self._mailboxes.refresh(each) for each in user.devices] if user else []
        if change.renamed or any(turned):
            self._submission.forget_fanouts()
        for session in self._sessions:
            if session.device is not None and session.device.address == change.address:
                session.device = self._enterprise.device(session.device.id)

    def exit_changed(self) -> None:
        """An exit has come to another state: end the links that it no longer allows."""
        self._submission.forget_fanouts()
        for session in list(self._sessions):
            if session.device is None:
                continue
            try:
                self._check_market(session.device.address)
            except LinkError as error:
                session.close(error.code, str(error))
                self.disconnect(session)

    def device_removed(self, device: DeviceId) -> None:
        """The device exists no more: end its sessions, forget the lists that may hold it."""
        self._submission.forget_fanouts()
        self._mailboxes.forget(device)
        self._end_sessions(device, Code.REMOVED)

    def _end_sessions(self, device: DeviceId, code: Code) -> None:
        for session in list(self._sessions):
            if session.device is not None and session.device.id == device:
                session.close(code)
                self.disconnect(session)

    # --- Frames ---------------------------------------------------------------------------

    def _hello(self, session: Session, hello: f.Hello, now: float) -> None:
        check_version(hello)
        device = self._enterprise.device(DeviceId(hello.device))
        try:
            if device is None:
                raise LinkError(Code.HELLO_REFUSED, Code.HELLO_REFUSED.meaning)
            verify_hello(hello, device.identity_key, session.binding)
            self._check_market(device.address)
        except LinkError:
            self.counters.hellos_refused += 1
            raise
        session.device = device
        session.mailbox = self._mailboxes.of(device.id)
        self._leave_opening(session)
        self._join(session)
        session.transmit(f.Ready(f.LINK_VERSION, self._key_packages.stock(device)))
        if self._notices is not None and device.standing is Standing.LIVE:
            self._notices.greet(session)

    def _check_market(self, address: Address) -> None:
        """Raises LinkError when the service of the user's market has ended."""
        if self._exits is not None and (why := self._exits.refusal(address, May.LOG_IN)):
            raise LinkError(Code.MARKET_LEFT, why)

    def _join(self, session: Session) -> None:
        """Count the link among its device's; the oldest gives way to one too many."""
        if session.mailbox is None:
            return
        links = session.mailbox.sessions
        links.append(session)
        if len(links) > messaging_limits.MAX_LINKS_PER_DEVICE:
            oldest = links[0]
            oldest.close(Code.BUSY, "this device has opened too many links")
            self.disconnect(oldest)

    def _bye(self, session: Session, bye: f.Bye, now: float) -> None:
        session.close(Code.GOING)
        self.disconnect(session)

    def _ping(self, session: Session, ping: f.Ping, now: float) -> None:
        session.transmit(f.Pong(ping.nonce))

    def _pong(self, session: Session, pong: f.Pong, now: float) -> None:
        """Being heard was all it was for."""


def _check_opening(session: Session, size: int) -> None:
    """Before the device is known, frames are small. Raises LinkError."""
    if session.link.opened:
        return
    bound = messaging_limits.MAX_OPENING_FRAME_BYTES
    if session.link.state is State.PROVING:
        bound += link_limits.MAX_ACTIVATION_PAYLOAD_BYTES
    elif session.link.state is State.PAIRING:
        bound += link_limits.MAX_PAIRING_BYTES
    if size > bound:
        raise LinkError(Code.TOO_LARGE, f"a frame of {size} bytes before the link was opened")


def _count_out(counter: Counter[str], client: str) -> None:
    counter[client] -= 1
    if counter[client] <= 0:
        del counter[client]
