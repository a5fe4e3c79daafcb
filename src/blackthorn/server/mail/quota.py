"""Quota of each user's mail on the server: bytes in all, and bytes in an hour.

What a user has is read once and then counted, in memory. Notices that the server writes are counted
and never refused.
"""

from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from blackthorn.errors import UnavailableError
from blackthorn.ports.clock import Clock
from blackthorn.ports.mail import UsedByMail
from blackthorn.ports.store import Done, Reader, unless_failed
from blackthorn.server.mail import limits
from blackthorn.wire.units import MIB


class MailboxFullError(UnavailableError):
    """The user has as much mail as they may have."""


class MailboxBusyError(UnavailableError):
    """The user got as much mail in the last hour as they may."""


@dataclass(slots=True)
class _Mailbox:
    used: int
    recent: float
    """Bytes that came, less what an hour's share has worn off since."""
    at: float
    storing: int = 0
    """Mails being stored, which are in `used` already: it is not read again meanwhile."""


Taken = list[tuple[_Mailbox, int]]
"""What `MailQuota.take` counted."""


class MailQuota:
    """The quota of all users, the same for each."""

    def __init__(
        self,
        reader: Reader,
        clock: Clock,
        mebibytes: int = limits.MAILBOX_MIB,
        mebibytes_per_hour: int = limits.MAILBOX_MIB_PER_HOUR,
    ) -> None:
        self._reader = reader
        self._clock = clock
        self.bytes = mebibytes * MIB
        self._per_hour = mebibytes_per_hour * MIB
        self._mailboxes: OrderedDict[int, _Mailbox] = OrderedDict()

    def used(self, user: int, done: Done[int]) -> None:
        """Bytes of mail of the user of row `user`."""
        self._load(user, unless_failed(done, lambda mailbox: done(mailbox.used)))

    def check(self, user: int, size: int, done: Done[None]) -> None:
        """Whether mail of so many bytes may come.

        `done` gets MailboxFullError or MailboxBusyError otherwise.
        """

        def loaded(mailbox: _Mailbox) -> None:
            try:
                self._check(mailbox, int(size * limits.SEALED_TO_PLAIN))
            except UnavailableError as error:
                done(error)
            else:
                done(None)

        self._load(user, unless_failed(done, loaded))

    def take(self, sizes: Sequence[tuple[int, int]], *, own: bool) -> Taken:
        """Count sealed mails, users and sizes, before they are stored; all or none.

        A user may have two copies of a mail, which need room together. `own`: the server wrote
        them. Raises MailboxFullError or MailboxBusyError.
        """
        known = self._mailboxes
        taken = [(known[user], size) for user, size in sizes if user in known]
        needed = Counter[int]()
        for user, size in sizes:
            needed[user] += size
        for user in () if own else needed.keys() & known.keys():
            self._check(known[user], needed[user])
        for mailbox, size in taken:
            self._count(mailbox, size)
            mailbox.storing += 1
        return taken

    def settle(self, taken: Taken, *, stored: bool) -> None:
        """They were stored, or were not and count no more."""
        for mailbox, size in taken:
            mailbox.storing -= 1
            if not stored:
                self._count(mailbox, -size)

    def freed(self, user: int, size: int) -> None:
        """So many bytes of the user's mail were deleted."""
        mailbox = self._mailboxes.get(user)
        if mailbox is not None:
            mailbox.used = max(0, mailbox.used - size)

    def _count(self, mailbox: _Mailbox, size: int) -> None:
        self._wear_off(mailbox)
        mailbox.used += size
        mailbox.recent = max(0.0, mailbox.recent + size)

    def _load(self, user: int, done: Done[_Mailbox]) -> None:
        known = self._mailboxes.get(user)
        if known is not None:
            self._mailboxes.move_to_end(user)
            done(known)
            return

        def read(used: int) -> None:
            mailbox = self._mailboxes.setdefault(user, _Mailbox(used, 0.0, self._clock.monotonic()))
            self._forget()
            done(mailbox)

        self._reader.ask(UsedByMail(user), unless_failed(done, read))

    def _forget(self) -> None:
        """Forget the oldest beyond the limit, but none for which mail is being stored."""
        idle = (user for user, mailbox in self._mailboxes.items() if not mailbox.storing)
        for user in list(islice(idle, max(0, len(self._mailboxes) - limits.MAX_COUNTED_MAILBOXES))):
            del self._mailboxes[user]

    def _check(self, mailbox: _Mailbox, size: int) -> None:
        if mailbox.used + size > self.bytes:
            raise MailboxFullError("the user's mailbox is full; try again later")
        self._wear_off(mailbox)
        if mailbox.recent + size > self._per_hour:
            raise MailboxBusyError("the user gets too much mail at once; try again later")

    def _wear_off(self, mailbox: _Mailbox) -> None:
        now = self._clock.monotonic()
        mailbox.recent = max(0.0, mailbox.recent - (now - mailbox.at) * self._per_hour / 3_600)
        mailbox.at = now
