"""Composition of outbound mail: the queue and its submission, and their delivery once started."""

import asyncio
import secrets
from collections.abc import Sequence
from contextlib import AsyncExitStack

import httpx

from blackthorn.edges.outbound.carrier import Smarthost, SmtpCarrier
from blackthorn.edges.outbound.sts import StsPolicies
from blackthorn.edges.smtp.clear import ClearMail
from blackthorn.edges.smtp.gateway import MailGateway
from blackthorn.edges.smtp.submission import SubmissionPolicy
from blackthorn.ports.clock import Clock
from blackthorn.ports.dns import Resolver
from blackthorn.ports.store import Reader, Writer
from blackthorn.ports.waiting import outcome
from blackthorn.programs.periodic import Supervisor
from blackthorn.programs.server.outbound.delivery import Delivering
from blackthorn.programs.server.outbound.local import LocalMail
from blackthorn.programs.server.outbound.reports import Reports
from blackthorn.programs.server.outbound.signing import DkimSigning
from blackthorn.programs.server.outbound.submitting import ClearNotices
from blackthorn.programs.server.settings.outbound import OutboundSettings, SubmissionSettings
from blackthorn.server.counters import Counters
from blackthorn.server.enterprise import EnterpriseCache
from blackthorn.server.mail.recipients import Recipients
from blackthorn.server.mail.service import MailService
from blackthorn.server.outbound import limits
from blackthorn.server.outbound.passwords import AppPasswords
from blackthorn.server.outbound.queue import OutboundQueue
from blackthorn.server.outbound.submission import SubmissionService
from blackthorn.server.rate_limiter import Buckets


class OutboundMail:
    """Outbound mail of one server. `submissions` takes mail before delivery has started too."""

    def __init__(
        self,
        settings: OutboundSettings,
        recipients: Recipients,
        mail_service: MailService,
        writer: Writer,
        reader: Reader,
        clock: Clock,
        counters: Counters,
    ) -> None:
        self._settings = settings
        self._recipients = recipients
        self._mail = mail_service
        self._writer, self._reader = writer, reader
        self._clock, self._counters = clock, counters
        self._delivering: Delivering | None = None
        self._carrier: SmtpCarrier | None = None
        self._signing: DkimSigning | None = None
        self.queue = OutboundQueue(
            pieces=mail_service.pieces,
            reader=reader,
            clock=clock,
            random=secrets.token_bytes,
            counters=counters,
            has_room=mail_service.has_room,
            queued=self._queued,
        )
        most = settings.recipients_per_hour
        self.submissions = SubmissionService(
            queue=self.queue,
            recipients=recipients,
            spent=Buckets(most, most / 3_600, limits.MAX_COUNTED_SENDERS),
        )

    def _queued(self, domains: Sequence[str]) -> None:
        if self._delivering is not None:
            self._delivering.wake(domains)

    def warnings(self) -> list[str]:
        """What the administrator is to mend, one line each."""
        return [] if self._signing is None else self._signing.warnings()

    def policy(
        self,
        settings: SubmissionSettings,
        host_name: str,
        passwords: AppPasswords,
        gateway: MailGateway,
    ) -> SubmissionPolicy:
        """What submission by mail programs decides by, once delivery has started."""
        clear = None
        if settings.clear_outbound != "deny" and self._carrier and self._signing:
            warns = settings.clear_outbound == "warn"
            clear = ClearMail(
                self._carrier,
                self._signing.sign,
                self.submissions,
                self._counters,
                ClearNotices(gateway, self._clock).warn if warns else None,
            )
        return SubmissionPolicy(
            host_name, self._counters, self.submissions, passwords, clear, self._clock
        )

    async def start(
        self,
        stack: AsyncExitStack,
        tasks: Supervisor,
        gateway: MailGateway,
        enterprise: EnterpriseCache,
        resolver: Resolver,
        smarthost: Smarthost | None,
        own: str,
        signing: DkimSigning,
    ) -> None:
        """Deliver until the stack ends, greeting others as `own`.

        Raises StorageError, UserError.
        """
        await outcome(self.queue.count)
        await asyncio.to_thread(signing.start)
        signing.refresh()
        client = httpx.AsyncClient(follow_redirects=False, trust_env=False)
        stack.push_async_callback(client.aclose)
        hours = self._settings.queue_hours
        carrier = SmtpCarrier(
            resolver=resolver,
            policies=StsPolicies(
                resolver=resolver,
                writer=self._writer,
                reader=self._reader,
                clock=self._clock,
                client=client,
            ),
            counters=self._counters,
            own=own,
            smarthost=smarthost,
        )
        reports = Reports(
            gateway,
            enterprise,
            self._writer,
            self._clock,
            secrets.token_bytes,
            self._counters,
            hours,
        )
        delivering = Delivering(
            writer=self._writer,
            reader=self._reader,
            pieces=self._mail.pieces,
            clock=self._clock,
            counters=self._counters,
            tasks=tasks,
            carrier=carrier,
            local=LocalMail(self._recipients, self._mail),
            reports=reports,
            own_domain=self._recipients.policy.domain,
            queue_hours=hours,
            signing=signing,
        )
        self._delivering = delivering
        self._carrier, self._signing = carrier, signing
        tasks.keep("outbound queue", delivering.scan_and_rest)
