"""The past: who gets a text after a device's owner has revoked it.

Devices are bits. A Commit is its place in the tree of Commits, its committer and what it changes;
`live` is what the ledger showed at that moment, which no device sees. The
server is hostile: it delivers any Commit to anybody who can open it, in any branch, and denies
lookups as it likes; a lookup that succeeds shows the ledger as it is.

Broken is: a text of an honest device that a live device gets which nobody entitled ever added
("leak"), and a live device of the owner that an honest one removes ("expelled").
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

ROOT = -1
R, B, P, L, K, N, M, E = (1 << bit for bit in range(8))
"""The reader, another member, the owner's phone, their laptop and second stolen device, a device
linked later, and two accomplices with accounts of their own."""

NAMES = "rbplknme"
USER = {R: "r", B: "b", P: "u", L: "u", K: "k", N: "u", M: "m", E: "e"}


@cache
def bits(devices: int) -> tuple[int, ...]:
    return tuple(1 << bit for bit in range(8) if devices >> bit & 1)


@cache
def names(devices: int) -> str:
    return "".join(NAMES[one.bit_length() - 1] for one in bits(devices)) or "nobody"


USERS = {user: sum(one for one, whose in USER.items() if whose == user) for user in USER.values()}


@cache
def users(devices: int) -> int:
    """All devices of the users of these."""
    return sum(user for user in USERS.values() if user & devices)


@dataclass(frozen=True)
class Rules:
    """The rules of the design, each with the simpler ones that were seen to fail."""

    noted: bool = True
    """H3: changes by a former device are noted at all."""
    chain: bool = True
    """H3: so are those of any Commit merged while UNCONFIRMED."""
    confirmed_by: str = "device"
    """H4: by a "device" of the base tree, or any device of a "user" in it."""
    confirmed_late: bool = True
    """H4: the lookup that shows it live comes after the message."""
    concerned: bool = True
    """H4: and not by one that a noted Commit added or removed."""
    owners: str = "present"
    """H3's exception, for users in the "base" tree, for those who were never out of it since
    ("present"), or "none"."""
    unasked: str = "wait"
    """Without a lookup, additions for users of the base tree go "out", or the text waits."""


class Commit(NamedTuple):
    parent: int
    committer: int
    live: int
    """Which of its devices were live in the ledger when it was made."""
    adds: int
    removes: int
    tree: int
    """After it."""
    hostile: bool


class View(NamedTuple):
    """What one honest device has merged: `base` and `head` are Commits of one branch."""

    head: int
    base: int
    heard: int = 0
    """Who spoke in the epoch of `head`, and was not looked up since."""
    known: int = 0
    """The ledger at the last lookup, for the rule that takes it for a later message."""
    out: bool = False


class State(NamedTuple):
    listed: int
    """Devices that are live in the ledger."""
    commits: tuple[Commit, ...]
    texts: frozenset[tuple[int, int, bool]]
    """(head, sender, live at that moment)."""
    views: tuple[View, ...]
    former: int = 0
    wrong: str = ""


class Settlement(NamedTuple):
    """Who goes out and who comes back before anything is sealed; `waits`: after a lookup."""

    outs: int
    backs: int
    waits: bool = False


@dataclass(frozen=True)
class World:
    """Where a search begins, and how far everybody goes."""

    base: int
    honest: int
    hostile: int
    may_revoke: int
    listed: int
    may_link: int = 0
    guests: int = 0
    removable: int = 0
    """Whom hostile Commits add, and whom they remove."""
    dismisses: tuple[int, int] = (0, 0)
    """An honest device that dismisses another's user once."""
    hostile_commits: int = 3
    honest_commits: int = 2
    hostile_texts: int = 2
    lookups_denied: bool = False
    """Honest devices may seal without a lookup."""


