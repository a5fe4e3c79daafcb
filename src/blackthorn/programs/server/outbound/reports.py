"""Reports of failed and delayed mail: written in memory, sealed to its sender, then stored."""

from dataclasses import dataclass
from functools import partial

from blackthorn.edges.smtp.gateway import MailGateway
from blackthorn.mail.errors import MailRefusedError
from blackthorn.mail.smtp.report import Outcome, Report, outer_header, report_mail
from blackthorn.ports.clock import Clock
from blackthorn.ports.randomness import Randomness
from blackthorn.ports.store import Command, Writer
from blackthorn.ports.waiting import outcome
from blackthorn.server.counters import Counters
from blackthorn.server.enterprise import EnterpriseCache
from blackthorn.server.mail.recipient_policy import Recipient, RecipientRefusedError
from blackthorn.server.outbound.queue import queue_id
from blackthorn.server.outbound.settling import HOUR_MS, Attempt


@dataclass(frozen=True, slots=True)
class Reports:
    """Tells senders. The reports of one domain's users; others are never told anything."""

    gateway: MailGateway
    enterprise: EnterpriseCache
    writer: Writer
    clock: Clock
    random: Randomness
    counters: Counters
    queue_hours: int

    async def post(self, attempt: Attempt, content: bytes, also: Command[None]) -> bool:
        """Store the report together with `also`; False when it cannot be sealed now.

        A sender to whom nothing can be sealed is not told: then `also` alone. Raises StorageError.
        """
        to = await self._recipient(attempt)
        if to is not None:
            try:
                await self.gateway.post(to, self._mail(attempt, content), also)
            except MailRefusedError as error:
                if error.code < 500:
                    return False
            else:
                self.counters.outbound_reports += 1
                return True
        self.counters.outbound_reports_lost += 1
        await outcome(partial(self.writer.submit, also))
        return True

    async def _recipient(self, attempt: Attempt) -> Recipient | None:
        user = await outcome(partial(self.enterprise.load_user, attempt.delivery.user))
        if user is None:
            return None
        try:
            return self.gateway.recipient_policy.sealable(user)
        except RecipientRefusedError:
            return None

    def _mail(self, attempt: Attempt, content: bytes) -> bytearray:
        delivery = attempt.delivery
        outcomes = [
            Outcome(each.address, "failed", each.status, each.diagnostic)
            for each in attempt.envelope.failed
        ]
        if attempt.delayed:
            outcomes += [
                Outcome(each.address, "delayed", "4.0.0", attempt.delayed)
                for each in attempt.envelope.waiting
            ]
        report = Report(
            domain=self.gateway.recipient_policy.domain,
            to=delivery.user,
            mail_id=queue_id(delivery.mail),
            queued=delivery.queued_ms // 1_000,
            now=self.clock.wall_ms() // 1_000,
            give_up=(delivery.queued_ms + self.queue_hours * HOUR_MS) // 1_000,
            outcomes=outcomes,
            header=outer_header(content),
        )
        return report_mail(report, f"report-{self.random(12).hex()}")
