"""Identity and link make the same id of the same key."""

import random

from blackthorn.identity.device_id import device_id
from blackthorn.link.device_id import device_id as link_device_id


def test_identity_and_link_agree() -> None:
    seeded = random.Random(1)
    for _ in range(20):
        key = seeded.randbytes(32)
        assert device_id(key) == link_device_id(key)
        assert len(device_id(key)) == 16
