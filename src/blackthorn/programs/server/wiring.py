"""Composition of one server's services, handlers and edges; `server.serve` runs them."""

import secrets
import ssl
import time
from contextlib import AsyncExitStack
from functools import cached_property

import structlog
from starlette.routing import BaseRoute

from blackthorn.crypto.secret import Secret
from blackthorn.edges.dns.resolver import DnsResolver
from blackthorn.edges.gate import Gate
from blackthorn.edges.http.mta_sts import mta_sts_routes
from blackthorn.edges.sealing.pool import SealingPool
from blackthorn.edges.smtp.gateway import MailGateway
from blackthorn.edges.smtp.memory import MailMemory
from blackthorn.edges.tls import ServerTls
from blackthorn.governance.transitions import Case, Step
from blackthorn.ids import Address, DeviceId
from blackthorn.link.frames import AnyFrame, LeafChanged
from blackthorn.mail.dns.sts import policy_text
from blackthorn.programs.log import LineLimit
from blackthorn.programs.periodic import Supervisor
from blackthorn.programs.server.certificates.serving import PublicCertificate
from blackthorn.programs.server.closure import IDLE_SECONDS, Apart, closing_step, make_closures
from blackthorn.programs.server.configuration import Configuration
from blackthorn.programs.server.decisions import make_decision_service
from blackthorn.programs.server.health import Health
from blackthorn.programs.server.ledger import ServerLedger
from blackthorn.programs.server.listening import SmtpListening, listen_smtp
from blackthorn.programs.server.mail.judging import make_judging
from blackthorn.programs.server.mail.traces import keep_traces
from blackthorn.programs.server.notices import NoticeDelivery, make_rules, notice_signer
from blackthorn.programs.server.outbound.service import OutboundMail
from blackthorn.programs.server.outbound.signing import DkimSigning
from blackthorn.programs.server.outbound.submitting import serve_submission
from blackthorn.programs.server.outside.certificates import Certificates
from blackthorn.programs.server.package_maker import PackageMaker
from blackthorn.programs.server.settings.outbound import read_smarthost
from blackthorn.programs.server.zone.setup import policy_setup
from blackthorn.server.accounts.admission import Admissions
from blackthorn.server.accounts.enrolment import EnrolmentService
from blackthorn.server.accounts.recovery import RecoveryService
from blackthorn.server.budgets.budgets import Budget, Budgets
from blackthorn.server.counters import Counters
from blackthorn.server.enterprise import EnterpriseCache
from blackthorn.server.handlers.decisions import DecisionHandler
from blackthorn.server.handlers.directory import DirectoryHandler, pushed
from blackthorn.server.handlers.dispatcher import Dispatcher
from blackthorn.server.handlers.enrolment import EnrolmentHandler
from blackthorn.server.handlers.exits import ExitHandler
from blackthorn.server.handlers.mail.mailbox import MailHandler, announcing
from blackthorn.server.handlers.mail.passwords import AppPasswordHandler
from blackthorn.server.handlers.mail.submission import SubmissionHandler
from blackthorn.server.handlers.notices import NoticeHandler, notifying
from blackthorn.server.handlers.pairing import PairingHandler
from blackthorn.server.handlers.productions import ProductionHandler
from blackthorn.server.handlers.recovery import RecoveryHandler
from blackthorn.server.handlers.throttle import Throttle
from blackthorn.server.ledger.chains import DevicesChanged
from blackthorn.server.ledger.lookups import Lookups
from blackthorn.server.mail.pieces import PieceWriter
from blackthorn.server.mail.quota import MailQuota
from blackthorn.server.mail.recipient_policy import RecipientPolicy
from blackthorn.server.mail.recipients import Recipients
from blackthorn.server.mail.service import DiskRoom, MailService
from blackthorn.server.markets.notices import Notices
from blackthorn.server.outbound.passwords import AppPasswords
from blackthorn.storage.files.market_keys import KeyFolder
from blackthorn.storage.files.server import ServerFolder
from blackthorn.storage.files.throttled import stopped
from blackthorn.storage.sqlite.database import Database
from blackthorn.storage.sqlite.engine import HostReader
from blackthorn.storage.sqlite.reader import ThreadReader
from blackthorn.storage.sqlite.wrapping import Wrapping
from blackthorn.storage.sqlite.writer import ThreadWriter

