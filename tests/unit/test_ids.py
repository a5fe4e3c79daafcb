"""Identifiers: the one function that makes a device's id."""

import hashlib
import random

from blackthorn.ids import device_id


def test_a_device_id_is_the_start_of_its_keys_hash() -> None:
    seeded = random.Random(1)
    for _ in range(20):
        key = seeded.randbytes(32)
        assert device_id(key) == hashlib.sha256(key).digest()[:16]
