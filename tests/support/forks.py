"""What an insider can make of a group: Commits and Welcomes that no other member has accepted."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from blackthorn.device.conversations import conversations, key_packages
from blackthorn.device.core import envelope
from blackthorn.device.core.group_metadata import GroupMetadata
from blackthorn.device.core.members import identify
from blackthorn.device.operations.postings import ORDER_LABEL
from blackthorn.link import frames as f
from blackthorn.link.fanout import fanout_frame
from blackthorn.mls.framing.key_package import VerifiedKeyPackage, parse_key_package
from blackthorn.mls.framing.proposals import Commit
from blackthorn.mls.group.group import Group
from tests.support import mls_forge
from tests.support.device_world import Person


def anybody(*_: object) -> None:
    """An insider checks nobody."""


def ordinary_package(person: Person) -> bytes:
    """A key package as the server hands it out."""
    with person.unit() as unit:
        return key_packages.make(unit, 1)[0]


def verified(person: Person, package: bytes) -> VerifiedKeyPackage:
    return parse_key_package(package, now=person.now_ms // 1000, validate=anybody)


def fork(insider: Person, name: str) -> Group:
    """A copy of the insider's group."""
    with insider.unit() as unit:
        (record,) = unit.records.conversations.named("group", name)
        return Group.deserialise(unit.open(record.id).group.serialise())


def welcome(
    insider: Person, group: Group, again: Sequence[Person], packages: Sequence[bytes]
) -> bytes:
    """The parcel of a Welcome to the fork; members of `again` are removed in the same Commit."""
    devices = {bytes(person.keys.device) for person in again}
    leaving = [one.index for one in group.members if identify(one.credential).device in devices]
    made = group.commit(
        add=[verified(insider, package) for package in packages],
        remove=leaving,
        random=insider.world.chance.randbytes,
        now=insider.now_ms // 1000,
        validate=anybody,
    )
    group.merge_pending()
    assert made.welcome is not None
    return envelope.seal_welcome(made.welcome)


def broken_rule(insider: Person, group: Group) -> bytes:
    """An authentic Commit that renames a group, which no member accepts."""
    renamed = GroupMetadata("group", "renamed", 1).extension()
    chance, now = insider.world.chance.randbytes, insider.now_ms // 1000
    return group.commit(extensions=[renamed], random=chance, now=now, validate=anybody).commit


def unreadable_path(insider: Person, group: Group) -> bytes:
    """An authentic Commit that leads nowhere: no member can open what its path seals to them."""
    forger: Any = SimpleNamespace(
        at=group,
        suite=group.suite,
        private=insider.keys.identity,
        random=insider.world.chance.randbytes,
    )
    path = mls_forge.path_of(forger)
    nodes = [
        replace(node, sealed=tuple((enc, bytes(len(text))) for enc, text in node.sealed))
        for node in path.nodes
    ]
    return mls_forge.send_commit(forger, Commit((), replace(path, nodes=tuple(nodes))))


def post(insider: Person, name: str, make: Callable[[Person, Group], bytes]) -> None:
    """Post a Commit in order, made on a copy of the insider's group."""
    world = insider.world
    with insider.unit() as unit:
        (record,) = unit.records.conversations.named("group", name)
        group = Group.deserialise(unit.open(record.id).group.serialise())
        key = unit.envelope_key(unit.open(record.id))
        handle = group.export(ORDER_LABEL, b"", 32)
        others = conversations.other_devices(unit, group)
    sealed = key.seal(make(insider, group), world.chance.randbytes)
    told = fanout_frame(others)
    order = f.Order(handle, 0, world.chance.randbytes(16))
    posting = f.Posting(world.chance.randbytes(16), [f.Parcel(told.id, sealed)], order)
    assert insider.wire is not None
    insider.wire.say(told, f.Send([posting]))


def take_handle(person: Person, name: str) -> None:
    """The server says that the present epoch has a Commit, of which nobody knows."""
    with person.unit() as unit:
        (record,) = unit.records.conversations.named("group", name)
        handle = unit.open(record.id).group.export(ORDER_LABEL, b"", 32)
    person.world.database.writing.execute(
        "INSERT INTO conversation_order (handle, epoch, token, day) VALUES (?, 0, ?, 20000)",
        (handle, bytes(16)),
    )
