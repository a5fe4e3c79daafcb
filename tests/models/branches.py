"""Branches and rejoining: one insider, a hostile server.

A node is an epoch of one branch: its parent, its author, the users in its tree, and who was sent
its Commit. Honest users merge what arrives; an insider makes Commits for some of them, or answers
an ask by a Welcome to a branch of their own, with a guest. The search goes through the faults; from
each state the faults then end, and the honest users heal by their rules (`healed`).

Broken is: a text to a guest whom no honest user in FOLLOWING ever took in ("leak"), or honest users
who stay apart, or out, although nothing is lost any more ("apart").
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations
from typing import NamedTuple

A, B, C, D, X = 1, 2, 4, 8, 16
NAMES = "abcdx"
FOLLOWING, ASKING, UNCONFIRMED, LEFT = "following", "asking", "unconfirmed", "left"


def bits(users: int) -> list[int]:
    return [1 << bit for bit in range(5) if users >> bit & 1]


def names(users: int) -> str:
    return "".join(NAMES[one.bit_length() - 1] for one in bits(users)) or "nobody"


def _shared(one: list[int], other: list[int]) -> int:
    """How many epochs two paths have in common."""
    return sum(a == b for a, b in zip(one, other, strict=False))


@dataclass(frozen=True)
class Rules:
    """The rules of the design, each with the simpler ones that were seen to fail."""

    told: bool = True
    """Who writes in an epoch before their removal is told by those who merged it."""
    noted: bool = True
    """Who was not in the last own tree is noted after a rejoin."""
    confirmed_by: str = "following"
    """A rejoin with somebody noted is confirmed by users in FOLLOWING, or by "any"."""
    answerer: bool = False
    """The one who re-added counts among those who confirm it."""
    authors: bool = True
    """The authors of the Commits at which two branches part do not count for either."""
    behind: bool = True
    """Who is behind on a branch counts for it."""
    keeps: bool = True
    """A rejoin that notes somebody and is not confirmed is given up for the branch before it."""


class Node(NamedTuple):
    parent: int
    author: int
    tree: int
    sent: int
    """Who gets the Commit when the server delivers again."""


class View(NamedTuple):
    at: int
    mode: str = FOLLOWING
    before: int = 0
    """The own last node before a rejoin."""
    answerer: int = 0
    known: int = 0
    """Everybody whom this user, or one who confirmed, took in by a Commit of the own branch."""


class State(NamedTuple):
    nodes: tuple[Node, ...]
    views: tuple[View, ...]
    wrong: str = ""


ROOT = 0


class Branches:
    """`users` honest ones; the insider makes at most `hostile` Commits and Welcomes."""

    def __init__(self, rules: Rules | None = None, users: int = 3, hostile: int = 2) -> None:
        self.rules, self.hostile = rules or Rules(), hostile
        self.honest = [A, B, C][:users]
        self.all = sum(self.honest) | D

    def initial(self) -> State:
        return State(
            (Node(-1, 0, self.all, self.all),), tuple(View(0, known=self.all) for _ in self.honest)
        )

    def broken(self, state: State) -> str:
        return state.wrong or self._apart(state)

    def canonical(self, state: State) -> State:
        return min(self._renamed(state, order) for order in permutations(range(len(self.honest))))

    def _renamed(self, state: State, order: tuple[int, ...]) -> State:
        """The honest users in another order, and the nodes in that of their branches."""

        def users(mask: int) -> int:
            moved = sum(1 << order[bit] for bit in range(len(order)) if mask >> bit & 1)
            return moved | mask & (D | X)

        nodes = [
            Node(node.parent, users(node.author), users(node.tree), users(node.sent))
            for node in state.nodes
        ]
        paths: list[tuple[tuple[int, ...], ...]] = []
        for node in nodes:
            before = paths[node.parent] if node.parent >= 0 else ()
            paths.append((*before, (node.author, node.tree, node.sent)))
        places = sorted(range(len(nodes)), key=lambda one: (len(paths[one]), paths[one]))
        new = {old: place for place, old in enumerate(places)} | {-1: -1}
        views = [View(0)] * len(order)
        for place, view in enumerate(state.views):
            views[order[place]] = View(
                new[view.at],
                view.mode,
                new[view.before],
                users(view.answerer),
                users(view.known),
            )
        moved = tuple(nodes[old]._replace(parent=new[nodes[old].parent]) for old in places)
        return State(moved, tuple(views), state.wrong)

    # --- The tree of branches ---

    def path(self, state: State, node: int) -> list[int]:
        found = []
        while node >= 0:
            found.append(node)
            node = state.nodes[node].parent
        return found[::-1]

    def parting(self, state: State, one: int, other: int) -> int:
        """The authors of the Commits at which two branches part."""
        first, second = self.path(state, one), self.path(state, other)
        common = _shared(first, second)
        ends = [*first[common : common + 1], *second[common : common + 1]]
        authors = 0
        for end in ends:
            authors |= state.nodes[end].author
        return authors

    # --- While faults last ---

    def steps(self, state: State) -> Iterator[tuple[str, State]]:
        if state.wrong:
            return
        yield from self._insider(state)
        for number, user in enumerate(self.honest):
            view = state.views[number]
            if view.mode == LEFT:
                continue
            yield from self._texts(state, number, user, view)
            if view.mode == FOLLOWING:
                yield f"{names(user)} asks", self._seen(state, number, view._replace(mode=ASKING))
                if self._is_free(state, view.at):
                    yield f"{names(user)} commits", self._commit(state, number, user)
            if view.mode == ASKING:
                yield from self._rejoins(state, number, user, view)
            for place, node in enumerate(state.nodes):
                if node.parent == view.at and user & node.sent:
                    yield f"{names(user)} reads {place}", self._merge(state, number, place)

    def _is_free(self, state: State, node: int) -> bool:
        """Whether the handle of that epoch is not taken; the insider's Commits are unordered."""
        return not any(one.parent == node and one.author & ~D for one in state.nodes)

    def _made(self, state: State, node: Node) -> tuple[State, int]:
        if node in state.nodes:
            return state, state.nodes.index(node)
        return state._replace(nodes=(*state.nodes, node)), len(state.nodes)

    def _seen(self, state: State, number: int, view: View) -> State:
        views = list(state.views)
        views[number] = view
        return state._replace(views=tuple(views))

    def _merge(self, state: State, number: int, place: int) -> State:
        view, node, user = state.views[number], state.nodes[place], self.honest[number]
        if not node.tree & user:
            return self._seen(state, number, view._replace(mode=LEFT))
        known = view.known | (0 if view.mode == UNCONFIRMED else node.tree)
        mode = FOLLOWING if view.mode == ASKING else view.mode
        return self._seen(state, number, view._replace(at=place, mode=mode, known=known))

    def _commit(self, state: State, number: int, user: int) -> State:
        view = state.views[number]
        tree = state.nodes[view.at].tree
        made, place = self._made(state, Node(view.at, user, tree, tree))
        return self._merge(made, number, place)

    def _insider(self, state: State) -> Iterator[tuple[str, State]]:
        if sum(node.author == D for node in state.nodes) >= self.hostile:
            return
        for parent, node in enumerate(state.nodes):
            if not node.tree & D:
                continue
            there = [
                (number, user)
                for number, user in enumerate(self.honest)
                if state.views[number].at == parent and state.views[number].mode != LEFT
            ]
            for number, user in there:  # to one; the search makes it more by delivery
                others = node.tree & ~user & ~D & ~X
                removed = any(
                    one.author == D and self.all & ~one.tree & state.nodes[one.parent].tree
                    for one in state.nodes
                )  # twice, and each part believes that the other was removed, as all are shown
                for tree in [node.tree, *(node.tree & ~one for one in bits(others) if not removed)]:
                    made, place = self._made(state, Node(parent, D, tree, user))
                    what = f"d commits {place} on {parent} for {names(user)} alone: {names(tree)}"
                    yield what, self._merge(made, number, place)

    def _rejoins(
        self, state: State, number: int, user: int, view: View
    ) -> Iterator[tuple[str, State]]:
        made_by_d = sum(node.author == D for node in state.nodes)
        for parent, node in enumerate(state.nodes):
            if node.tree & D and made_by_d < self.hostile:
                moved = node.tree & ~user if node.tree & X else 0
                for guest in (0, X):
                    tree = node.tree | user | guest
                    made, place = self._made(state, Node(parent, D, tree, moved))
                    what = f"d welcomes {names(user)} to {place}: {names(tree)}"
                    yield what, self._welcomed(made, number, place, D)
        for other, friend in enumerate(self.honest):
            theirs = state.views[other]
            goes_on = theirs.mode == FOLLOWING and theirs.at not in self.path(state, view.at)
            if other != number and goes_on and self._is_free(state, theirs.at):
                made, place = self._readds(state, other, friend, user)
                yield (
                    f"{names(friend)} re-adds {names(user)}",
                    self._welcomed(made, number, place, friend),
                )

    def _readds(self, state: State, number: int, friend: int, user: int) -> tuple[State, int]:
        at = state.views[number].at
        tree = state.nodes[at].tree | user
        made, place = self._made(state, Node(at, friend, tree, tree & ~user))
        return self._merge(made, number, place), place

    def _welcomed(self, state: State, number: int, place: int, answerer: int) -> State:
        view = state.views[number]
        before = view.before if view.mode == UNCONFIRMED else view.at
        joined = View(place, UNCONFIRMED, before, answerer, view.known)
        return self._confirmed(self._seen(state, number, joined), number)

    def _noted(self, state: State, view: View) -> int:
        """Users whom a rejoined device did not have in its last own tree."""
        noted = state.nodes[view.at].tree & ~state.nodes[view.before].tree
        return noted if self.rules.noted else 0

    def _confirmed(self, state: State, number: int) -> State:
        """H12: two users of the last own tree, but for the answerer, say `same`."""
        view, user = state.views[number], self.honest[number]
        if view.mode != UNCONFIRMED:
            return state
        noted = self._noted(state, view)
        strict = noted and self.rules.confirmed_by == "following"
        asked = state.nodes[view.before].tree & ~user
        asked &= ~(0 if self.rules.answerer else view.answerer)
        same, known = asked & D, view.known
        for other, friend in enumerate(self.honest):
            theirs = state.views[other]
            accepted = (FOLLOWING,) if strict else (FOLLOWING, UNCONFIRMED)
            if friend & asked and theirs.at == view.at and theirs.mode in accepted:
                same |= friend
                known |= theirs.known if theirs.mode == FOLLOWING else 0
        if len(bits(same)) < min(2, len(bits(asked))) or (noted and not same):
            return state
        return self._seen(state, number, view._replace(mode=FOLLOWING, known=known))

    def _texts(
        self, state: State, number: int, user: int, view: View
    ) -> Iterator[tuple[str, State]]:
        waits = view.mode == ASKING or (view.mode == UNCONFIRMED and self._noted(state, view))
        leaked = state.nodes[view.at].tree & X & ~view.known
        if leaked and not waits:
            wrong = f"leak: {names(leaked)} gets a text of {names(user)}"
            yield f"{names(user)} writes", state._replace(wrong=wrong)

    # --- When faults end ---

    def _apart(self, state: State) -> str:
        for lies in ("silent", "same", "other"):
            healed = self.healed(state, lies)
            homes = {view.at for view in healed.views if view.mode != LEFT}
            trees = [healed.nodes[home].tree for home in homes]
            out = [
                user
                for number, user in enumerate(self.honest)
                if healed.views[number].mode == LEFT and trees and trees[0] & user
            ]
            stuck = any(view.mode in (ASKING, UNCONFIRMED) for view in healed.views)
            if len(homes) > 1 or out or stuck:
                told = [
                    (names(u), v.at, v.mode) for u, v in zip(self.honest, healed.views, strict=True)
                ]
                return f"apart, the insider's answers {lies}: {told} {healed.nodes}"
        return ""

    def healed(self, state: State, lies: str) -> State:
        for _ in range(8):
            before = state
            state = self._delivered(state)
            for number in range(len(self.honest)):
                state = self._gives_up(self._confirmed(state, number), number)
            moving = [n for n in range(len(self.honest)) if self._moves(state, n, lies)]
            for number in range(len(self.honest)):
                view = state.views[number]
                if view.mode in (FOLLOWING, ASKING):
                    mode = ASKING if number in moving else FOLLOWING
                    state = self._seen(state, number, view._replace(mode=mode))
            for number in moving:
                state = self._delivered(self._taken_back(state, number))
            if state == before:
                break
        return state

    def _delivered(self, state: State) -> State:
        moved = True
        while moved:
            moved = False
            for number, user in enumerate(self.honest):
                view = state.views[number]
                if view.mode == LEFT:
                    continue
                waiting = [
                    place
                    for place, node in enumerate(state.nodes)
                    if node.parent == view.at and user & node.sent
                ]
                waiting.sort(key=lambda place: state.nodes[place].author == D)
                if waiting:
                    state, moved = self._merge(state, number, waiting[0]), True
        return state

    def _gives_up(self, state: State, number: int) -> State:
        """Nobody confirms a rejoin: the person takes in whom they know, or goes back."""
        view = state.views[number]
        if view.mode != UNCONFIRMED:
            return state
        if not self._noted(state, view) & X:
            known = view.known | state.nodes[view.at].tree & ~X
            return self._seen(state, number, view._replace(mode=FOLLOWING, known=known))
        if not self.rules.keeps:
            return state
        back = View(view.before, ASKING, known=view.known)
        return self._seen(state, number, back)

    def _knows(self, state: State, number: int) -> bool:
        """Whether something shows this user that another branch, or a later epoch, exists."""
        user, view = self.honest[number], state.views[number]
        own = self.path(state, view.at)
        s6 = any(
            node.parent in own and place not in own and user & node.sent
            for place, node in enumerate(state.nodes)
        )
        if s6:
            return True
        for other in range(len(self.honest)):  # a text that no key opens (S3)
            theirs = state.views[other]
            heard = theirs.mode == FOLLOWING and state.nodes[theirs.at].tree & user
            if other != number and heard and theirs.at not in own:
                return True
            removed = view.at in self.path(state, theirs.at) and not heard
            if self.rules.told and theirs.mode == FOLLOWING and removed:
                return True  # that one has read a text of an epoch before the removal
        return False

    def _moves(self, state: State, number: int, lies: str) -> bool:
        """Whether the user's probes show that another branch goes on (H12)."""
        view = state.views[number]
        if view.mode not in (FOLLOWING, ASKING):
            return False
        asked_by = [n for n in range(len(self.honest)) if n != number and self._knows(state, n)]
        if not self._knows(state, number) and not asked_by:
            return False
        rivals: dict[int, int] = {}
        same, own = self.honest[number], self.path(state, view.at)
        behind: list[tuple[int, int]] = []
        for other, friend in enumerate(self.honest):
            theirs = state.views[other]
            if other == number or theirs.mode == LEFT:
                continue
            path = self.path(state, theirs.at)
            if theirs.at == view.at:
                same |= friend
            elif view.at in path:
                return True  # `ahead`
            elif theirs.at in own:
                behind.append((own.index(theirs.at), friend))
            else:
                mark = path[_shared(own, path)]
                rivals[mark] = rivals.get(mark, 0) | friend
        if not rivals:
            return False
        rival = max(rivals, key=lambda one: (len(bits(rivals[one])), one))
        theirs_too = rivals[rival]
        shared = _shared(own, self.path(state, rival))
        for place, friend in behind:
            same |= friend if place >= shared and self.rules.behind else 0
        if lies == "same":
            same |= D
        elif lies == "other":
            theirs_too |= D
        if self.rules.authors:
            counted = ~self.parting(state, view.at, rival)
            same, theirs_too = same & counted, theirs_too & counted
        return (len(bits(theirs_too)), rival) > (len(bits(same)), own[shared])

    def _taken_back(self, state: State, number: int) -> State:
        """Somebody whose branch goes on re-adds the user, or says that they were removed."""
        user, view = self.honest[number], state.views[number]
        if view.mode != ASKING:
            return state
        for other, friend in enumerate(self.honest):
            theirs = state.views[other]
            if other == number or theirs.mode != FOLLOWING:
                continue
            if theirs.at in self.path(state, view.at) or not self._is_free(state, theirs.at):
                continue
            if not state.nodes[theirs.at].tree & user:
                continue
            made, place = self._readds(state, other, friend, user)
            return self._welcomed(made, number, place, friend)
        others = [view for n, view in enumerate(state.views) if n != number and view.mode != LEFT]
        removed = [view for view in others if not state.nodes[view.at].tree & user]
        if others and len(removed) >= min(2, len(others)):
            return self._seen(state, number, view._replace(mode=LEFT))
        return state