class Past:
    """The model of one world under some rules."""

    def __init__(self, world: World, rules: Rules | None = None) -> None:
        self.world, self.rules = world, rules or Rules()
        self.devices = bits(world.honest)

    def initial(self) -> State:
        world = self.world
        views = tuple(View(ROOT, ROOT, known=self._known(world.listed)) for _ in self.devices)
        return State(world.listed, (), frozenset(), views)

    def broken(self, state: State) -> str:
        return state.wrong

    def canonical(self, state: State) -> State:
        """Commits in the order of their branches, not of the moments at which they were made."""
        if len(state.commits) < 2:
            return state
        paths: list[tuple[tuple[int | bool, ...], ...]] = []
        for commit in state.commits:
            before = paths[commit.parent] if commit.parent != ROOT else ()
            paths.append((*before, commit[1:]))
        order = sorted(range(len(paths)), key=lambda one: (len(paths[one]), paths[one]))
        new = {old: place for place, old in enumerate(order)} | {ROOT: ROOT}
        commits = tuple(
            state.commits[old]._replace(parent=new[state.commits[old].parent]) for old in order
        )
        texts = frozenset((new[head], sender, live) for head, sender, live in state.texts)
        views = tuple(one._replace(head=new[one.head], base=new[one.base]) for one in state.views)
        return state._replace(commits=commits, texts=texts, views=views)

    # --- What everybody sees ---

    def tree(self, state: State, head: int) -> int:
        return self.world.base if head == ROOT else state.commits[head].tree

    def branch(self, state: State, base: int, head: int) -> list[int]:
        """The Commits after `base` up to `head`, oldest first."""
        path: list[int] = []
        while head != base:
            path.append(head)
            head = state.commits[head].parent
        return path[::-1]

    # --- The rules of one device ---

    def noted(self, state: State, view: View, *, looked: bool) -> list[tuple[int, int, int]]:
        """(Commit, its noted additions, its noted removals), by the ledger if `looked`."""
        rows: list[tuple[int, int, int]] = []
        base = self.tree(state, view.base)
        present = users(base)
        for place in self.branch(state, view.base, view.head):
            commit = state.commits[place]
            adds, rules = commit.adds, self.rules
            if not rules.noted or not self._suspected(state, view, rows, place, looked):
                rows.append((place, 0, 0))
            else:
                if looked and rules.owners != "none":
                    kin = users(base) if rules.owners == "base" else present
                    adds &= ~(state.listed & kin)
                rows.append((place, adds, commit.removes))
            present &= users(commit.tree)  # who was wholly out and comes back is noted
        return rows

    def _suspected(
        self,
        state: State,
        view: View,
        rows: list[tuple[int, int, int]],
        place: int,
        looked: bool,
    ) -> bool:
        commit = state.commits[place]
        if self.rules.chain and any(adds or removes for _, adds, removes in rows):
            return True
        return not (looked and commit.committer & state.listed)

    def judged(self, state: State, view: View) -> View:
        """The view after a lookup: what it no longer notes joins the base tree (H3, H4)."""
        moved = True
        while moved and view.base != view.head:
            place, adds, removes = self.noted(state, view, looked=True)[0]
            confirmed = place if not adds and not removes else self._confirmed(state, view)
            moved = confirmed is not None
            view = view if confirmed is None else view._replace(base=confirmed)
        return view._replace(heard=0, known=self._known(state.listed))

    def _known(self, listed: int) -> int:
        return 0 if self.rules.confirmed_late else listed

    def _confirmed(self, state: State, view: View) -> int | None:
        """The last Commit that a live device of the base tree has confirmed (H4)."""
        base = self.tree(state, view.base)
        confirming = state.listed & (users(base) if self.rules.confirmed_by == "user" else base)
        last: int | None = None
        before = ROOT
        for place in self.branch(state, view.base, view.head):
            commit = state.commits[place]
            if before != ROOT and commit.committer & confirming:
                last = place
            confirming &= ~self._touched(commit)
            before = place
        return view.head if view.heard & confirming else last

    def _touched(self, commit: Commit) -> int:
        """Who cannot confirm this noted Commit: its committer, and whom it concerns."""
        concerned = commit.adds | commit.removes if self.rules.concerned else 0
        return commit.committer | concerned

    def settles(self, state: State, view: View, *, looked: bool) -> Settlement | None:
        """H3's Commit; None: nothing is noted."""
        rows = self.noted(state, view, looked=looked)
        added = removed = 0
        for _, adds, removes in rows:
            added, removed = added | adds, removed | removes
        if not added and not removed:
            return None
        if looked:
            return Settlement(added, removed & state.listed & ~added)
        kin = added & users(self.tree(state, view.base)) & self.tree(state, view.head)
        return Settlement(added, 0, waits=bool(kin) and self.rules.unasked == "wait")

    # --- Steps ---

    def steps(self, state: State) -> Iterator[tuple[str, State]]:
        if state.wrong:
            return
        yield from self._ledger(state)
        for number, device in enumerate(self.devices):
            view = state.views[number]
            if not view.out:
                yield from self._hostile(state, number, view)
                yield from self._deliver(state, number, device, view)
                yield from self._act(state, number, device, view)

    def _ledger(self, state: State) -> Iterator[tuple[str, State]]:
        for one in bits(self.world.may_revoke & state.listed):
            yield (
                f"{names(one)} is revoked",
                state._replace(listed=state.listed & ~one, former=state.former | one),
            )
        for one in bits(self.world.may_link & ~state.listed & ~state.former):
            if L & state.listed:  # as its owner, or the thief, links it by the laptop
                yield f"{names(one)} is linked", state._replace(listed=state.listed | one)

    def _hostile(self, state: State, number: int, view: View) -> Iterator[tuple[str, State]]:
        """What a hostile device makes now and hands to this one.

        Made earlier and withheld, it would be judged alike: by the lookup after the reading.
        """
        world, parent = self.world, view.head
        made = sum(commit.hostile for commit in state.commits)
        said = sum(1 for _, sender, _ in state.texts if sender & world.hostile)
        tree = self.tree(state, parent)
        for one in bits(tree & world.hostile):
            if made < world.hostile_commits:
                changes = [(adds, 0) for adds in bits((world.guests | self._linked(state)) & ~tree)]
                changes += [(0, removes) for removes in bits(tree & ~one & world.removable)]
                for adds, removes in changes:
                    posted, place = self._made(state, parent, one, adds, removes)
                    what = f"{names(one)} commits {place}: +{names(adds)} -{names(removes)}"
                    yield what, self._read(posted, number, view, place)
            text = (parent, one, bool(one & state.listed))
            if said < world.hostile_texts and parent != view.base and text not in state.texts:
                posted = state._replace(texts=state.texts | {text})
                yield f"{names(one)} writes after {parent}", self._heard(posted, number, view, one)

    def _linked(self, state: State) -> int:
        return self.world.may_link & state.listed

    def _made(
        self, state: State, parent: int, committer: int, adds: int, removes: int
    ) -> tuple[State, int]:
        """The state with that Commit, and its place."""
        live, tree = state.listed & (committer | adds), self.tree(state, parent) & ~removes | adds
        hostile = bool(committer & self.world.hostile)
        commit = Commit(parent, committer, live, adds, removes, tree, hostile)
        if commit in state.commits:
            return state, state.commits.index(commit)
        return state._replace(commits=(*state.commits, commit)), len(state.commits)

    def _seen(self, state: State, number: int, view: View) -> State:
        views = list(state.views)
        views[number] = view
        return state._replace(views=tuple(views))

    def _deliver(
        self, state: State, number: int, device: int, view: View
    ) -> Iterator[tuple[str, State]]:
        for place, commit in enumerate(state.commits):
            if commit.parent == view.head and commit.committer != device:
                what = f"{names(device)} reads Commit {place}"
                yield what, self._read(state, number, view, place)
        for head, sender, _ in state.texts:
            if head == view.head and sender != device and not sender & view.heard:
                what = f"{names(device)} reads the text of {names(sender)}"
                yield what, self._heard(state, number, view, sender)

    def _read(self, state: State, number: int, view: View, place: int) -> State:
        if not state.commits[place].tree & self.devices[number]:
            return self._seen(state, number, view._replace(out=True))
        return self._seen(state, number, view._replace(head=place, heard=0))

    def _heard(self, state: State, number: int, view: View, sender: int) -> State:
        opened = view._replace(heard=view.heard | sender)
        if sender & view.known and view.head != view.base:
            opened = self._confirmed_at_once(state, opened)
        return self._seen(state, number, opened)

    def _confirmed_at_once(self, state: State, view: View) -> View:
        """By the lookup before the message: the simpler rule that leaks."""
        confirming = self.tree(state, view.base) & view.known & view.heard
        for place in self.branch(state, view.base, view.head):
            confirming &= ~self._touched(state.commits[place])
        return view._replace(base=view.head) if confirming else view

    def _act(
        self, state: State, number: int, device: int, view: View
    ) -> Iterator[tuple[str, State]]:
        judged = self.judged(state, view)
        if judged != view:
            yield f"{names(device)} looks up", self._seen(state, number, judged)
        if judged == view or view.head == view.base:
            yield from self._seal(state, number, device, judged, looked=judged == view)
        if self.world.lookups_denied and view.head != view.base:
            yield from self._seal(state, number, device, view, looked=False)

    def _seal(
        self, state: State, number: int, device: int, view: View, *, looked: bool
    ) -> Iterator[tuple[str, State]]:
        """Everything that the device may seal now: H3's Commit and no other, or what it likes."""
        tree = self.tree(state, view.head)
        former = tree & ~state.listed if looked else 0
        settles = self.settles(state, view, looked=looked)
        if settles is not None:
            if settles.waits:
                return
            outs = (settles.outs | former) & tree & ~device
            backs = settles.backs & ~tree & users(tree & ~outs)
            wrong = outs & state.listed & self._owners(state, view)
            made = self._own(state, number, device, view, backs, outs)
            text = f"{names(wrong)} of the owner is expelled" if wrong else ""
            yield (
                f"{names(device)} settles: +{names(backs)} -{names(outs)}",
                made._replace(wrong=text),
            )
            return
        own = sum(not commit.hostile for commit in state.commits)
        if former:
            outs = former & ~device
            made = self._own(state, number, device, view, 0, outs)
            yield f"{names(device)} removes {names(outs)}", made
            return
        yield from self._say(state, number, device, view)
        if own < self.world.honest_commits and looked:
            who, whom = self.world.dismisses
            if device == who and whom & tree:
                made = self._own(state, number, device, view, 0, whom & tree)
                yield f"{names(device)} dismisses {names(whom)}", made

    def _owners(self, state: State, view: View) -> int:
        """Devices that nobody may expel: of users who were in the base tree and never out of it."""
        present = users(self.tree(state, view.base))
        for place in self.branch(state, view.base, view.head):
            present &= users(state.commits[place].tree)
        return present

    def _own(
        self, state: State, number: int, device: int, view: View, adds: int, outs: int
    ) -> State:
        posted, place = self._made(state, view.head, device, adds, outs)
        return self._seen(posted, number, View(place, place, known=view.known))

    def _say(
        self, state: State, number: int, device: int, view: View
    ) -> Iterator[tuple[str, State]]:
        leaked = self.tree(state, view.head) & state.listed & ~self.entitled(state, view.head)
        text = f"{names(leaked)} gets a text of {names(device)}" if leaked else ""
        said = (view.head, device, True)
        if leaked or said not in state.texts:
            made = self._seen(state, number, view)
            yield (
                f"{names(device)} writes to {names(self.tree(state, view.head))}",
                made._replace(texts=state.texts | {said}, wrong=text),
            )

    # --- The truth, which no device knows ---

    def entitled(self, state: State, head: int) -> int:
        """Whom entitled devices have made members of this branch."""
        members = self.world.base
        for place in self.branch(state, ROOT, head):
            commit = state.commits[place]
            if commit.live & commit.committer & members or self._vouched(state, place, members):
                members = members & ~commit.removes | commit.adds
            else:
                members |= commit.adds & commit.live & users(members)
        return members

    def _vouched(self, state: State, place: int, members: int) -> bool:
        """Whether an entitled device that was live then spoke after this Commit.

        Honest ones speak by the rules that are examined, so their word proves nothing here.
        """
        spoke = [(head, sender) for head, sender, live in state.texts if live]
        spoke += [(one.parent, one.committer) for one in state.commits if one.live & one.committer]
        vouching = members & self.world.hostile & ~self._touched(state.commits[place])
        return any(who & vouching and self._follows(state, head, place) for head, who in spoke)

    def _follows(self, state: State, head: int, place: int) -> bool:
        while head > place:
            head = state.commits[head].parent
        return head == place
