"""Welcomes of a malicious inviter, who knows every secret and signs what it likes: a joiner
must find out what is wrong with the group by itself (RFC 9420, 7.9.2, 12.4.3.1)."""

import random

import pytest

from blackthorn.mls.codepoints import RATCHET_TREE
from blackthorn.mls.errors import (
    MLSError,
)
from blackthorn.mls.extension import Extension
from tests.support.mls_welcomes import Forge, sound_welcome


@pytest.fixture
def forge() -> Forge:
    """A sound Welcome into a group of five, with parents and unmerged leaves."""
    return sound_welcome()


def test_the_unspoiled_welcome_is_sound(forge: Forge) -> None:
    group = forge.join()
    assert group.own_index == 3
    assert len(group.members) == 4


def test_garbled_insides_raise_only_mls_errors(forge: Forge) -> None:
    """Flips inside the sealed and signed parts: parsed by the joiner before anything else."""
    seeded = random.Random(4)

    def garble(data: bytes) -> bytes:
        changed = bytearray(data)
        for _ in range(seeded.choice((1, 1, 2, 8))):
            changed[seeded.randrange(len(changed))] = seeded.randrange(256)
        return bytes(changed) if seeded.random() < 0.8 else bytes(changed[: seeded.randrange(400)])

    sound_tree = forge.tree.encode()
    for _ in range(300):
        which = seeded.randrange(3)
        forge.spoil = garble if which == 0 else lambda data: data
        forge.spoil_secrets = garble if which == 1 else lambda data: data
        tree = garble(sound_tree) if which == 2 else sound_tree
        forge.extensions = (Extension(RATCHET_TREE, tree),)
        if tree == sound_tree and which == 2:
            continue
        try:
            group = forge.join()
        except MLSError:
            continue
        # Only a byte that was written over by itself may go unnoticed.
        assert group.members
        assert which != 2
