"""Whatever bytes and numbers a server says, a client gets the truth or the one error."""

import base64
import json
import random
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import pytest

from blackthorn.directory.evidence.file import KINDS, Evidence, verify_evidence
from blackthorn.directory.rules import RULES
from blackthorn.directory.verify import verify_answer, verify_epoch, verify_receipt
from blackthorn.errors import VerificationError
from blackthorn.tlog.rules import RULES as LOG_RULES
from tests.support import runs
from tests.support.small_directory import ALICE, NOBODY, SmallDirectory, epoch_of
from tests.unit.directory.test_evidence import ahead_fields, examples, replay

NUMBERS = [0, 1, 2, 3, 7, 2**31, 2**32 - 1, 2**32, 2**53, 2**63 - 1]
TEXTS = ["", "a", ALICE, NOBODY, "ä" * 200, "\ud800", "a" * 300, "\x00", "A@acme.example"]


def seeded() -> random.Random:
    seed = runs.seed()
    return random.Random(seed)


def changed(value: Any, chance: random.Random) -> Any:
    """Something like it, of the same type."""
    if isinstance(value, int):
        return chance.choice([*NUMBERS, value + 1, max(value - 1, 0)])
    if isinstance(value, str):
        return chance.choice(TEXTS)
    if isinstance(value, bytes):
        data = bytearray(value)
        for _ in range(chance.randrange(1, 4)):
            if data and chance.random() < 0.6:
                data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
            elif chance.random() < 0.5:
                del data[chance.randrange(len(data) + 1) :]
            else:
                data += chance.randbytes(chance.randrange(40))
        return bytes(data)
    items = list(value)
    for _ in range(chance.randrange(1, 3)):
        if items and chance.random() < 0.6:
            at = chance.randrange(len(items))
            items[at] = changed(items[at], chance)
        elif chance.random() < 0.3:
            items += [chance.randbytes(32)] * chance.choice([1, 70])
        else:
            items = items[: chance.randrange(len(items) + 1)]
    return tuple(items)


def told(act: Callable[..., Any], *arguments: Any) -> Any:
    """What comes of it; None when it is refused by a rule."""
    try:
        return act(*arguments)
    except VerificationError as error:
        assert error.rule in RULES or error.rule in LOG_RULES
        return None


def lies(chance: random.Random, truth: Any, times: int) -> Any:
    names = [each.name for each in fields(truth)]
    for _ in range(times):
        some = chance.sample(names, chance.choice([1, 1, 1, 2, len(names)]))
        yield replace(truth, **{name: changed(getattr(truth, name), chance) for name in some})


def test_a_client_gets_the_truth_or_an_error() -> None:
    chance = seeded()
    world = SmallDirectory.of_three()
    before = epoch_of(world).accepted
    world.set(ALICE, seq=2)
    world.publish()
    terms, config = world.terms(), world.config
    epoch = epoch_of(world, before)
    proof = tuple(world.log.consistency_proof(before.size))
    for part in lies(chance, world.part(), 300):
        found = told(verify_epoch, part, proof, before, terms)
        if found is not None:
            assert (found.accepted.size, found.accepted.root) == (
                epoch.accepted.size,
                epoch.accepted.root,
            )
            assert found.head == epoch.head
    for _ in range(200):
        lie = changed(proof, chance)
        assert lie == proof or told(verify_epoch, world.part(), lie, before, terms) is None
    for label in (ALICE, NOBODY):
        truth = verify_answer(world.answer(label), label, epoch, config)
        for answer in lies(chance, world.answer(label), 400):
            found = told(verify_answer, answer, label, epoch, config)
            assert found in (None, truth)
    when = verify_receipt(world.receipt(ALICE, 2), ALICE, epoch, config)
    for receipt in lies(chance, world.receipt(ALICE, 2), 400):
        assert told(verify_receipt, receipt, ALICE, epoch, config) in (None, when)


def files() -> dict[str, bytes]:
    """A file of evidence of each kind."""
    world = SmallDirectory.of_three()
    made = {kind: fields_ for kind, (fields_, _) in examples(world).items()}
    made["false-leaf"] = {
        **made["bad-chain"],
        "statements": [b"one"],
        "device": bytes(16),
        "key": bytes(32),
    }
    made["head-ahead"] = ahead_fields()
    return {
        kind: Evidence(kind, world.config.encode(), fields_).encode()
        for kind, fields_ in made.items()
    }


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_file_of_evidence_says_something_or_is_refused(kind) -> None:
    chance = seeded()
    good = json.loads(files()[kind])

    for _ in range(150):
        document = dict(good)
        for name in chance.sample(sorted(good), chance.choice([1, 1, 2])):
            value = document[name]
            document[name] = chance.choice(
                [None, True, -1, 1.5, 2**64, [], {}, [[]], "", "====", json_changed(value, chance)]
            )
        data = json.dumps(document).encode()
        if chance.random() < 0.2:
            data = changed(data, chance)
        sentence = told(verify_evidence, data, replay)
        assert sentence is None or (sentence.isprintable() and "\n" not in sentence)


def json_changed(value: Any, chance: random.Random) -> Any:
    if isinstance(value, list):
        return [json_changed(each, chance) for each in value]
    if isinstance(value, str):
        try:
            inner = base64.b64decode(value, validate=True)
        except ValueError:
            return changed(value, chance)
        return base64.b64encode(changed(inner, chance)).decode()
    return changed(value, chance)
