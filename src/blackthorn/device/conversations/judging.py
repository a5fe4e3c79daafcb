"""The judgement of noted changes, without storage: what is trusted, and what must be undone.

A Commit is merged by its bytes alone. What it added and removed is *noted* until it is trusted:

- A lookup begun after the reading shows the committer of the first noted Commit live.
- A message sealed after it comes from a device that was a member before anything was noted (the
  *base tree*), that committed nothing of what is noted, and that a lookup begun after the message
  came shows live. Honest devices look up before they seal, and MLS signs the whole history.
- It changed nothing but what its device may: live devices of users who were members before, added,
  and devices removed that are not live.

An added device counts as its user's only once its own lookup shows it live.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field

import msgspec
from msgspec import Struct

from blackthorn.device.conversations.limits import MAX_NOTED_COMMITS
from blackthorn.device.core.members import Identity

Seen = Callable[[Identity, int], bool | None]
"""Whether a lookup begun after that moment shows the device live; None: there was no such lookup.
"""

Dated = tuple[Identity, int]
"""A device, and the moment (`device.core.moments`) at which something of it was read."""


class Change(Struct, frozen=True):
    """What one Commit changed, or several whose judgement is one.

    `epoch` is the epoch that it began, `moment` that of its reading; `heard` are the senders of
    messages sealed in that epoch or a later one.
    """

    epoch: int
    moment: int
    committers: list[Identity]
    added: list[Identity]
    removed: list[Identity]
    heard: list[Dated] = []

    def joined(self, later: "Change") -> "Change":
        """Both as one, for which every committer must answer."""
        removed = {gone for gone in later.removed if gone not in self.added}
        stay = [member for member in self.added if member not in later.removed]
        return Change(
            later.epoch,
            later.moment,
            list(dict.fromkeys([*self.committers, *later.committers])),
            list(dict.fromkeys([*stay, *later.added])),
            list(dict.fromkeys([*self.removed, *sorted(removed, key=_order)])),
        )


class Notes(Struct, frozen=True):
    """What is noted in one conversation, oldest first.

    `leaves` are added devices that no lookup has shown live. `inviter` is the former device whose
    Welcome brought this one here; `guests` are devices of its user that were heard since.
    `settled_ms` is when a Commit was last wished for that ends it all, Unix milliseconds.
    """

    changes: list[Change] = []
    leaves: list[Dated] = []
    inviter: Identity | None = None
    guests: list[Dated] = []
    settled_ms: int = 0

    def with_change(self, change: Change) -> "Notes":
        """The same and one more Commit; the newest are one if there are many."""
        changes = [*self.changes, change]
        if len(changes) > MAX_NOTED_COMMITS:
            changes = [*changes[:-2], changes[-2].joined(changes[-1])]
        known = [(leaf, moment) for leaf, moment in self.leaves if leaf not in change.added]
        new = [(member, change.moment) for member in change.added]
        return msgspec.structs.replace(self, changes=changes, leaves=[*known, *new])

    def from_beginning(self) -> "Notes":
        """The same for a group of the same members that has begun: nothing was heard there yet."""
        changes = [msgspec.structs.replace(one, epoch=0, heard=[]) for one in self.changes]
        return msgspec.structs.replace(self, changes=changes, guests=[])

    def with_heard(self, sender: Identity, epoch: int, moment: int) -> "Notes":
        """The same after a message of that device, sealed in that epoch."""
        changes, guests, inviter = list(self.changes), self.guests, self.inviter
        if inviter is not None and sender.address == inviter.address and sender != inviter:
            guests = _dated(guests, sender, moment)
        places = [place for place, change in enumerate(changes) if change.epoch <= epoch]
        for place in places[-1:]:
            heard = _dated(changes[place].heard, sender, moment)
            changes[place] = msgspec.structs.replace(changes[place], heard=heard)
        return msgspec.structs.replace(self, changes=changes, guests=guests)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What remains noted, and what follows from it.

    `out` must leave the group and `back` be members again before anything is sealed; `unlisted` of
    those in `out` are of no known user. `lost` are users who were removed wholly. `confirmed` are
    changes that a member's message ended, beside that member. `ask` are the users to look up
    first, and the moment after which.
    """

    notes: Notes
    out: list[Identity] = field(default_factory=list)
    unlisted: list[Identity] = field(default_factory=list)
    back: list[Identity] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    confirmed: list[tuple[Change, Identity]] = field(default_factory=list)
    ask: dict[str, int] = field(default_factory=dict)

    @property
    def noted(self) -> bool:
        """Whether changes are noted; an inviter alone is none."""
        return bool(self.notes.changes or self.notes.leaves)


