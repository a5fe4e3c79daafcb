"""What the directory desk answers, over the link, verified as a device verifies it."""

import pytest

from blackthorn.directory.verify import Absent, Present
from blackthorn.errors import DiskError
from blackthorn.identity.statements import AddDevice, Cancel, RevokeDevice, make
from blackthorn.link import frames as f
from blackthorn.link import limits as link_limits
from blackthorn.link.codes import Code
from blackthorn.server.handlers import limits as handlers_limits
from blackthorn.server.ledger import limits as ledger_limits
from blackthorn.tlog.checkpoint import Checkpoint, LogSigner
from blackthorn.tlog.verify import verify_consistency
from tests.support.ledger_link import Device, LedgerHub
from tests.support.ledger_world import certified
from tests.support.link_world import byes, of


@pytest.fixture
def world() -> LedgerHub:
    return LedgerHub(50, witnesses=2)


def add_device(world: LedgerHub, owner: Device, name: str = "d") -> Device:
    model = world.model(name)
    draft = world.draft(owner.address, AddDevice(model.info))
    signed = make(draft, [(owner.id, owner.model.keys), (model.id, model.keys)])
    assert owner.submit(signed.encode()) == ""
    return Device(world, model, owner.address)


# --- LookUp ----------------------------------------------------------------------------------


def test_present_absent_and_pending_users_are_told_apart(world: LedgerHub) -> None:
    alice, bob = world.person("alice"), world.person("bob")
    world.begin(world.add_user("carol"), world.model())
    world.writer.commit()
    names = [f"{name}@acme.example" for name in ("alice", "bob", "carol", "nobody")]
    seen = alice.look_up(*names, "someone@else.example")
    assert isinstance(seen[bob.address].found, Present)
    assert seen["carol@acme.example"].pending
    assert isinstance(seen["nobody@acme.example"].found, Absent)
    assert isinstance(seen["someone@else.example"].found, Absent)
    world.settle()
    assert isinstance(alice.look_up("carol@acme.example")["carol@acme.example"].found, Present)


def test_a_lookup_without_addresses_brings_the_newest_checkpoint(world: LedgerHub) -> None:
    alice = world.person("alice")
    for _ in range(5):
        assert alice.look_up() == {}
        world.settle(600_000)
    assert alice.accepted is not None and alice.accepted.size == 3 + 4


def test_answers_are_made_of_what_is_published_and_not_of_what_waits(world: LedgerHub) -> None:
    alice, bob = world.person("alice"), world.person("bob")
    before = bob.chain_of(alice.address)[0]
    add_device(world, alice)
    world.tick(10_000)
    world.writer.commit()
    assert world.ledger.waiting is not None, "the witnesses have not signed"
    during = bob.chain_of(alice.address)[0]
    assert during is not None and before is not None and during.seq == before.seq == 1
    world.settle(0)
    after = bob.chain_of(alice.address)[0]
    assert after is not None and after.seq == 2


def test_a_device_with_a_newer_checkpoint_tells_and_the_ledger_stops(world: LedgerHub) -> None:
    alice = world.person("alice")
    old = world.database.writing.serialize("main")
    world.settle(600_000)
    alice.look_up()
    note = alice.accepted.note
    world.database.writing.deserialize("main", old)
    world.crash()
    alice.ask(f.LookUp(1, [], alice.have), f.LookedUp)
    alice.wire.say(f.TellCheckpoint(note))
    world.run()
    assert "the ledger has stopped" in world.ledger.problems()[0]
    assert world.store.evidence() == [note]
    assert "stopped" in alice.submit(b"x")


def test_a_checkpoint_that_is_not_ours_ends_the_link_of_who_tells_it(world: LedgerHub) -> None:
    alice = world.person("alice")
    strange = LogSigner(world.keys.origin, world.keys.vrf)
    note = strange.sign(Checkpoint(world.keys.origin, 99, bytes(32)))
    alice.wire.say(f.TellCheckpoint(note))
    world.run()
    assert byes(alice) == ["malformed"] and world.ledger.problems() == []


