"""A log, its witnesses and a policy over them, and the one way to expect a refusal."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from blackthorn.crypto.secret import Secret
from blackthorn.errors import VerificationError
from blackthorn.tlog.checkpoint import Checkpoint, LogSigner
from blackthorn.tlog.cosignature import Cosigner, add_lines
from blackthorn.tlog.merkle import MerkleLog
from blackthorn.tlog.policy import Policy, PolicyGroup, PolicyLog, PolicyWitness

ORIGIN = "ledger.acme.example"
NOON = 1_795_000_000
"""Unix seconds at which the first witness cosigns; the next one a second later, and so on."""


@contextmanager
def refuses(rule: str) -> Iterator[None]:
    """The block raises a `VerificationError` that carries exactly this rule and says so."""
    with pytest.raises(VerificationError) as caught:
        yield
    assert caught.value.rule == rule
    assert str(caught.value).endswith(f" [{rule}]")
    assert "\n" not in str(caught.value)


def seed_of(number: int) -> Secret:
    """The private key of person or machine `number`."""
    return Secret(random.Random(number).randbytes(32))


def entries(count: int) -> list[bytes]:
    """Entries of different lengths, the first one empty."""
    return [b"entry" * (number % 7) + bytes(number % 5) for number in range(count)]


LOG = LogSigner(ORIGIN, seed_of(1))
OTHER_LOG = LogSigner("elsewhere.example", seed_of(2))
WITNESSES = [Cosigner(f"witness.example/w{number}", seed_of(10 + number)) for number in range(3)]
TREE = MerkleLog(entries(300))


def checkpoint(size: int = 300, tree: MerkleLog = TREE) -> Checkpoint:
    """What the log says of its first `size` entries."""
    return Checkpoint(ORIGIN, size, tree.root(size))


def cosigned(point: Checkpoint, witnesses: Sequence[Cosigner] = WITNESSES) -> bytes:
    """The note of the log with the cosignatures of these witnesses, a second apart."""
    lines = [each.cosign(point, NOON + number) for number, each in enumerate(witnesses)]
    return add_lines(LOG.sign(point), lines)


def policy(threshold: int = 2) -> Policy:
    """The log and `threshold` of its three witnesses, who are called W0 to W2."""
    names = tuple(f"W{number}" for number in range(len(WITNESSES)))
    known = tuple(
        PolicyWitness(name, witness.vkey, f"https://{witness.vkey.name}")
        for name, witness in zip(names, WITNESSES, strict=True)
    )
    group = PolicyGroup("witnesses", threshold, names)
    return Policy((PolicyLog(LOG.vkey),), known, (group,), "witnesses")
