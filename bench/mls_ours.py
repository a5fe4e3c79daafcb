"""`python -m bench.mls_ours SUITE SIZE ROUNDS MESSAGES FILLED`: MLS timed, one JSON object out.

FILLED is 1 to measure an update in a filled tree too, else 0. Seconds are of CPU. The scripts
beside the interoperation drivers do the same steps with other people's MLS and print the same
keys.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from blackthorn.crypto.secret import Secret
from blackthorn.mls.credential import BasicCredential
from blackthorn.mls.epoch.staged import StagedCommit
from blackthorn.mls.framing.key_package import (
    KeyPackagePrivate,
    create_key_package,
    parse_key_package,
)
from blackthorn.mls.group.group import Group
from blackthorn.mls.suites import CipherSuite, suite

T = TypeVar("T")

CONTENT = bytes(1024)
now = int(time.time())


def believe(*_: object) -> None:
    """The benchmark knows all of them."""


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """What the work returns, and its CPU seconds."""
    start = time.process_time()
    result = work()
    return result, time.process_time() - start


@dataclass(frozen=True)
class Device:
    """Somebody who can be added."""

    signer: Secret
    message: bytes
    package: KeyPackagePrivate

    @classmethod
    def make(cls, chosen: CipherSuite, number: int) -> "Device":
        """One of many."""
        signer, public = chosen.generate_signature_key(os.urandom)
        credential = BasicCredential(b"user%d@acme.example" % number + bytes(16))
        made = create_key_package(chosen, credential, signer, public, random=os.urandom, now=now)
        return cls(signer, *made)

    def join(self, welcome: bytes) -> Group:
        """The group of a Welcome."""
        return Group.join(welcome, self.package, self.signer, validate=believe)


def found(chosen: CipherSuite) -> Group:
    """A group of one."""
    signer, public = chosen.generate_signature_key(os.urandom)
    founder = BasicCredential(b"founder@acme.example" + bytes(16))
    return Group.create(chosen, b"bench", founder, signer, public, random=os.urandom, now=now)


def add(group: Group, devices: list[Device]) -> tuple[bytes, bytes]:
    """Add devices by one Commit: it and its Welcome."""
    packages = [parse_key_package(each.message, now=now, validate=believe) for each in devices]
    made = group.commit(add=packages, random=os.urandom, now=now, validate=believe)
    group.merge_pending()
    return made.commit, made.welcome or b""


def update(group: Group) -> bytes:
    """A Commit of nothing but a path."""
    made = group.commit(random=os.urandom, now=now, validate=believe)
    group.merge_pending()
    return made.commit


def follow(group: Group, commit: bytes) -> None:
    """Merge another's Commit."""
    staged = group.process(commit, validate=believe)
    if not isinstance(staged, StagedCommit):
        raise TypeError("a Commit was expected")
    group.merge(staged)


def measure(chosen: CipherSuite, size: int, messages: int) -> dict[str, float]:
    """One life of a group of `size` members."""
    devices = [Device.make(chosen, number) for number in range(size - 1)]
    founder = found(chosen)
    (commit, welcome), add_seconds = timed(lambda: add(founder, devices))
    member, join_seconds = timed(lambda: devices[-1].join(welcome))
    updated, update_seconds = timed(lambda: update(member))
    _, process_seconds = timed(lambda: follow(founder, updated))
    sealed, encrypt_seconds = timed(
        lambda: [member.encrypt(CONTENT, random=os.urandom) for _ in range(messages)]
    )
    _, decrypt_seconds = timed(lambda: [founder.process(each, validate=believe) for each in sealed])
    return {
        "add": add_seconds,
        "join": join_seconds,
        "update": update_seconds,
        "process": process_seconds,
        "encrypt": encrypt_seconds / messages,
        "decrypt": decrypt_seconds / messages,
        "add_bytes": len(commit),
        "welcome_bytes": len(welcome),
        "update_bytes": len(updated),
        "message_bytes": len(sealed[0]),
    }


def measure_filled(chosen: CipherSuite, size: int) -> dict[str, float]:
    """An update in a tree whose every parent is filled: each new member brings in the next two."""
    group = found(chosen)
    for number in range(1, size, 2):
        pair = [Device.make(chosen, each) for each in range(number, min(number + 2, size))]
        _, welcome = add(group, pair)
        group = pair[-1].join(welcome)
    update(group)
    updated, seconds = timed(lambda: update(group))
    return {"filled_update": seconds, "filled_update_bytes": len(updated)}


def main() -> None:
    """Measure some rounds and print the best of each figure."""
    number, size, rounds, messages, filled = map(int, sys.argv[1:])
    chosen = suite(number)
    lives = [measure(chosen, size, messages) for _ in range(rounds)]
    best = {key: min(life[key] for life in lives) for key in lives[0]}
    print(json.dumps(best | (measure_filled(chosen, size) if filled else {})))


if __name__ == "__main__":
    main()
