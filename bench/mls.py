"""MLS at 512 devices: adding all, joining, updating; and messages, in CPU time of one core."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

from bench.figures import Figure, Figures
from blackthorn.crypto.secret import Secret
from blackthorn.mls.credential import BasicCredential, Credential
from blackthorn.mls.group import Group
from blackthorn.mls.key_package import KeyPackagePrivate, create_key_package, parse_key_package
from blackthorn.mls.staged import StagedCommit
from blackthorn.mls.suites import SUITE_1, SUITE_XWING_AES256, CipherSuite, suite

T = TypeVar("T")

DEVICES = 512
MESSAGES = 1000
NOW = 1_800_000_000
_seeded = random.Random(512)


def _believe(credential: Credential, signature_key: bytes) -> None:
    """The benchmark knows all of them."""


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    start = time.process_time()
    result = work()
    return result, time.process_time() - start


def _device(chosen: CipherSuite, number: int) -> tuple[Secret, bytes, KeyPackagePrivate]:
    private, public = chosen.generate_signature_key(_seeded.randbytes)
    credential = BasicCredential(b"user%d@acme.example" % number + bytes(16))
    message, package = create_key_package(
        chosen, credential, private, public, random=_seeded.randbytes, now=NOW
    )
    return private, message, package


def _follow(group: Group, commit: bytes) -> None:
    staged = group.process(commit, now=NOW, validate=_believe)
    if not isinstance(staged, StagedCommit):
        raise TypeError("a Commit was expected")
    group.merge(staged)


def _measure(number: int, name: str, goals: tuple[float, float, float]) -> Figures:
    chosen = suite(number)
    devices = [_device(chosen, each) for each in range(DEVICES)]
    private, public = chosen.generate_signature_key(_seeded.randbytes)
    random_bytes = _seeded.randbytes
    founder = Group.create(
        chosen,
        b"bench",
        BasicCredential(b"founder"),
        private,
        public,
        random=random_bytes,
        now=NOW,
    )

    def add() -> bytes:
        packages = [parse_key_package(each, now=NOW, validate=_believe) for _, each, _ in devices]
        made = founder.commit(add=packages, random=random_bytes, now=NOW, validate=_believe)
        founder.merge_pending()
        return made.welcome or b""

    welcome, add_seconds = _timed(add)
    signer, _, package = devices[DEVICES // 2]
    member, join_seconds = _timed(
        lambda: Group.join(welcome, package, signer, now=NOW, validate=_believe)
    )
    made, update_seconds = _timed(
        lambda: member.commit(random=random_bytes, now=NOW, validate=_believe)
    )
    member.merge_pending()
    _, process_seconds = _timed(lambda: _follow(founder, made.commit))
    texts, encrypt_seconds = _timed(
        lambda: [member.encrypt(bytes(100), random=random_bytes) for _ in range(MESSAGES)]
    )
    _, decrypt_seconds = _timed(
        lambda: [founder.process(each, now=NOW, validate=_believe) for each in texts]
    )
    return [
        Figure(f"{name}_add", f"{name}: add {DEVICES}", add_seconds, "s", at_most=goals[0]),
        Figure(f"{name}_join", f"{name}: join", join_seconds, "s", at_most=goals[1]),
        Figure(f"{name}_update", f"{name}: update", update_seconds, "s", at_most=goals[2]),
        Figure(f"{name}_process", f"{name}: process an update", process_seconds, "s"),
        Figure(f"{name}_encrypt", f"{name}: encrypt", MESSAGES / encrypt_seconds, "/s"),
        Figure(f"{name}_decrypt", f"{name}: decrypt", MESSAGES / decrypt_seconds, "/s"),
    ]


def run() -> Figures:
    """Suite 1 within twice of mls-rs; X-Wing five times faster than ts-mls."""
    return [
        *_measure(SUITE_1, "suite1", (0.42, 0.12, 0.10)),
        *_measure(SUITE_XWING_AES256, "xwing", (0.76, 0.14, 0.40)),
    ]
