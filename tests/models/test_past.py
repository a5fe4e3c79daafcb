"""Who gets a text after a revocation: the rules H1, H3 and H4 hold, and each simpler one leaks."""

from dataclasses import replace

import pytest

from tests.models.explore import search
from tests.models.past import B, E, K, L, M, N, P, Past, R, Rules, World
from tests.support import runs

READER = World(R | P | L, R, L | M | E, L, R | P | L | M | E, guests=M | E, honest_commits=1)
"""The laptop is stolen; its thief has two accomplices."""

TWO_STOLEN = World(R | P | L | K, R, L | M | K, L | K, R | P | L | M | K, guests=M)
"""Devices of two users are stolen and are revoked apart."""

LINKED = World(R | P | L, R, L | M | N, L | N, R | P | L | M, may_link=N, guests=M)
"""The thief links a device by the laptop, which may be revoked later or never."""

NEW_PHONE = World(R | L, R, L | M, L, R | L | M, may_link=N, guests=M)
"""The owner links a phone by the laptop and revokes the laptop by it."""

DISMISSED = World(
    R | P | L | M, R | P, L | M, L | P, R | P | L | M, guests=M, dismisses=(P, M), hostile_commits=2
)
"""A member was dismissed by a phone that is rotated later; the thief brings them back."""

REMOVALS = replace(READER, removable=R | P, hostile_commits=2)
MEMBERS = World(R | B | P | L, R | B, L | M, L, R | B | P | L | M, guests=M, hostile_commits=2)

WORLDS = {
    "reader": READER,
    "two stolen": TWO_STOLEN,
    "linked": LINKED,
    "new phone": NEW_PHONE,
    "new phone, silent witnesses": replace(NEW_PHONE, lookups_denied=True),
    "dismissed": DISMISSED,
    "removals": REMOVALS,
    "two readers": MEMBERS,
}


@pytest.mark.parametrize("name", WORLDS)
def test_H3_H4_no_text_for_guests_and_the_owner_stays(name: str) -> None:
    found = search(Past(WORLDS[name]), depth=12, limit=runs.pick(12_000, 1_000_000))
    print(f"{name}: {found}")
    assert not found.broken, found
    assert found.states > 4_000


SIMPLER = {
    "a device revoked later is accepted": (READER, Rules(noted=False), "m gets a text"),
    "what accomplices change is not noted": (READER, Rules(chain=False), "e gets a text"),
    "a lookup before the message confirms": (
        TWO_STOLEN,
        Rules(confirmed_late=False),
        "m gets a text",
    ),
    "any device of a user in the base tree confirms": (
        LINKED,
        Rules(confirmed_by="user", concerned=False),
        "m gets a text",
    ),
    "who was brought back confirms it": (DISMISSED, Rules(concerned=False), "m gets a text"),
    "a user of the base tree may come back": (DISMISSED, Rules(owners="base"), "m gets a text"),
    "no exception for the owner": (NEW_PHONE, Rules(owners="none"), "n of the owner is expelled"),
    "without a lookup all additions go out": (
        replace(NEW_PHONE, lookups_denied=True),
        Rules(unasked="out"),
        "n of the owner is expelled",
    ),
}


@pytest.mark.parametrize("name", SIMPLER)
def test_H3_H4_a_simpler_rule_fails(name: str) -> None:
    world, rules, broken = SIMPLER[name]
    found = search(Past(world, rules), depth=12, limit=100_000)
    print(f"{name}: {found}")
    assert found.broken.startswith(broken), found
