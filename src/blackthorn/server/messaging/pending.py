"""Postings on their way to the disk: users are stored in turn, in groups of bounded size."""

from collections import OrderedDict, deque
from collections.abc import Sequence

from blackthorn.ids import Address
from blackthorn.link import limits as link_limits
from blackthorn.link.parcels import commit_digest
from blackthorn.ports import parcels as ports
from blackthorn.server.messaging import limits
from blackthorn.server.messaging.fanouts import FanoutList
from blackthorn.server.messaging.mailbox import DeviceConnection, Mailbox
from blackthorn.server.messaging.postings import LeftOut, Order, Posting, Reason

Refusal = tuple[Reason, str]
Ordered = list[tuple[ports.CommitPosition, ports.Parcels | None]]


class Pending:
    """A posting to store. `refusal`: refused unless it repeats a stored Commit.

    `seqs` are those of its parcels' places, assigned when its group is formed; `came` is when its
    frame came.
    """

    __slots__ = (
        "came",
        "connection",
        "id",
        "left_out",
        "missed_by",
        "parcels",
        "position",
        "refusal",
        "rows",
        "seqs",
        "size",
    )

    def __init__(
        self,
        connection: DeviceConnection,
        posting: Posting,
        came: float,
        *,
        refusal: Refusal | None = None,
        left_out: LeftOut = (),
    ) -> None:
        self.came = came
        self.connection = connection
        self.id = posting.id
        self.position = None if posting.order is None else _position(posting.order, posting)
        self.refusal = refusal
        self.left_out = left_out
        self.missed_by: Sequence[Mailbox] = ()
        self.rows = 0
        self.size = 0
        self.parcels: list[tuple[bytes, FanoutList, Sequence[int]]] = []
        """Sealed bytes, their list, and the tags of the sender in its mailboxes."""
        self.seqs: list[list[int]] = []


def numbered(group: Sequence[Pending], day: int) -> ports.StoreParcels:
    """The command that stores the group, whose parcels get their numbers."""
    free, ordered = ports.Parcels(), Ordered()
    for pending in group:
        rows, position = free, pending.position
        if position is not None:
            if pending.refusal is not None:
                ordered.append((position, None))
                continue
            digest = position.digest[: link_limits.MISSED_DIGEST_BYTES]
            missed = [(mailbox.number, digest) for mailbox in pending.missed_by]
            rows = ports.Parcels(missed=missed)
            ordered.append((position, rows))
        for sealed, members, tags in pending.parcels:
            seqs = [mailbox.next_seq() for mailbox in members.mailboxes]
            pending.seqs.append(seqs)
            if len(seqs) == 1:
                rows.single.append((members.numbers[0], seqs[0], sealed, tags[0]))
            else:
                places = list(zip(members.numbers, seqs, strict=True))
                rows.shared.append(ports.SharedParcel(sealed, places, tags))
    return ports.StoreParcels(free, ordered, day)


class FairQueue:
    """Pending postings by user; those of one user stay in order."""

    def __init__(self) -> None:
        self._users: OrderedDict[Address, deque[Pending]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._users)

    def put(self, user: Address, postings: Sequence[Pending]) -> None:
        if postings:
            self._users.setdefault(user, deque()).extend(postings)

    def group(self) -> list[Pending]:
        """The next group: some of each user, and more in further rounds while it is small."""
        group: list[Pending] = []
        rows = size = 0
        while self._users and rows < limits.GROUP_ROWS and size < limits.GROUP_BYTES:
            for _ in range(len(self._users)):
                user, queue = self._users.popitem(last=False)
                end = rows + limits.USER_GROUP_ROWS
                while queue and rows < end and size < limits.MAX_GROUP_BYTES:
                    pending = queue.popleft()
                    group.append(pending)
                    rows += pending.rows
                    size += pending.size
                if queue:
                    self._users[user] = queue
                if rows >= limits.MAX_GROUP_ROWS or size >= limits.MAX_GROUP_BYTES:
                    return group
        return group


def _position(order: Order, posting: Posting) -> ports.CommitPosition:
    """The order with the digest of the posting's Commit, which comes first."""
    digest = commit_digest([parcel.sealed for parcel in posting.parcels])
    return ports.CommitPosition(order.handle, order.epoch, order.token, digest)
