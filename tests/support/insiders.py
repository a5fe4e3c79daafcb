"""What a member makes who keeps to no rule: he knows the keys of his epochs and signs as he likes.

With the server at his side he gets every parcel into every mailbox.
"""

from collections.abc import Callable, Iterable

from blackthorn.crypto.secret import Secret
from blackthorn.device.core.members import Identity
from blackthorn.device.core.unit_of_work import UnitOfWork
from blackthorn.ids import Address, DeviceId
from blackthorn.link import frames as f
from blackthorn.mls import suites
from blackthorn.mls.framing.key_package import KeyPackagePrivate, create_key_package
from blackthorn.mls.group.group import Group
from blackthorn.simulation.device import Person
from tests.support.evil_server import EvilServer


def believe(*_: object) -> None:
    """The validator of somebody who keeps to no rule."""


def identity_of(person: Person) -> Identity:
    return Identity(person.address, person.keys.device)


def key_package(
    world: EvilServer,
    address: str,
    device: DeviceId,
    keys: tuple[Secret, bytes],
    suite: suites.CipherSuite | None = None,
) -> tuple[bytes, KeyPackagePrivate]:
    """A key package in anybody's name, with these signature keys."""
    private, public = keys
    return create_key_package(
        suite or suites.suite(suites.DEFAULT_SUITE),
        Identity(Address(address), device).credential(),
        private,
        public,
        random=world.chance.randbytes,
        now=int(world.now),
    )


def keys_of(person: Person) -> tuple[Secret, bytes]:
    return person.keys.identity, person.keys.identity_public


def hand_out(world: EvilServer, person: Person, package: bytes) -> None:
    """The server has this for the person, and nothing else."""
    world.database.writing.execute(
        "UPDATE key_package SET package = ? WHERE device = ?", (package, person.number)
    )


def sealed_by(
    world: EvilServer, insider: Person, name: str, make: Callable[[Group, UnitOfWork], bytes]
) -> bytes:
    """A parcel with an MLS message of the insider's making, in the conversation of that name."""
    (record,) = [each for each in insider.conversations() if each.name == name]
    with insider.device.unit(world.now_ms) as unit:
        opened = unit.open(record.id)
        key = unit.envelope_key(opened)
        return key.seal(make(opened.group, unit), world.chance.randbytes)


def inject(world: EvilServer, parcels: Iterable[bytes], *people: Person) -> None:
    """Put the parcels into these people's mailboxes."""
    for sealed in parcels:
        for person in people:
            world.put_parcel(person, sealed)
    world.settle()


def states(*people: Person) -> list[list[bytes]]:
    """All MLS states, to see that nothing has changed."""
    return [[each.state for each in person.conversations()] for person in people]


def parcels_of(world: EvilServer) -> list[bytes]:
    """Every parcel that was ever sent, oldest first."""
    frames = [f.decode(each) for each in world.heard]
    return [
        parcel.sealed
        for frame in frames
        if isinstance(frame, f.Send)
        for posting in frame.postings
        for parcel in posting.parcels
    ]