def test_before_the_first_epoch_who_asks_is_told_to_come_again() -> None:
    world = LedgerHub(51, witnesses=1)
    address, model = world.add_user("alice"), world.model()
    world.begin(address, model)
    world.writer.commit()
    alice = Device(world, model, address)
    alice.connect()
    alice.wire.say(f.LookUp(1, [address], 0))
    world.run()
    assert byes(alice) == ["busy"]
    world.settle()
    world.settle()
    alice.connect()
    assert isinstance(alice.look_up(address)[address].found, Present)


# --- FetchChain ------------------------------------------------------------------------------


def test_a_chain_comes_with_its_certificate_and_the_receipts_of_its_resets(
    world: LedgerHub,
) -> None:
    alice, bob = world.person("alice"), world.person("bob")
    certificate, body = certified(alice.address)
    data = make(world.draft(alice.address, body), [(alice.id, alice.model.keys)]).encode()
    assert alice.submit(data, certificate) == ""
    world.settle()
    world.reset(alice.address, world.model())
    world.settle()
    chain, part = bob.chain_of(alice.address)
    assert chain.pending is not None and chain.openpgp.seq == 2
    assert part.certificate == certificate and [each.seq for each in part.receipts] == [3]
    data = make(world.draft(alice.address, Cancel(3)), [(alice.id, alice.model.keys)]).encode()
    assert alice.submit(data) == ""
    world.settle()
    chain, part = bob.chain_of(alice.address)
    assert chain.pending is None and [each.seq for each in part.receipts] == [3, 4]
    assert chain.resets[0].cancelled_seq == 4


def test_a_long_chain_comes_in_parts(world: LedgerHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_limits, "MAX_CHAIN_PART_BYTES", 20_000)
    alice = world.person("alice")
    for _ in range(4):
        add_device(world, alice)
    world.settle()
    chain, _ = alice.chain_of(alice.address)
    assert chain.seq == 5 and len(of(alice, f.ChainPart)) > 2


def test_a_chain_that_nobody_has_is_empty(world: LedgerHub) -> None:
    alice = world.person("alice")
    chain, part = alice.chain_of("nobody@acme.example")
    assert chain is None and part.statements == [] and part.certificate == b""


# --- The log ---------------------------------------------------------------------------------


def test_consistency_is_proved_between_published_sizes_only(world: LedgerHub) -> None:
    alice = world.person("alice")
    world.settle(600_000)
    size, log = world.ledger.published.size, world.ledger.log
    for old in range(1, size + 1):
        answer = alice.ask(f.ProveConsistency(7, old, size), f.Consistency)
        assert answer.known
        verify_consistency(old, log.root(old), size, log.root(size), answer.proof)
    for old, new in ((0, size), (size, size + 1), (3, 2)):
        assert alice.ask(f.ProveConsistency(7, old, new), f.Consistency) == f.Consistency(
            7, False, []
        )


def test_the_log_is_fetched_in_parts_as_far_as_it_is_published(
    world: LedgerHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_limits, "MAX_ENTRIES_BYTES", 300)
    alice = world.person("alice")
    world.tick(600_000)
    world.writer.commit()
    size = world.ledger.published.size
    assert world.ledger.log.size > size
    entries: list[bytes] = []
    while len(entries) < size:
        part = alice.ask(f.FetchEntries(1, len(entries)), f.Entries)
        assert part.size == size and part.entries
        entries += part.entries
    assert entries == world.store.entries(0, size, 2**40)
    assert alice.ask(f.FetchEntries(1, size), f.Entries).entries == []
    assert alice.ask(f.FetchEntries(1, 2**62), f.Entries).entries == []


# --- Work ------------------------------------------------------------------------------------


