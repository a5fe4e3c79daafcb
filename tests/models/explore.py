"""Breadth-first search of a bounded model, and sampled walks where it is too large.

A model gives its successors as (what happens, next state) and says of a state what is broken in it.
States are hashable; `canonical` maps those that differ in names alone to one.
"""

import random
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

State = TypeVar("State", bound=Hashable)


class Model(Protocol[State]):
    def initial(self) -> State: ...

    def steps(self, state: State) -> Iterable[tuple[str, State]]: ...

    def broken(self, state: State) -> str:
        """What is wrong in this state; empty: nothing."""

    def canonical(self, state: State) -> State:
        """One of all states that differ from this one in names alone."""


@dataclass
class Found(Generic[State]):
    """What a search saw. `whole`: no state within `depth` steps was left out."""

    states: int = 0
    depth: int = 0
    whole: bool = True
    broken: str = ""
    trace: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        extent = "all" if self.whole else "cut off"
        head = f"{self.states:,} states, depth {self.depth}, {extent}"
        return "\n  ".join(
            [head, *([f"BROKEN: {self.broken}"] if self.broken else []), *self.trace]
        )


def search(model: Model[State], depth: int, limit: int = 10_000_000) -> Found[State]:
    """All states within `depth` steps, at most `limit`; ends at the first broken one."""
    first = model.canonical(model.initial())
    came: dict[State, tuple[State, str] | None] = {first: None}
    found: Found[State] = Found(states=1)
    layer = [first]
    while layer and found.depth < depth:
        found.depth += 1
        following: list[State] = []
        for state in layer:
            for what, made in model.steps(state):
                reached = model.canonical(made)
                if reached in came:
                    continue
                came[reached] = (state, what)
                found.broken = model.broken(reached)
                if found.broken:
                    found.states, found.trace = len(came), _trace(came, reached)
                    return found
                following.append(reached)
            if len(came) >= limit:
                found.states, found.whole = len(came), False
                return found
        layer = following
    found.states = len(came)
    return found


def _trace(came: dict[State, tuple[State, str] | None], state: State) -> list[str]:
    steps: list[str] = []
    at = came[state]
    while at is not None:
        steps.append(at[1])
        at = came[at[0]]
    return steps[::-1]


def walk(model: Model[State], seed: int, walks: int, depth: int) -> Found[State]:
    """Random walks of `depth` steps; the trace of the first broken one, and its seed."""
    found: Found[State] = Found(whole=False, depth=depth)
    seen: set[State] = set()
    for number in range(walks):
        chance = random.Random(f"{seed}/{number}")
        state, trace = model.initial(), [f"seed {seed}, walk {number}"]
        for _ in range(depth):
            steps = list(model.steps(state))
            if not steps:
                break
            what, state = steps[chance.randrange(len(steps))]
            trace.append(what)
            seen.add(model.canonical(state))
            found.broken = model.broken(state)
            if found.broken:
                found.states, found.trace = len(seen), trace
                return found
    found.states = len(seen)
    return found
