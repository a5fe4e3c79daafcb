"""Fan-out lists: the devices of a fan-out id. In memory only, bounded, forgotten at any time.

Only they could tell who talks with whom: never store or log them.
"""

from array import array
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from blackthorn.ids import Address, DeviceId, FanoutId
from blackthorn.server.messaging import limits
from blackthorn.server.messaging.mailbox import Mailbox
from blackthorn.server.messaging.postings import Reason

MISSING_COST: Final = 8
"""Devices in memory that an unknown one counts as, since its whole id is kept."""


class FanoutList:
    """The mailboxes of a fan-out id, and its devices that have none, with the reason.

    `fleeting`: some are left out because of their market, which may change; the list serves one
    frame.
    """

    __slots__ = ("_sender", "_tags", "fleeting", "mailboxes", "missing", "numbers")

    def __init__(
        self,
        mailboxes: Sequence[Mailbox],
        missing: Sequence[tuple[DeviceId, Reason]],
        *,
        fleeting: bool = False,
    ) -> None:
        self.fleeting = fleeting
        self.mailboxes = tuple(mailboxes)
        self.numbers = tuple(mailbox.number for mailbox in mailboxes)
        self.missing = tuple(missing)
        self._sender: Address | None = None
        self._tags = array("H")

    def tags(self, sender: Address) -> Sequence[int]:
        """The sender's tag in each mailbox, kept for the last sender: hardly any other uses it."""
        if sender != self._sender:
            self._sender = sender
            self._tags = array("H", [mailbox.tag_of(sender) for mailbox in self.mailboxes])
        return self._tags

    @property
    def size(self) -> int:
        """Devices in memory."""
        return len(self.numbers) + len(self.missing) * MISSING_COST


class Fanouts:
    """At most MAX_FANOUTS lists of at most MAX_FANOUT_DEVICES devices; least recently used go."""

    def __init__(self) -> None:
        self._lists: OrderedDict[FanoutId, FanoutList] = OrderedDict()
        self._devices = 0

    def __len__(self) -> int:
        return len(self._lists)

    def get(self, fanout: FanoutId) -> FanoutList | None:
        """The list, or None: ask for it again."""
        found = self._lists.get(fanout)
        if found is not None:
            self._lists.move_to_end(fanout)
        return found

    def put(self, fanout: FanoutId, members: FanoutList) -> None:
        """Store the list, whose id was checked."""
        self.forget(fanout)
        self._lists[fanout] = members
        self._devices += members.size
        while len(self._lists) > limits.MAX_FANOUTS or self._devices > limits.MAX_FANOUT_DEVICES:
            _, oldest = self._lists.popitem(last=False)
            self._devices -= oldest.size

    def forget(self, fanout: FanoutId) -> None:
        gone = self._lists.pop(fanout, None)
        if gone is not None:
            self._devices -= gone.size

    def clear(self) -> None:
        """Forget all: a device was added or removed."""
        self._lists.clear()
        self._devices = 0
