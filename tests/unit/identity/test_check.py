"""A leaf is of a live device with its key in the chain, or it is refused."""

import pytest

from blackthorn.identity.chain import live_device
from tests.support.identity_world import DELAY, Story, device, refuses, revoke


def test_a_live_device_with_its_key() -> None:
    chain = Story().begin(1).add(2).verified
    for number in (1, 2):
        one = device(number)
        assert live_device(chain, one.id, one.mls_key) == one


def test_I42_a_device_of_nobody() -> None:
    chain = Story().begin(1).verified
    for id_ in (device(2).id, bytes(16), b"", device(1).id[:15]):
        with refuses("I42"):
            live_device(chain, id_, device(1).mls_key)


def test_I42_a_revoked_device() -> None:
    told = Story().begin(1).add(2)
    told.tell(revoke(2), 1)
    with refuses("I42"):
        live_device(told.verified, device(2).id, device(2).mls_key)


def test_I42_a_device_of_a_reset_that_waits_and_old_ones_afterwards() -> None:
    told = Story().begin(1).reset(9)
    with refuses("I42"):
        live_device(told.verified, device(9).id, device(9).mls_key)
    told.wait(DELAY)
    live_device(told.verified, device(9).id, device(9).mls_key)
    with refuses("I42"):
        live_device(told.verified, device(1).id, device(1).mls_key)


@pytest.mark.parametrize("key", [device(2).mls_key, bytes(32), b"", device(1).mls_key + b"\0"])
def test_I43_another_key(key: bytes) -> None:
    with refuses("I43"):
        live_device(Story().begin(1).add(2).verified, device(1).id, key)
