"""Fan-out lists: who is behind a fan-out id. In memory only, bounded, forgotten at will.

They are the one thing from which the server could draw who talks with whom. They must never
be stored, logged or counted by name.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from blackthorn.ids import DeviceId, FanoutId
from blackthorn.server.messaging import limits
from blackthorn.server.messaging.mailbox import Mailbox

NAMED_MISSING: Final = 8
"""Devices that do not exist, remembered by name so that a refusal can tell."""


class FanoutList:
    """The mailboxes behind a fan-out id, and the first devices of it that do not exist.

    `fleeting`: some are left out because of their market, which they may move from at any time;
    so the list serves one frame, and is told again for the next.
    """

    __slots__ = ("fleeting", "mailboxes", "missing", "numbers")

    def __init__(
        self, mailboxes: Sequence[Mailbox], missing: Sequence[DeviceId], *, fleeting: bool = False
    ) -> None:
        self.fleeting = fleeting
        self.mailboxes = tuple(mailboxes)
        self.numbers = tuple(mailbox.number for mailbox in mailboxes)
        self.missing = tuple(missing[:NAMED_MISSING])

    @property
    def size(self) -> int:
        """Devices that it keeps in memory."""
        return len(self.numbers) + len(self.missing)


class Fanouts:
    """At most MAX_FANOUTS lists of at most MAX_FANOUT_DEVICES devices; the least used go."""

    def __init__(self) -> None:
        self._lists: OrderedDict[FanoutId, FanoutList] = OrderedDict()
        self._devices = 0

    def __len__(self) -> int:
        return len(self._lists)

    def get(self, fanout: FanoutId) -> FanoutList | None:
        """The list, or None when it must be told again."""
        found = self._lists.get(fanout)
        if found is not None:
            self._lists.move_to_end(fanout)
        return found

    def put(self, fanout: FanoutId, members: FanoutList) -> None:
        """Remember the list; its id has been checked."""
        self.forget(fanout)
        self._lists[fanout] = members
        self._devices += members.size
        while len(self._lists) > limits.MAX_FANOUTS or self._devices > limits.MAX_FANOUT_DEVICES:
            _, oldest = self._lists.popitem(last=False)
            self._devices -= oldest.size

    def forget(self, fanout: FanoutId) -> None:
        """Forget one list."""
        gone = self._lists.pop(fanout, None)
        if gone is not None:
            self._devices -= gone.size

    def clear(self) -> None:
        """Forget all: some device has come or gone."""
        self._lists.clear()
        self._devices = 0
