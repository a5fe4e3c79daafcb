"""Groups of 1,000 to 5,000 devices under X-Wing: bytes as parcels, CPU of one core, memory.

`python -m bench.groups SIZE` measures one size and prints one JSON object. A process has the group
twice, as who makes it and as a new member, with the key packages of all; `memory` is its peak.
"""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.figures import Figure, Figures
from bench.mls_ours import CONTENT, Device, believe, follow, found, now, timed
from blackthorn.crypto.secret import Secret
from blackthorn.device.core import trees
from blackthorn.device.core.envelope import EXPORT_LABEL, KEY_BYTES, EnvelopeKey, seal_welcome
from blackthorn.device.operations import limits
from blackthorn.mls.epoch.group_info import UnverifiedGroup
from blackthorn.mls.framing.key_package import VerifiedKeyPackage, parse_key_package
from blackthorn.mls.group.group import Commit, Group
from blackthorn.mls.group.joining import divided_welcome
from blackthorn.mls.suites import SUITE_XWING_AES256, suite

SIZES = (1000, 2000, 5000)
TEXTS = 50
MEBIBYTE = 2**20

FIGURES = {
    "create": ("make a group", "ms"),
    "welcome_bytes": ("size of the Welcome for one device", "B"),
    "tree_bytes": ("size of the tree's parts", "B"),
    "join": ("join", "ms"),
    "text": ("seal and open a text of 1 KiB", "ms"),
    "first_renewal": ("the first renewal", "ms"),
    "first_renewal_bytes": ("size of the first renewal", "B"),
    "first_renewal_follow": ("follow the first renewal", "ms"),
    "renewal_bytes": ("size of the next renewal by the same device", "B"),
    "removal": ("remove a device", "ms"),
    "removal_bytes": ("size of a removal", "B"),
    "removal_follow": ("follow a removal", "ms"),
    "addition": ("add as many as a step adds", "ms"),
    "addition_bytes": ("size of such a step", "B"),
    "addition_follow": ("follow such a step", "ms"),
    "memory": ("peak memory of both sides", "MiB"),
}


def _key(group: Group) -> EnvelopeKey:
    return EnvelopeKey((b"", 0), Secret(group.export(EXPORT_LABEL, b"", KEY_BYTES)))


def _packages(devices: Sequence[Device]) -> list[VerifiedKeyPackage]:
    return [parse_key_package(each.message, now=now, validate=believe) for each in devices]


def _make(group: Group, **change: object) -> tuple[Commit, list[bytes], int]:
    """A merged Commit, the parcels of its tree, and the bytes of its own."""
    tree = trees.DetachedTree(os.urandom, [])
    key = _key(group)
    alone = len(group.members) == 1  # whose Commit nobody gets
    made = group.commit(
        tree_apart=tree,
        random=os.urandom,
        now=now,
        validate=believe,
        **change,  # type: ignore[arg-type]
    )
    group.merge_pending()
    sealed = [] if alone else key.seal_all(made.commit, os.urandom)
    return made, tree.parcels, sum(map(len, sealed))


def _join(device: Device, welcome: bytes, parcels: Sequence[bytes]) -> Group:
    def find(group: UnverifiedGroup) -> bytes:
        told = trees.read(group.info.extensions)
        return b"".join(told.open(parcel)[1] for parcel in parcels)

    return Group.join(welcome, device.package, device.signer, validate=believe, ratchet_tree=find)


def measure(size: int) -> dict[str, float]:
    chosen = suite(SUITE_XWING_AES256)
    step = min(limits.MAX_ADDED_WITHOUT_PATH, 5001 - size) or limits.MAX_ADDED_WITH_PATH
    devices = [Device.make(chosen, number) for number in range(size - 1 + step)]
    joining, later = devices[: size - 1], devices[size - 1 :]
    founder, packages = found(chosen), _packages(joining)
    (made, parcels, _), create = timed(lambda: _make(founder, add=packages))
    whole = made.welcome or b""
    divided = divided_welcome(whole, -(-len(joining) // -(-len(whole) // (4 * MEBIBYTE))))
    # The device beside the founder's leaf shares no filled node with any other: the largest path.
    member, join = timed(lambda: _join(joining[0], divided[0][1], parcels))

    def texts() -> None:
        for _ in range(TEXTS):
            message = _key(member).seal(member.encrypt(CONTENT, random=os.urandom), os.urandom)
            founder.process(_key(founder).open(message), validate=believe)

    _, text = timed(texts)
    (first, _, first_bytes), first_renewal = timed(lambda: _make(member))
    _, first_follow = timed(lambda: follow(founder, first.commit))
    (second, _, renewal_bytes) = _make(member)
    follow(founder, second.commit)
    (out, _, removal_bytes), removal = timed(lambda: _make(founder, remove=[size // 2]))
    _, removal_follow = timed(lambda: follow(member, out.commit))
    more = _packages(later)
    (added, _, addition_bytes), addition = timed(lambda: _make(founder, add=more, path=False))
    _, addition_follow = timed(lambda: follow(member, added.commit))
    return {
        "create": create,
        "welcome_bytes": max(len(seal_welcome(part)) for _, part in divided),
        "tree_bytes": sum(map(len, parcels)),
        "join": join,
        "text": text / TEXTS,
        "first_renewal": first_renewal,
        "first_renewal_bytes": first_bytes,
        "first_renewal_follow": first_follow,
        "renewal_bytes": renewal_bytes,
        "removal": removal,
        "removal_bytes": removal_bytes,
        "removal_follow": removal_follow,
        "addition": addition,
        "addition_bytes": addition_bytes,
        "addition_follow": addition_follow,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def run(sizes: Sequence[int] = SIZES) -> Figures:
    figures: Figures = []
    for size in sizes:
        command = [sys.executable, "-m", "bench.groups", str(size)]
        root = Path(__file__).resolve().parents[1]
        done = subprocess.run(command, cwd=root, capture_output=True, check=True)
        measured: dict[str, float] = json.loads(done.stdout)
        for key, (name, unit) in FIGURES.items():
            value = measured[key] * (1000 if unit == "ms" else 1)
            figures.append(Figure(f"groups.{size}.{key}", f"{size:,}: {name}", value, unit))
    return figures


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