def test_who_asks_for_too_much_waits_and_nobody_else(
    world: LedgerHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = world.person("alice"), world.person("bob")
    asked = handlers_limits.LOOKUP_WORK // (8 * link_limits.MAX_LOOKUP_ADDRESSES) + 3
    for number in range(asked):
        nobodies = [f"n{number}-{n}@acme.example" for n in range(link_limits.MAX_LOOKUP_ADDRESSES)]
        alice.wire.say(f.LookUp(number, nobodies, 0))
    world.run()
    answered = len(of(alice, f.LookedUp))
    assert 0 < answered < asked and not alice.wire.reading
    bob.look_up(alice.address)
    second = Device(world, alice.model, alice.address)
    second.connect()
    second.wire.say(f.LookUp(1, ["another@acme.example"], 0), f.Ping(1))
    world.run()
    world.now_ms += (
        1_000 * 2 * handlers_limits.LOOKUP_WORK // handlers_limits.LOOKUP_WORK_PER_SECOND
    )
    world.run()
    world.run()
    assert len(of(alice, f.LookedUp)) == asked and alice.wire.reading


def test_an_absence_that_was_proved_once_is_cheap(world: LedgerHub) -> None:
    alice = world.person("alice")
    for _ in range(2 * handlers_limits.LOOKUP_WORK // (8 * 256)):
        alice.look_up(*(f"n{n}@acme.example" for n in range(256)))


# --- Devices ---------------------------------------------------------------------------------


def test_a_revoked_device_is_cut_off_and_its_parcels_are_refused(world: LedgerHub) -> None:
    alice, bob = world.person("alice"), world.person("bob")
    laptop = add_device(world, alice)
    laptop.connect()
    bob.post([laptop], b"before")
    world.run()
    assert laptop.shown == [b"before"]
    body = RevokeDevice(laptop.id, "lost", 1)
    data = make(world.draft(alice.address, body), [(alice.id, alice.model.keys)]).encode()
    assert alice.submit(data) == ""
    world.run()
    assert byes(laptop) == ["removed"]
    bob.post([laptop], b"after")
    world.run()
    assert [each.code for each in bob.refusals] == ["recipient-unknown"]


def test_a_pending_device_is_told_nothing_of_its_user(world: LedgerHub) -> None:
    alice, bob = world.person("alice"), world.person("bob")
    model = world.model()
    world.reset(alice.address, model)
    world.settle()
    new = Device(world, model, alice.address)
    new.connect()
    assert isinstance(new.look_up(bob.address)[bob.address].found, Present)
    assert new.chain_of(alice.address)[0].pending.device.id == new.id
    mail = new.ask(f.ListMail(1, 0), f.MailListing)
    assert mail == f.MailListing(1, [], False)
    chunk = new.ask(f.FetchMail(1, 1, 0), f.MailChunk)
    assert chunk.total == 0
    new.post([bob], b"from the thief")
    bob.post([new], b"to the thief")
    world.run()
    assert [each.code for each in new.refusals] == ["not-now"]
    assert [each.code for each in bob.refusals] == ["recipient-unknown"]
    new.wire.say(f.PublishKeyPackages([b"mine"], None))
    alice.wire.say(f.PublishKeyPackages([b"hers"], None))
    world.run()
    claimed = bob.ask(f.ClaimKeyPackages(1, [alice.address]), f.KeyPackages)
    assert [each.package for each in claimed.claimed] == [b"hers"]
    none = new.ask(f.ClaimKeyPackages(1, [bob.address]), f.KeyPackages)
    assert none.claimed == []


def test_the_device_of_an_effective_reset_is_served_on_the_link_that_it_has() -> None:
    world = LedgerHub(52, witnesses=1, reset_delay_ms=60_000)
    alice, bob = world.person("alice"), world.person("bob")
    model = world.model()
    world.reset(alice.address, model)
    world.settle()
    new = Device(world, model, alice.address)
    new.connect()
    world.run()
    world.settle(60_000)
    world.run()
    assert byes(alice) == ["removed"] and of(new, f.LeafChanged) == []
    bob.post([new], b"welcome back")
    new.post([bob], b"thank you")
    world.run()
    assert new.shown == [b"welcome back"] and bob.shown == [b"thank you"]


def test_a_changed_leaf_is_told_to_all_devices_of_its_user_that_receive(world: LedgerHub) -> None:
    alice, bob = world.person("alice"), world.person("bob")
    laptop = add_device(world, alice)
    laptop.connect()
    world.run()
    assert of(alice, f.LeafChanged) == of(laptop, f.LeafChanged) == []
    world.settle()
    world.run()
    assert len(of(alice, f.LeafChanged)) == len(of(laptop, f.LeafChanged)) == 1
    assert of(bob, f.LeafChanged) == []


def test_a_lookup_that_the_disk_fails_ends_the_link_and_is_counted(world: LedgerHub) -> None:
    alice = world.person("alice")
    world.reader.fail(DiskError("the disk failed to read or write the database"))
    alice.wire.say(f.LookUp(1, [alice.address], 0))
    world.run()
    assert byes(alice) == [Code.STORAGE]
    assert world.counters.storage_failures == 1
