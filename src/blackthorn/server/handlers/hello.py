"""Link handler: Hello authenticates a device; its mailbox and stock are loaded before Ready.

The hello with the highest number is kept, and judged by the device alone: the one before goes back.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from blackthorn.errors import BlackthornError, StorageError
from blackthorn.ids import Address, DeviceId
from blackthorn.link import frames as f
from blackthorn.link.codes import Code, LinkError
from blackthorn.link.hello import check_version, kept, verify_hello
from blackthorn.ports.enterprise import DeviceRecord, KeepHello, Standing
from blackthorn.ports.store import Writer
from blackthorn.server.counters import Counters
from blackthorn.server.enterprise import EnterpriseCache
from blackthorn.server.handlers.connections import Connections
from blackthorn.server.handlers.errors import farewell
from blackthorn.server.handlers.messaging import LinkDevice
from blackthorn.server.handlers.notices import NoticeHandler
from blackthorn.server.handlers.session import Session
from blackthorn.server.handlers.throttle import Throttle
from blackthorn.server.markets.exit_rules import ExitRules, May
from blackthorn.server.messaging.key_packages import KeyPackages
from blackthorn.server.messaging.mailboxes import Mailboxes


@dataclass(frozen=True, slots=True)
class HelloHandler:
    """Handles Hello. The peer waits until Ready."""

    connections: Connections
    enterprise: EnterpriseCache
    mailboxes: Mailboxes
    key_packages: KeyPackages
    writer: Writer
    counters: Counters
    exits: ExitRules | None
    notices: NoticeHandler | None
    ledger_size: Callable[[], int]
    throttle: Throttle

    def handle(self, session: Session, hello: f.Hello, now: float) -> None:
        check_version(hello.version)
        session.ask()
        session.version = hello.version
        found = partial(self._found, session, hello, now)
        self.enterprise.load_device(DeviceId(hello.device), _unless_failed(session, found))

    def _found(
        self, session: Session, hello: f.Hello, now: float, device: DeviceRecord | None
    ) -> None:
        try:
            if device is None:
                raise LinkError(Code.HELLO_REFUSED, Code.HELLO_REFUSED.meaning)
            verify_hello(hello, device.identity_key, session.binding)
            self.throttle.check_hello(device.id, now)
            self._check_market(device.address)
            session.recognise(device)
        except LinkError as error:
            self.counters.hellos_refused += 1
            session.fail(error)
            return
        self.connections.open(session)
        loaded = partial(self._loaded, session, device, hello)
        self.mailboxes.load((device.id,), _unless_failed(session, loaded))

    def _check_market(self, address: Address) -> None:
        if self.exits is not None and (why := self.exits.refusal(address, May.LOG_IN)):
            raise LinkError(Code.MARKET_LEFT, why)

    def _loaded(self, session: Session, device: DeviceRecord, hello: f.Hello, _: None) -> None:
        mailbox = self.mailboxes.find(device.id)
        if mailbox is None:  # removed meanwhile
            session.fail(LinkError(Code.HELLO_REFUSED, Code.HELLO_REFUSED.meaning))
            return
        session.messaging = LinkDevice(session, device.address, mailbox)
        counted = partial(self._counted, session, device, hello)
        self.key_packages.stock(device, _unless_failed(session, counted))

    def _counted(self, session: Session, device: DeviceRecord, hello: f.Hello, stock: int) -> None:
        if hello.version == 1:
            self._ready(session, f.Ready(1, stock, self.ledger_size()))
            return

        def replaced(before: bytes | BlackthornError) -> None:
            if session.closed:
                return
            if isinstance(before, StorageError):  # it is served, and compares at its next hello
                self._ready(session, f.Ready(1, stock, self.ledger_size()))
            elif isinstance(before, BlackthornError):
                session.fail(before)
            else:
                self._ready(session, f.Ready(hello.version, stock, self.ledger_size(), before))

        command = KeepHello(device.number, hello.number, kept(hello, session.binding).encode())
        self.writer.submit(command, replaced)

    def _ready(self, session: Session, ready: f.Ready) -> None:
        session.transmit(ready)
        device = session.device
        if self.notices is not None and device is not None and device.standing is Standing.LIVE:
            self.notices.greet(session)  # which answers
        else:
            session.answered()


def _unless_failed(session: Session, go_on: Callable[..., None]) -> Callable[..., None]:
    """Continue with the answer, unless it is an error or the session has ended."""

    def done(result: object) -> None:
        if session.closed:
            return
        if isinstance(result, BlackthornError):
            session.fail(result)
            return
        try:
            go_on(result)
        except Exception as error:
            session.fail(error)
            if farewell(error)[0] is Code.INTERNAL:
                raise

    return done