def _order(identity: Identity) -> tuple[str, bytes]:
    return (identity.address, identity.device)


def _dated(known: list[Dated], sender: Identity, moment: int) -> list[Dated]:
    if any(sender == other for other, _ in known):
        return known
    return [*known, (sender, moment)]


def _before(changes: Sequence[Change], tree: Collection[Identity]) -> set[Identity]:
    """The tree before these changes, of which `tree` is the result."""
    members = set(tree)
    for change in reversed(changes):
        members = (members - set(change.added)) | set(change.removed)
    return members


def _through(changes: Sequence[Change], tree: Collection[Identity]) -> set[Identity]:
    """The members of the base tree whose users had a device in every tree since."""
    base = members = _before(changes, tree)
    users = {member.address for member in base}
    for change in changes:
        members = (members - set(change.removed)) | set(change.added)
        users &= {member.address for member in members}
    return {member for member in base if member.address in users}


def judge(notes: Notes, tree: Collection[Identity], seen: Seen) -> Judgement:
    """Judge all notes of a conversation whose members are now `tree`."""
    leaves = [
        (leaf, moment)
        for leaf, moment in notes.leaves
        if leaf in tree and seen(leaf, moment) is not True
    ]
    waiting = {leaf for leaf, _ in leaves}
    changes, confirmed = list(notes.changes), []
    while changes:
        count, witness = _trusted(changes, tree, waiting, seen)
        if not count:
            break
        if witness is not None:
            confirmed += [(change, witness) for change in changes[:count]]
        changes = changes[count:]
    base = _before(changes, tree)
    stayed = _through(changes, tree)
    users = {member.address for member in stayed}
    kept = base - {gone for change in changes for gone in change.removed}
    strangers = {m for m in set(tree) - kept if m.address not in users}
    out = waiting | strangers
    missing = [
        (gone, change.moment)
        for change in changes
        for gone in change.removed
        if gone in base and gone not in tree and seen(gone, change.moment) is not False
    ]
    if not strangers and not missing:
        changes = []
    staying = {member.address for member in set(tree) - out}
    back = {gone for gone, moment in missing if gone.address in staying and seen(gone, moment)}
    guests = _unheard(notes, seen)
    inviter = notes.inviter if guests is not None else None
    left = msgspec.structs.replace(
        notes, changes=changes, leaves=leaves, inviter=inviter, guests=guests or []
    )
    return Judgement(
        left,
        sorted(out, key=_order),
        [leaf for leaf, moment in leaves if seen(leaf, moment) is False],
        sorted(back, key=_order),
        sorted({gone.address for gone, _ in missing} - staying),
        confirmed,
        to_ask(left, seen),
    )


def to_ask(notes: Notes, seen: Seen) -> dict[str, int]:
    """The users whose lookups decide what is noted, and the moment after which to begin them."""
    asked: dict[str, int] = {}
    for identity, moment in _concerned(notes):
        if seen(identity, moment) is None:
            asked[identity.address] = max(moment, asked.get(identity.address, 0))
    return asked


def _concerned(notes: Notes) -> Iterable[Dated]:
    yield from notes.leaves
    yield from notes.guests
    for change in notes.changes:
        yield from change.heard
        for identity in (*change.committers, *change.removed):
            yield identity, change.moment


def _trusted(
    changes: Sequence[Change], tree: Collection[Identity], waiting: set[Identity], seen: Seen
) -> tuple[int, Identity | None]:
    """How many of the first changes are trusted now, and the member whose message says so."""
    base = _before(changes, tree)
    for place in range(len(changes), 0, -1):
        noted = {
            one
            for change in changes[:place]
            for one in (*change.committers, *change.added, *change.removed)
        }
        for sender, moment in changes[place - 1].heard:
            if sender in base and sender not in noted and seen(sender, moment):
                return place, sender
    first, users = changes[0], {member.address for member in base}
    if all(seen(committer, first.moment) for committer in first.committers):
        return 1, None
    added_rightly = all(member.address in users and member not in waiting for member in first.added)
    removed_rightly = all(seen(gone, first.moment) is False for gone in first.removed)
    return int(added_rightly and removed_rightly), None


def _unheard(notes: Notes, seen: Seen) -> list[Dated] | None:
    """The guests that were not shown live; None once one was, or without a former inviter."""
    if notes.inviter is None or any(seen(guest, moment) for guest, moment in notes.guests):
        return None
    return [(guest, moment) for guest, moment in notes.guests if seen(guest, moment) is None]
