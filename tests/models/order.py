"""The order of Commits: an insider's Commits that nobody can merge.

Everybody is in one epoch. A Commit is what it does at each honest device: "m" it is merged, "v" it
is void by a rule, "f" it is authentic and fails, "r" it removes the device, which cannot see that
its tag is wrong and it is void to all others, "-" it cannot be opened. The server is honest: it
accepts the first Commit of a handle and keeps its digest; parcels arrive in any order, or later.

Broken is: two honest devices that merge different Commits, or a group that changes no more although
everything has arrived and all have answered.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

INSIDER = -1
LEFT = -2
"""What a device has merged that a Commit has removed."""

PLAIN = ("plain",)
Handle = tuple[str | int, ...]


@dataclass(frozen=True)
class Rules:
    """H7, each with the simpler rules that were seen to fail."""

    next_by: str = "digest"
    """The next handle follows the void Commit whose "digest" the server names, any void Commit that
    the device has when its own is refused ("taken"), or any at once ("seen")."""
    frozen: bool = True
    """What is void follows from the bytes alone."""
    lost_by: str = "next"
    """A Commit that is given up opens the same handle as a void one, or one of its own ("lost")."""
    left_returns: bool = True
    """A removed device that reads another Commit of its last epoch asks, and comes back (S6)."""
    lost: str = "asked"
    """A Commit that fails at somebody is given up if nobody asked says otherwise, or "alone"."""


class Commit(NamedTuple):
    author: int
    does: str
    """One letter for each honest device."""


class State(NamedTuple):
    commits: tuple[Commit, ...]
    taken: tuple[tuple[Handle, int], ...]
    """What the server accepted: handle and Commit."""
    coming: tuple[frozenset[int], ...]
    here: tuple[frozenset[int], ...]
    """Commits on their way to, and at, each honest device."""
    merged: tuple[int | None, ...]
    wrong: str = ""


class Order:
    """`honest` devices and an insider who makes at most `hostile` Commits."""

    def __init__(self, rules: Rules | None = None, honest: int = 3, hostile: int = 2) -> None:
        self.rules, self.devices, self.hostile = rules or Rules(), range(honest), hostile
        self.kinds = ["v" * honest, "f" * honest, "-" * honest, "m" + "f" * (honest - 1)]
        self.kinds.append("r" + "v" * (honest - 1))
        if not self.rules.frozen:
            self.kinds.append("m" + "v" * (honest - 1))

    def initial(self) -> State:
        nothing = tuple(frozenset[int]() for _ in self.devices)
        return State((), (), nothing, nothing, tuple(None for _ in self.devices))

    def canonical(self, state: State) -> State:
        return state._replace(taken=tuple(sorted(state.taken, key=repr)))

    def broken(self, state: State) -> str:
        merged = self._branches(state)
        if len(merged) > 1:
            return f"two branches: {state.merged}"
        return state.wrong or self._stuck(state)

    # --- Steps ---

    def steps(self, state: State) -> Iterator[tuple[str, State]]:
        yield from self._insider(state)
        for device in self.devices:
            for commit in state.coming[device]:
                yield f"{commit} arrives at {device}", self._arrives(state, device, commit)
            yield from self._commits(state, device)
            for commit in sorted(frozenset().union(*state.here) - state.here[device]):
                yield f"{device} is given {commit}", self._arrives(state, device, commit)

    def _insider(self, state: State) -> Iterator[tuple[str, State]]:
        if sum(commit.author == INSIDER for commit in state.commits) >= self.hostile:
            return
        number = len(state.commits)
        free = [handle for handle in self._handles(state) if handle not in dict(state.taken)]
        valid = self._true_handle(state)
        for does in self.kinds:
            posted = state._replace(commits=(*state.commits, Commit(INSIDER, does)))
            for to in ({0}, set(self.devices)):
                sent = self._sent(posted, number, to)
                for handle in [valid] if "m" in does else free:
                    if handle in dict(state.taken):
                        continue
                    ordered = sent._replace(taken=(*sent.taken, (handle, number)))
                    yield f"insider: {number} ({does}) to {to} by {handle}", ordered
                if "m" not in does:  # else it is S6: the model of branches
                    yield f"insider: {number} ({does}) to {to} without order", sent

    def _handles(self, state: State) -> list[Handle]:
        return [PLAIN, *(("next", number) for number in range(len(state.commits)))]

    def _sent(self, state: State, commit: int, to: set[int]) -> State:
        coming = [
            there | {commit} if device in to else there for device, there in enumerate(state.coming)
        ]
        return state._replace(coming=tuple(coming))

    def _arrives(self, state: State, device: int, commit: int) -> State:
        coming, here, merged = list(state.coming), list(state.here), list(state.merged)
        coming[device] = coming[device] - {commit}
        here[device] = here[device] | {commit}
        does = state.commits[commit].does[device]
        back = merged[device] == LEFT and self.rules.left_returns
        if does == "m" and (merged[device] is None or back):
            merged[device] = commit
        elif does == "r" and merged[device] is None:
            merged[device] = LEFT
        return state._replace(coming=tuple(coming), here=tuple(here), merged=tuple(merged))

    def _commits(self, state: State, device: int) -> Iterator[tuple[str, State]]:
        handle = None if state.merged[device] is not None else self._handle(state, device)
        if handle is None or handle in dict(state.taken):
            return
        number = len(state.commits)
        made = state._replace(
            commits=(*state.commits, Commit(device, "m" * len(self.devices))),
            taken=(*state.taken, (handle, number)),
        )
        sent = self._sent(made, number, set(self.devices) - {device})
        merged = list(sent.merged)
        merged[device] = number
        yield f"{device} commits {number} by {handle}", sent._replace(merged=tuple(merged))

    def _handle(self, state: State, device: int) -> Handle | None:
        """Where the device's own Commit is posted; None: it waits for another's."""
        taken, here = dict(state.taken), state.here[device]
        void = [one for one in sorted(here) if self._void(state, device, one)]
        handle: Handle = PLAIN
        if self.rules.next_by == "seen" and void:
            handle = ("next", void[-1])
        while handle in taken:
            winner = taken[handle]
            if self.rules.next_by == "taken" and winner not in here and void:
                winner = void.pop()
            if winner in here and self._void(state, device, winner):
                handle = ("next", winner)
            elif self._given_up(state, device, winner):
                handle = (self.rules.lost_by, winner)
            else:
                return None
        return handle

    def _true_handle(self, state: State) -> Handle:
        """The first handle after those of Commits that are void to all."""
        taken = dict(state.taken)
        handle: Handle = PLAIN
        while handle in taken and "v" in state.commits[taken[handle]].does:
            handle = ("next", taken[handle])
        return handle

    def _void(self, state: State, device: int, commit: int) -> bool:
        return state.commits[commit].does[device] == "v"

    def _given_up(self, state: State, device: int, commit: int) -> bool:
        """Whether it is given up after 72 hours: all who are asked have neither it nor its effect.

        A device that was away all that time and merges it comes back to another branch (S6).
        """
        does = state.commits[commit].does
        if state.commits[commit].author != INSIDER or does[device] == "m":
            return False
        held = any(commit in state.here[other] for other in self.devices)
        if commit not in state.here[device] and (held or commit in state.coming[device]):
            return False  # members are asked for it by its digest and give its bytes
        merges = any(
            does[other] == "m" and commit in state.here[other] | state.coming[other]
            for other in self.devices
        )
        return self.rules.lost == "alone" or not merges

    # --- Whether it goes on ---

    def _stuck(self, state: State) -> str:
        """Deliver everything, let all ask each other, and one of them change the group."""
        for device in self.devices:
            for commit in sorted(state.coming[device]):
                state = self._arrives(state, device, commit)
        held = frozenset().union(*state.here)
        for device in self.devices:  # by digest, from members: the same bytes
            for commit in sorted(held - state.here[device]):
                state = self._arrives(state, device, commit)
        for device in self.devices:
            state = next((changed for _, changed in self._commits(state, device)), state)
        for device in self.devices:
            for commit in sorted(state.coming[device]):
                state = self._arrives(state, device, commit)
        if not self._branches(state):
            return "nobody can change the group any more"
        return "a member is out for ever" if LEFT in state.merged else ""

    def _branches(self, state: State) -> set[int]:
        return {one for one in state.merged if one is not None and one != LEFT}
