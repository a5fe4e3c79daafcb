"""Stories in which conversations once failed for good, as schedules of the simulator.

Each ends with a day of calm and a message of every device into each of its conversations, which
all others must read; no alarm may be open, no operation waiting, nothing left unopened.
"""

import pytest

from tests.scenarios.test_simulation import DAY, HOUR, lived

MINUTE = 60
TEAM = (
    (10, "alice.1", "create", "team", "bob", "carol", "dave"),
    (60, "bob.1", "group-text", "team"),
    (70, "carol.1", "group-text", "team"),
    (80, "dave.1", "group-text", "team"),
)
CHANGED_PHONE = (
    (HOUR, "alice.1", "create", "old", "bob", "carol"),
    (HOUR + 2 * MINUTE, "alice.1", "remove", "old", "bob"),
    (HOUR + 5 * MINUTE, "bob.1", "link", "bob.2"),
    (HOUR + 10 * MINUTE, "bob.2", "revoke", "bob.1"),
)

STORIES = {
    "a member was away around the expiry of a key package that was added": (
        (5, "alice.1", "create", "team", "bob", "carol"),
        (HOUR, "carol.1", "leave"),
        (2 * HOUR, "dave.1", "leave"),
        (20 * DAY, "alice.1", "add", "team", "dave"),
        (20 * DAY + HOUR, "alice.1", "group-text", "team"),
        (33 * DAY, "dave.1", "connect"),
        (34 * DAY, "carol.1", "connect"),
    ),
    "a thief has an old copy of a vault, whose device stays on line for days at a time": (
        *TEAM,
        (200, "alice.1", "text", "bob"),
        (DAY, "alice.1", "steal"),
        (5 * DAY, "bob.1", "text", "alice"),
        *((day * DAY + 50, "alice.1", "restart") for day in range(6, 20, 3)),
        (20 * DAY, "bob.1", "text", "alice"),
        (21 * DAY, "carol.1", "group-text", "team"),
    ),
    "a device half an hour fast revokes another": (
        *TEAM,
        (HOUR, "carol.1", "link", "carol.2"),
        (2 * HOUR, "carol.1", "clock", 1_800),
        (2 * HOUR + MINUTE, "carol.1", "revoke", "carol.2"),
        (3 * HOUR, "alice.1", "group-text", "team"),
        (4 * HOUR, "carol.1", "group-text", "team"),
        (5 * HOUR, "carol.1", "clock", 0),
        (6 * HOUR, "carol.1", "group-text", "team"),
    ),
    "a device three minutes fast links another": (
        *TEAM,
        (50 * MINUTE, "carol.1", "clock", 180),
        (HOUR, "carol.1", "link", "carol.2"),
        (3 * HOUR, "alice.1", "group-text", "team"),
    ),
    "key packages are made with a clock two hours fast, then two hours slow": (
        (10, "bob.1", "clock", 7_200),
        (8 * DAY, "bob.1", "connect"),
        (8 * DAY + 2 * MINUTE, "alice.1", "text", "bob"),
        (9 * DAY, "bob.1", "clock", -7_200),
        (17 * DAY, "bob.1", "connect"),
        (17 * DAY + MINUTE, "carol.1", "text", "bob"),
        (17 * DAY + 2 * MINUTE, "carol.1", "create", "team", "bob", "dave"),
    ),
    "the server is two days ahead for forty seconds": (
        (HOUR, "server", "server-clock", 2 * DAY),
        (HOUR + 10, "alice.1", "connect"),
        (HOUR + 40, "server", "server-clock", 0),
        (2 * HOUR, "alice.1", "text", "bob"),
        (3 * HOUR, "carol.1", "text", "dave"),
    ),
    "a device is a year slow": (
        *TEAM,
        (HOUR, "carol.1", "clock", -365 * DAY),
        (2 * HOUR, "alice.1", "text", "carol"),
        (3 * HOUR, "carol.1", "text", "bob"),
        (4 * HOUR, "carol.1", "link", "carol.2"),
        (5 * HOUR, "carol.1", "clock", 0),
    ),
    "a group is made soon after a member changed phones": (
        *CHANGED_PHONE,
        (HOUR + 30 * MINUTE, "alice.1", "create", "team", "bob", "carol"),
        (HOUR + 32 * MINUTE, "alice.1", "group-text", "team"),
    ),
    "somebody joins a group soon after changing phones": (
        *CHANGED_PHONE,
        (HOUR + 30 * MINUTE, "alice.1", "add", "old", "bob"),
        (HOUR + 32 * MINUTE, "alice.1", "group-text", "old"),
    ),
    "a first text goes to somebody who has just changed phones": (
        *CHANGED_PHONE,
        (HOUR + 30 * MINUTE, "alice.1", "text", "bob"),
    ),
    "texts are written around a linking": (
        *TEAM,
        (200, "alice.1", "text", "bob"),
        (HOUR + 60, "bob.1", "link", "bob.2"),
        (HOUR + 100, "alice.1", "text", "bob"),
        (HOUR + 110, "bob.2", "group-text", "team"),
        (HOUR + 120, "alice.1", "group-text", "team"),
        (HOUR + 130, "bob.2", "text", "carol"),
    ),
    "a member who lost the group's keys is removed and added again": (
        *TEAM,
        (HOUR, "bob.1", "leave"),
        (2 * HOUR, "carol.1", "link", "carol.2"),
        (3 * HOUR, "carol.1", "revoke", "carol.2"),
        (DAY, "bob.1", "connect"),
        (DAY + HOUR, "alice.1", "remove", "team", "bob"),
        (DAY + 2 * HOUR, "alice.1", "add", "team", "bob"),
        (DAY + 3 * HOUR, "alice.1", "group-text", "team"),
        (DAY + 4 * HOUR, "bob.1", "group-text", "team"),
    ),
    "a member is away while somebody links and revokes a device, and all write": (
        *TEAM,
        (HOUR, "bob.1", "leave"),
        (HOUR + 60, "carol.1", "link", "carol.2"),
        (2 * HOUR, "carol.2", "group-text", "team"),
        (2 * HOUR + 60, "alice.1", "group-text", "team"),
        (3 * HOUR, "carol.1", "revoke", "carol.2"),
        (3 * HOUR + 10, "dave.1", "group-text", "team"),
        (4 * HOUR, "carol.1", "group-text", "team"),
        (5 * HOUR, "alice.1", "text", "bob"),
        (DAY, "bob.1", "connect"),
    ),
    "a stranded member is removed and added again, and all have written since": (
        *TEAM,
        (HOUR, "bob.1", "keep"),
        (2 * HOUR, "carol.1", "link", "carol.2"),
        (3 * HOUR, "alice.1", "group-text", "team"),
        (4 * HOUR, "dave.1", "group-text", "team"),
        (DAY, "bob.1", "restore"),
        (DAY, "bob.1", "leave"),
        (DAY + HOUR, "carol.1", "group-text", "team"),
        (DAY + 2 * HOUR, "alice.1", "remove", "team", "bob"),
        (DAY + 3 * HOUR, "alice.1", "add", "team", "bob"),
        (DAY + 4 * HOUR, "alice.1", "group-text", "team"),
        (2 * DAY, "bob.1", "connect"),
    ),
    "all devices are lost, and a new one comes by the words": (
        *TEAM,
        (90, "bob.1", "text", "alice"),
        (100, "bob.1", "state-recovery"),
        (HOUR, "bob.1", "recover", "bob.2"),
        (2 * HOUR, "alice.1", "text", "bob"),
        (2 * HOUR + 60, "carol.1", "group-text", "team"),
        (2 * HOUR + 120, "bob.2", "group-text", "team"),
        (2 * HOUR + 180, "bob.2", "text", "alice"),
    ),
    "all devices are lost, and a new one comes by a reset": (
        *TEAM,
        (90, "alice.1", "text", "bob"),
        (HOUR, "bob.1", "reset", "bob.2"),
        (DAY, "alice.1", "text", "bob"),
        (2 * DAY, "carol.1", "group-text", "team"),
        (5 * DAY, "alice.1", "text", "bob"),
        (5 * DAY + 60, "bob.2", "text", "carol"),
        (5 * DAY + 120, "carol.1", "group-text", "team"),
        (6 * DAY, "alice.1", "add", "team", "bob"),
        (6 * DAY + HOUR, "carol.1", "group-text", "team"),
        (6 * DAY + 2 * HOUR, "bob.2", "group-text", "team"),
    ),
    "a direct conversation is replaced while a device of the other side is away": (
        (20 * MINUTE, "bob.1", "link", "bob.2"),
        (26 * MINUTE, "carol.1", "link", "carol.2"),
        (12 * HOUR, "bob.2", "text", "carol"),
        (2 * DAY + 4 * HOUR, "carol.1", "clock", 18 * DAY),
        (2 * DAY + 6 * HOUR, "carol.2", "leave"),
        (2 * DAY + 7 * HOUR, "bob.1", "link", "bob.3"),
        (3 * DAY + 3 * HOUR, "carol.1", "text", "bob"),
        (3 * DAY + 11 * HOUR, "bob.3", "text", "carol"),
        (3 * DAY + 11 * HOUR + 2, "bob.3", "text", "carol"),
        (3 * DAY + 16 * HOUR, "carol.2", "connect"),
    ),
    "eight changes of a group overtake a text": (
        *TEAM,
        (HOUR, "dave.1", "hold", "up"),
        (HOUR + 10, "dave.1", "group-text", "team"),
        *(
            (HOUR + 20 + 30 * number, "alice.1", ("add", "remove")[number % 2], "team", "erin")
            for number in range(8)
        ),
        (HOUR + 290, "dave.1", "release"),
    ),
}


@pytest.mark.parametrize("story", STORIES)
def test_everybody_reads_everything(story: str) -> None:
    outcome = lived(*STORIES[story])
    assert outcome.violations == []
    assert outcome.accepted == outcome.texts > 0
