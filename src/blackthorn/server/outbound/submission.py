"""Submission: a user's own, sealed mail goes into the queue; anything else is refused.

Mail between users here is never unsealed. Local recipients get the mail as it is, by the same queue
and not over SMTP.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from blackthorn.errors import (
    BlackthornError,
    DecodeError,
    ForbiddenError,
    InputError,
    LimitError,
    UnavailableError,
)
from blackthorn.ids import Address
from blackthorn.mail.mime.scan import scan_parts
from blackthorn.mail.mime.structure import Part
from blackthorn.mail.pgp.sealed import NotSealedError, check_sealed
from blackthorn.mail.smtp.recipient import parse_author, parse_recipient
from blackthorn.ports.enterprise import UserRecord
from blackthorn.ports.store import Done, unless_failed
from blackthorn.server.mail.recipient_policy import Recipient
from blackthorn.server.mail.recipients import Recipients
from blackthorn.server.outbound import limits
from blackthorn.server.outbound.queue import OutboundQueue, Outgoing
from blackthorn.server.rate_limiter import Buckets
from blackthorn.wire.address import parse_address

HIDDEN_AUTHOR: Final = "blackthorn"
"""Who is the author outside of mail between colleagues, as of mail that the server seals."""


STANDS_FOR_OTHERS: Final = (
    "is an alias or a list, and a device seals mail to each person: write to the people themselves"
)


class NotOwnAddressError(ForbiddenError):
    """The sender, in the envelope or in From, is not the user."""


class BadRecipientError(InputError):
    """Not an address that mail can be sent to."""


class NotDirectError(BadRecipientError):
    """A device cannot seal to an address that stands for others: it does not know whom."""


class TooManyRecipientsError(UnavailableError):
    """The user wrote to as many people in the last hour as they may."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where mail for one recipient goes: `domain` in lower case; `local`: into mailboxes here.

    `direct`: not by an alias, a list, a role or the catch-all.
    """

    address: str
    domain: str
    local: bool
    direct: bool = True


@dataclass(frozen=True, slots=True)
class Submission:
    """A mail that a user's own device or program sends, as it came, without doubled dots.

    `sender` and `recipients` are the envelope's, `token` 16 random bytes that are the same when the
    mail is sent again, or b"".
    """

    user: UserRecord
    sender: str
    recipients: tuple[str, ...]
    content: bytes
    token: bytes = b""


def _buckets(per_hour: int = limits.RECIPIENTS_PER_HOUR) -> Buckets[int]:
    return Buckets(per_hour, per_hour / 3_600, limits.MAX_COUNTED_SENDERS)


@dataclass(kw_only=True, slots=True)
class SubmissionService:
    """Takes mail of this server's users. `spent` bounds their recipients in an hour."""

    queue: OutboundQueue
    recipients: Recipients
    spent: Buckets[int] = field(default_factory=_buckets)

    @property
    def domain(self) -> str:
        return self.recipients.policy.domain

    def check_sender(self, user: UserRecord, sender: str, done: Done[None]) -> None:
        """Whether the address leads to the user alone: their own, or an alias, perhaps with a +tag.

        `done` gets NotOwnAddressError otherwise, or StorageError.
        """
        refused = NotOwnAddressError(
            f"you can send mail as {user.address}, and as aliases that lead to you alone"
        )

        def found(owner: Address | None) -> None:
            done(None if owner == user.address else refused)

        try:
            address = parse_address(sender)
        except DecodeError:
            done(refused)
            return
        if address == user.address:
            done(None)
        else:
            self.recipients.sole_user(address, unless_failed(done, found))

    def check_rate(self, user: UserRecord, recipients: int) -> None:
        """Raises TooManyRecipientsError while the user has no recipients left in this hour.

        A mail that is begun before may have more than are left.
        """
        now = self.queue.clock.monotonic()
        if recipients and self.spent.wait_seconds(user.number, now) > 0:
            raise TooManyRecipientsError("too many recipients in the last hour; try again later")

    def count(self, user: UserRecord, recipients: int) -> None:
        """Count recipients of a mail that is passed on."""
        self.spent.spend(user.number, recipients, self.queue.clock.monotonic())

    def destination(self, path: str, done: Done[Destination]) -> None:
        """Where mail to an envelope address goes.

        `done` gets BadRecipientError, RecipientRefusedError for somebody who is not here, or
        StorageError.
        """
        try:
            address, domain = parse_recipient(path)
        except (DecodeError, LimitError) as error:
            done(BadRecipientError(str(error)))
            return
        if domain != self.domain:
            done(Destination(address, domain, local=False))
            return

        def found(users: tuple[Recipient, ...]) -> None:
            known = {each.user.address for each in users}
            local = address.partition("@")[0].lower()
            own = {f"{local}@{domain}"}, {f"{local.partition('+')[0]}@{domain}"}
            done(Destination(address, domain, local=True, direct=known in own))

        self.recipients.find(address, unless_failed(done, found))

    def device_destination(self, path: str, done: Done[Destination]) -> None:
        """As `destination`, of mail that a device seals to each recipient.

        `done` gets NotDirectError too, for an address that stands for others.
        """

        def found(to: Destination) -> None:
            if to.direct:
                done(to)
            else:
                done(NotDirectError(f"{to.address} {STANDS_FOR_OTHERS}"))

        self.destination(path, unless_failed(done, found))

    def find(self, user: UserRecord, token: bytes, done: Done[int | None]) -> None:
        """The queue's id of the mail that the user submitted by this token, or None."""
        self.queue.find(user, token, done)

    def accept(self, submission: Submission, done: Done[int]) -> None:
        """Check the mail and queue it; `done` gets the queue's id of it once that is durable.

        All recipients or none. Errors: NotSealedError when it can be read on its way,
        MailRefusedError for a malformed one, NotOwnAddressError, BadRecipientError,
        RecipientRefusedError for the first one who cannot get it, TooManyRecipientsError,
        StorageError, UnavailableError.
        """

        def refuse(error: BlackthornError) -> None:
            self.queue.counters.submissions_refused += not isinstance(error, NotSealedError)
            done(error)

        try:
            content, root, author = self._check(submission)
        except BlackthornError as error:
            refuse(error)
            return

        def own(answer: BlackthornError | None) -> None:
            if answer is not None:
                refuse(answer)
                return
            try:
                check_sealed(content, root)
            except BlackthornError as error:
                refuse(error)
            else:
                self._queue(submission, content, done)

        def own_sender(answer: BlackthornError | None) -> None:
            if answer is not None:
                refuse(answer)
            elif self._is_hidden(submission, author):
                own(None)
            else:
                self.check_sender(submission.user, author, own)

        self.check_sender(submission.user, submission.sender, own_sender)

    def _queue(self, submission: Submission, content: bytes, done: Done[int]) -> None:
        def resolved(destinations: list[Destination]) -> None:
            now = self.queue.clock.monotonic()
            self.spent.spend(submission.user.number, len(destinations), now)
            by_domain: dict[str, tuple[str, ...]] = {}
            for to in destinations:
                by_domain[to.domain] = (*by_domain.get(to.domain, ()), to.address)
            sent = submission.user, submission.sender
            self.queue.accept(Outgoing(*sent, by_domain, content, submission.token), done)

        find = self.device_destination if submission.token else self.destination
        paths = list(dict.fromkeys(submission.recipients))
        self._resolve(paths, find, unless_failed(done, resolved))

    def _check(self, submission: Submission) -> tuple[bytes, Part, str]:
        """The content with CRLF line ends, its parts, and the author's address.

        Raises the errors of `accept`, but for those of the sender and of unsealed mail.
        """
        if not submission.recipients:
            raise BadRecipientError("the mail has no recipient")
        if len(submission.recipients) > limits.MAX_RECIPIENTS:
            raise LimitError(f"a mail may have {limits.MAX_RECIPIENTS} recipients")
        self.check_rate(submission.user, len(submission.recipients))
        content, root = scan_parts(submission.content)
        try:
            author = parse_author(root.fields)
        except DecodeError as error:
            raise NotOwnAddressError(str(error)) from None
        return content, root, author

    def _is_hidden(self, submission: Submission, author: str) -> bool:
        """Whether a device of the user hides who writes, to colleagues alone.

        What lies in their mailboxes does not say it then; the signature inside does.
        """
        here = self.domain
        local = all(path.rpartition("@")[2].lower() == here for path in submission.recipients)
        return bool(submission.token) and local and author == f"{HIDDEN_AUTHOR}@{here}"

    def _resolve(
        self,
        paths: list[str],
        find: Callable[[str, Done[Destination]], None],
        done: Done[list[Destination]],
    ) -> None:
        """The destinations of all; the first error instead, once each was looked up."""
        answers: list[Destination | BlackthornError] = []

        def answered(answer: Destination | BlackthornError) -> None:
            answers.append(answer)
            if len(answers) == len(paths):
                errors = [each for each in answers if isinstance(each, BlackthornError)]
                found = [each for each in answers if isinstance(each, Destination)]
                done(errors[0] if errors else list(dict.fromkeys(found)))

        for path in paths:
            find(path, answered)
