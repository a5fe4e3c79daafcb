"""The desk that recognises a recovery key: what it tells, to whom, how often."""

import pytest

from blackthorn.errors import InputError
from blackthorn.identity.recovery import new_seed, recovery_keys
from blackthorn.identity.statements import RECOVERY, AddDevice, SetRecovery, Statement, make
from blackthorn.link import frames as f
from blackthorn.link.codes import Code, LinkError
from blackthorn.link.hello import recovery_bytes
from blackthorn.link.session import Link, Role, State
from blackthorn.server.accounts import limits, recovery
from blackthorn.server.accounts.recovery import RecoveryService
from blackthorn.server.handlers.recovery import RecoveryHandler
from blackthorn.server.handlers.session import Session
from tests.support.ledger_world import LedgerWorld
from tests.support.wires import UnusedWire

REFUSED = f.Bye(Code.RECOVERY_REFUSED, Code.RECOVERY_REFUSED.meaning)


class Peer(UnusedWire):
    """Somebody who holds words, on a connection of his own."""

    def __init__(self, client: str = "here") -> None:
        self.told: list[f.AnyFrame] = []
        self.session = Session(self, b"binding", 0.0, client)
        self.session.link._enter(State.RECOGNISING)
        self._link = Link(Role.DEVICE, 0.0)
        self._link._enter(State.RECOGNISING)

    def write(self, data: bytes) -> None:
        self.told.append(self._link.receive(data, 0.0))


class Place:
    """A user with recovery words, and the desk."""

    def __init__(self, seed: int) -> None:
        self.world = LedgerWorld(seed)
        self.address, self.device = self.world.user("alice")
        self.keys = recovery_keys(new_seed(self.world.chance.randbytes))
        body = SetRecovery(self.keys.public)
        told = self.world.submit(self.address, self.world.draft(self.address, body), self.device)
        self.world.settle()
        assert told == [""]
        self.desk = RecoveryHandler(RecoveryService(self.world.ledger, self.world))

    def recover(self, peer: Peer, binding: bytes = b"binding", address: str = "") -> None:
        address = address or self.address
        signed = self.keys.sign(recovery_bytes(binding, address))
        frame = f.Recover(1, address, signed.ed25519, signed.ml_dsa)
        self.desk.handle(peer.session, frame, 0.0)


def test_the_key_is_recognised_and_adds_a_device() -> None:
    place, peer = Place(1), Peer()
    place.recover(peer)
    (recognised,) = peer.told
    assert isinstance(recognised, f.Recognised)
    chain = place.world.stored(place.address)
    assert (recognised.seq, recognised.head) == (chain.seq, chain.head)
    new = place.world.model("new")
    body = AddDevice(new.info, recovered=True)
    draft = Statement(place.address, recognised.seq + 1, recognised.head, body, 0)
    signed = make(draft, [(new.id, new.keys), (RECOVERY, place.keys)])
    place.desk.handle(peer.session, f.SubmitStatement(7, signed.encode()), 0.0)
    place.world.settle()
    assert peer.told[1:] == [f.StatementStored(7, "")]
    assert new.id in place.world.rows(place.address)


@pytest.mark.parametrize("what", ["binding", "user", "key", "nobody"])
def test_whatever_is_wrong_is_refused_in_the_same_words(what: str) -> None:
    place, peer = Place(2), Peer()
    bob, _ = place.world.user("bob")
    if what == "key":
        place.keys = recovery_keys(new_seed(place.world.chance.randbytes))
    address = {"user": bob, "nobody": "nobody@acme.example"}.get(what, "")
    place.recover(peer, b"another" if what == "binding" else b"binding", address)
    assert peer.told == [REFUSED]


def test_both_halves_must_sign() -> None:
    place = Place(3)
    signed = place.keys.sign(recovery_bytes(b"binding", place.address))
    for ed25519, ml_dsa in ((bytes(64), signed.ml_dsa), (signed.ed25519, bytes(3309))):
        peer = Peer()
        place.desk.handle(peer.session, f.Recover(1, place.address, ed25519, ml_dsa), 0.0)
        assert peer.told == [REFUSED]


def test_another_version_is_refused() -> None:
    place = Place(4)
    with pytest.raises(LinkError) as refused:
        frame = f.Recover(f.LINK_VERSION + 1, place.address, bytes(64), bytes(3309))
        place.desk.handle(Peer().session, frame, 0.0)
    assert refused.value.code is Code.VERSION


def test_only_a_device_that_the_recovery_key_adds_is_taken() -> None:
    place, peer = Place(5), Peer()
    place.recover(peer)
    draft = place.world.draft(place.address, SetRecovery(None))
    signed = make(draft, [(place.device.id, place.device.keys)]).encode()
    new = place.world.model("new")
    added = place.world.draft(place.address, AddDevice(new.info))
    both = make(added, [(new.id, new.keys), (place.device.id, place.device.keys)]).encode()
    for statement in (signed, both):
        place.desk.handle(peer.session, f.SubmitStatement(1, statement), 0.0)
    place.desk.handle(peer.session, f.SubmitStatement(1, b"junk"), 0.0)
    place.world.settle()
    refusals = [each.refusal for each in peer.told[1:] if isinstance(each, f.StatementStored)]
    assert refusals[:2] == [recovery.ONLY_ADD] * 2 and "I2" in refusals[2]


def test_who_was_not_recognised_submits_nothing() -> None:
    place, peer = Place(6), Peer()
    with pytest.raises((LinkError, InputError)):
        place.desk.handle(peer.session, f.SubmitStatement(1, b"x"), 0.0)


def test_tries_are_bounded_for_each_client() -> None:
    place = Place(7)
    frame = f.Recover(1, "nobody@acme.example", bytes(64), bytes(3309))
    for _ in range(limits.MAX_CLIENT_TRIES):
        thief = Peer("thief")
        place.desk.handle(thief.session, frame, 0.0)
        assert thief.told == [REFUSED]
    with pytest.raises(LinkError) as refused:
        place.desk.handle(Peer("thief").session, frame, 1.0)
    assert refused.value.code is Code.BUSY
    place.recover(Peer("honest"))
    later = Peer("thief")
    place.desk.handle(later.session, frame, limits.TRIES_SECONDS + 1)
    assert later.told == [REFUSED]


def test_proven_tries_are_not_counted() -> None:
    place = Place(8)
    for _ in range(limits.MAX_CLIENT_TRIES + 1):
        peer = Peer()
        place.recover(peer)
        assert isinstance(peer.told[0], f.Recognised)
