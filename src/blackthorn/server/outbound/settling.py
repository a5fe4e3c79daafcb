"""What becomes of a delivery after an attempt: finished, tried again later, or given up.

Failures are stored first, and reported to the sender afterwards, so that no recipient gets a mail
twice because the report could not be written.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from blackthorn.ports.outbound.carrier import Reply
from blackthorn.ports.outbound.queue import Delivery, FinishDelivery, PostponeDelivery
from blackthorn.ports.store import Command
from blackthorn.server.outbound import limits
from blackthorn.server.outbound.envelope import Envelope, Recipient, encode

HOUR_MS = 3_600_000
DROPPED = Reply(550, "5.3.0", "the administrator of this server has given the mail up")


@dataclass(frozen=True, slots=True)
class Attempt:
    """A delivery with its decoded envelope, and what an attempt has changed of it."""

    delivery: Delivery
    envelope: Envelope
    delayed: str = ""
    """What was answered last to those who wait, if the sender is to be told of the delay."""

    @property
    def finished(self) -> bool:
        return not self.envelope.recipients

    @property
    def reportable(self) -> bool:
        """Whether the sender has to be told something."""
        return bool(self.envelope.failed or self.delayed)

    def settled(self, replies: Mapping[str, Reply], now_ms: int, queue_hours: int) -> "Attempt":
        """After an attempt at the waiting recipients, by address.

        4xx is tried again, until the mail is `queue_hours` old (RFC 5321, 4.5.4.1).
        """
        delivery = self.delivery
        age_ms = now_ms - delivery.queued_ms
        later = now_ms + pause_ms(delivery.tries + 1)
        too_old = later - delivery.queued_ms > queue_hours * HOUR_MS
        left: list[Recipient] = list(self.envelope.failed)
        delayed = ""
        for recipient in self.envelope.waiting:
            reply = replies[recipient.address]
            if reply.accepted:
                continue
            if reply.final or too_old:
                left.append(recipient.fail(_final(reply.status), told(reply)))
                continue
            left.append(recipient)
            if age_ms >= limits.WARN_HOURS * HOUR_MS and not delivery.warned:
                delayed = told(reply)
        envelope = replace_recipients(self.envelope, left)
        return Attempt(replace(delivery, tries=delivery.tries + 1), envelope, delayed)

    def given_up(self, reply: Reply) -> "Attempt":
        """All who wait have failed by this final reply."""
        failed = [each.fail(reply.status, told(reply)) for each in self.envelope.waiting]
        envelope = replace_recipients(self.envelope, [*self.envelope.failed, *failed])
        return Attempt(self.delivery, envelope)

    def reported(self) -> "Attempt":
        """Once the sender is told: only those who wait are left."""
        delivery = replace(self.delivery, warned=self.delivery.warned or bool(self.delayed))
        return Attempt(delivery, replace_recipients(self.envelope, self.envelope.waiting))

    def command(self, now_ms: int) -> Command[None]:
        """The command that stores this state; the next attempt follows the usual pause."""
        number = self.delivery.number
        if self.finished:
            return FinishDelivery(number)
        tries, later = self.delivery.tries, now_ms + pause_ms(self.delivery.tries)
        envelope = encode(self.envelope)
        return PostponeDelivery(number, later, tries, self.delivery.warned, envelope)


def replace_recipients(envelope: Envelope, recipients: Sequence[Recipient]) -> Envelope:
    return Envelope(envelope.sender, tuple(recipients))


def pause_ms(tries: int) -> int:
    """The pause after so many attempts: 5 minutes, then doubling to 67."""
    doubled = limits.FIRST_RETRY_SECONDS << min(16, max(0, tries - 1))
    return 1_000 * min(limits.LAST_RETRY_SECONDS, doubled)


def told(reply: Reply) -> str:
    """A reply as the sender reads it in a report."""
    server = f"{reply.server} said: " if reply.server else ""
    return f"{server}{reply.code} {reply.status} {reply.text}"


def _final(status: str) -> str:
    """The status of a failure; 4.4.7 for what was temporary too long (RFC 3463, 3.5)."""
    return status if status.startswith("5") else "4.4.7"