TRY_SECONDS = 0.05
"""Period in which activation tries that wait are looked at."""

GAG_SECONDS = 5
"""Period of the check for ended gags."""


class SystemClock:
    """`ports.clock.Clock` of the machine."""

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()


class Server:
    """One running server."""

    def __init__(
        self,
        folder: ServerFolder,
        settings: Configuration,
        database: Database,
        market_keys: KeyFolder,
        wrapping: Wrapping,
        writer: ThreadWriter,
        reader: ThreadReader,
        tls: ServerTls,
        counters: Counters,
    ) -> None:
        self.counters = counters
        self.tasks = Supervisor(counters)
        self._settings = settings
        self._folder = folder
        self.budgets = Budgets(settings.budgets.rates())
        self._database = database
        self._writer = writer
        self._reader = reader
        self._clock = SystemClock()
        self._lines = LineLimit()
        self._cache = EnterpriseCache(reader)
        self.mail_service = self._make_mail_service()
        self.certificate = PublicCertificate(
            settings.tls, settings.enterprise.domain, folder.path, counters
        )
        self.ledger = self._make_ledger(folder)
        ledger = self.ledger.ledger
        self.exits = make_rules(database, lambda: self.decisions)
        enterprise = settings.enterprise
        self._recipient_policy = RecipientPolicy(
            enterprise.domain, self._cache, self._clock, self.exits, enterprise.postmaster
        )
        self._recipients = Recipients(self._recipient_policy, reader)
        self.outbound = self._make_outbound()
        self._passwords = AppPasswords(
            writer=writer, reader=reader, clock=self._clock, enterprise=self._cache
        )
        self.decisions = make_decision_service(
            ledger, self._cache, writer, reader, self._clock, settings.directives.max_accounts
        )
        self.notices = Notices(
            decisions=self.decisions,
            writer=writer,
            reader=reader,
            clock=self._clock,
            domain=enterprise.domain,
            postmaster=bool(enterprise.postmaster),
            notify=notifying(self._notify),
        )
        self.closures = make_closures(
            database=folder.database,
            folder=folder.closures,
            keys=market_keys,
            ledger=self.ledger.keys,
            decisions=self.decisions,
            writer=writer,
            reader=reader,
            clock=self._clock,
            apart=Apart(self.tasks),
        )
        self.dispatcher = self._make_dispatcher(
            database, wrapping, folder, self._make_enrolment(tls)
        )
        self.health = self._make_health(folder)
        self.decisions.on_decision.append(self._exit_changed)

    def _make_mail_service(self) -> MailService:
        smtp, reader = self._settings.smtp, self._reader
        return MailService(
            pieces=PieceWriter(writer=self._writer, random=secrets.token_bytes),
            reader=reader,
            clock=self._clock,
            counters=self.counters,
            arrived=announcing(self._notify),
            quota=MailQuota(reader, self._clock, smtp.mailbox_mib, smtp.mailbox_mib_per_hour),
        )

    def _make_outbound(self) -> OutboundMail:
        return OutboundMail(
            self._settings.outbound,
            self._recipients,
            self.mail_service,
            self._writer,
            self._reader,
            self._clock,
            self.counters,
        )

    def _make_openpgp(self) -> Certificates:
        domain, resolver = self._settings.enterprise.domain, lambda: self.resolver
        return Certificates(domain, self._cache, self.exits, self._clock, self.tasks, resolver)

    def _make_health(self, folder: ServerFolder) -> Health:
        floor = self._settings.ops.min_free_disk_mib
        return Health(
            folder,
            self._writer,
            self._reader,
            self.counters,
            self.ledger,
            self._recipient_policy,
            floor,
            max(floor, self._settings.smtp.min_free_disk_mib),
            (self.decisions.problems, self.closures.problems),
            self.certificate,
            self.outbound.warnings,
        )

    def _make_ledger(self, folder: ServerFolder) -> ServerLedger:
        return ServerLedger(
            folder.ledger,
            self._settings,
            HostReader(self._database),
            self._writer,
            self._reader,
            self.counters,
            self._clock,
            leaf_changed=lambda address: self._notify(address, LeafChanged()),
            published_epoch=lambda changes: self.dispatcher.push(pushed(changes)),
            changed=self._user_changed,
            tasks=self.tasks,
        )

    def _make_enrolment(self, tls: ServerTls) -> EnrolmentHandler:
        ledger = self.ledger.ledger
        enrolment = EnrolmentService(
            writer=self._writer,
            reader=self._reader,
            enterprise=self._cache,
            ledger=ledger,
            admissions=Admissions(
                ledger, self.ledger.keys.enrolment, self.ledger.keys.vrf, secrets.token_bytes
            ),
            counters=self.counters,
            clock=self._clock,
            warn=self._warn,
            random=secrets.token_bytes,
            exits=self.exits,
        )
        self._tries = enrolment.queue
        return EnrolmentHandler(enrolment, tls.fingerprint, secrets.token_bytes)

    def _make_dispatcher(
        self,
        database: Database,
        wrapping: Wrapping,
        folder: ServerFolder,
        enrolment: EnrolmentHandler,
    ) -> Dispatcher:
        ledger = self.ledger.ledger
        self.openpgp = self._make_openpgp()
        return Dispatcher(
            enterprise=self._cache,
            writer=self._writer,
            reader=self._reader,
            counters=self.counters,
            mail_service=MailHandler(
                self.mail_service, self._cache, self.counters, self.openpgp.asked
            ),
            submission=SubmissionHandler(self.outbound.submissions, self._cache),
            enrolment=enrolment,
            ledger=DirectoryHandler(ledger, Lookups(ledger, self._reader), self._clock),
            pairing=PairingHandler(),
            passwords=AppPasswordHandler(self._passwords, self._cache),
            recovery=RecoveryHandler(RecoveryService(ledger, self._clock, self.exits)),
            decisions=DecisionHandler(self.decisions),
            productions=ProductionHandler(
                PackageMaker(
                    self.decisions,
                    ledger,
                    self.ledger.keys,
                    folder.productions,
                    folder.database,
                    wrapping,
                    self.tasks,
                )
            ),
            closures=ExitHandler(self.closures, self.decisions),
            exits=self.exits,
            notices=NoticeHandler(self.notices),
            throttle=Throttle(self.budgets, self.counters, self._throttled),
        )

    def _user_changed(self, change: DevicesChanged) -> None:
        self._cache.forget(change.address)
        self.dispatcher.user_changed(change)

    def _exit_changed(self, case: Case, step: Step) -> None:
        self.exits.decided(case, step)
        if case.id[0] == "X":
            self.dispatcher.exit_changed()

    def _warn(self, event: str) -> None:
        """Log a warning with the count of refusals, at most one of a kind a minute."""
        if self._lines.due(event):
            structlog.get_logger().warning(event, refused=self.counters.activations_refused)

    def _throttled(self, device: DeviceId, budget: Budget) -> None:
        """Log which device was told to wait; in a minute one of those with the same first byte."""
        if self._lines.due(("throttled", budget, device[0])):
            logger = structlog.get_logger()
            logger.warning("device_throttled", device=device.hex(), budget=str(budget))

    def _notify(self, address: Address, frame: AnyFrame) -> None:
        self.dispatcher.notify_user(address, frame)

    @cached_property
    def resolver(self) -> DnsResolver:
        """The domain name system. Raises ConfigError."""
        return DnsResolver(self._settings.dns.addresses())

    def make_gateway(self, pool: SealingPool) -> MailGateway:
        """What takes all mail that is to be sealed. Raises ConfigError."""
        return MailGateway(
            *(self._recipient_policy, self.mail_service, pool, self._clock, self.counters),
            notice_signer(Secret(self._folder.key.read_bytes())),
            make_judging(self._settings, pool, self.resolver),
            self._recipients,
        )

    def listen_smtp(
        self, stack: AsyncExitStack, gateway: MailGateway, tls: ssl.SSLContext, gate: Gate
    ) -> SmtpListening:
        """Take mail from outside until the stack ends. Raises UnavailableError, ConfigError."""
        traces = keep_traces(self.tasks, self._writer, self.counters, self._clock)
        return listen_smtp(stack, gateway, traces, self._settings, tls, gate)

    def start_decision_service(self) -> None:
        """Replay the decisions; start their ticks and that of activation tries.

        Raises StorageError.
        """
        self.decisions.start(HostReader(self._database))
        self.exits.renew()
        self.tasks.every(
            TRY_SECONDS, "activation tries", lambda: self._tries.tick(self._clock.monotonic())
        )
        self.tasks.every(GAG_SECONDS, "decisions", self.decisions.tick)
        self.tasks.every(IDLE_SECONDS, "closures", lambda: closing_step(self.closures))

    def start_notices(self, gateway: MailGateway) -> None:
        """Resume notices. Raises StorageError."""

        def failed() -> None:
            self.counters.storage_failures += 1

        self.notices.start(HostReader(self._database))
        delivery = NoticeDelivery(self.notices, gateway, self._cache, self._writer, failed)
        self.tasks.keep("notices", delivery.notify_and_wait)

    async def start_outbound(self, stack: AsyncExitStack, gateway: MailGateway) -> None:
        """Deliver the queue until the stack ends. Raises UserError, StorageError."""
        domain = self._settings.enterprise.domain
        await self.outbound.start(
            stack,
            self.tasks,
            gateway,
            self._cache,
            self.resolver,
            read_smarthost(self._folder.path, self._settings.outbound),
            self._settings.tls.host_name or domain,
            DkimSigning(folder=self._folder.dkim, domain=domain, clock=self._clock),
        )

    def pages(self) -> list[BaseRoute]:
        """What HTTPS serves beside the ledger: certificates of users, the MTA-STS policy."""
        settings = self._settings
        own = policy_setup(settings.enterprise.domain, settings.tls, settings.mta_sts)
        return [*self.openpgp.pages(), *mta_sts_routes(policy_text(own))]

    def start_submission(
        self,
        stack: AsyncExitStack,
        gateway: MailGateway,
        tls: ssl.SSLContext,
        gate: Gate,
        memory: MailMemory,
    ) -> dict[str, int]:
        """Listen for mail programs if the settings say so; the ports. Raises UnavailableError."""
        settings = self._settings.submission
        if not settings.host:
            return {}
        host_name = self._settings.tls.host_name or self._settings.enterprise.domain
        policy = self.outbound.policy(settings, host_name, self._passwords, gateway)
        plain, secured = serve_submission(stack, policy, settings, tls, gate, memory)
        return {"submission_port": plain, "submission_tls_port": secured}

    def watch_throttled(self) -> None:
        """Take note of the devices that the administrator has stopped."""
        self.budgets.shut = stopped(self._folder)

    def watch_disk(self) -> None:
        """Refuse work while the disk is nearly full, but for deletions.

        Mail, which strangers send, stops before messages do. Raises DiskError.
        """
        self.dispatcher.disk_is_short(self.health.disk_is_short())
        self.mail_service.room = DiskRoom(self.health.mail_room())
