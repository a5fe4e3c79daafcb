"""Devices that go: revoked, reset, recovered; and what follows, wherever it is interrupted."""

from blackthorn.device.mail import keys as mail_keys
from blackthorn.device.operations import change_chain
from blackthorn.device.transparency import local_chain
from blackthorn.simulation.linking import add_device, bring_up, revoke
from tests.support.device_world import World


def members(person, kind: str) -> list[set[bytes]]:
    """The devices in the person's active conversations of that kind."""
    from blackthorn.device.core.members import identities

    with person.unit() as unit:
        found = [each for each in unit.records.conversations.all() if each.kind == kind]
        return [
            {each.device for each in identities(unit.open(record.id).group.members)}
            for record in found
            if record.standing == "active"
        ]


def submit(world, person) -> None:
    """What the person said reaches the server and is stored; the ledger does not show it yet."""
    for _ in range(4):
        while person.wire is not None and world.step_wire(person.wire, to_server=True):
            pass
        world._ledger_step()


def chain_of(person):
    with person.unit() as unit:
        return local_chain.own(unit)


def test_a_revoked_device_reads_nothing_new() -> None:
    world = World(1, "alice", "bob", "carol")
    alice, bob, carol = world.people
    alice.write(bob, "before")
    alice.create_group("team", bob, carol)
    world.settle()
    tablet = add_device(alice)
    vault_before = tablet.received()
    number = revoke(alice, tablet)
    world.settle()
    assert alice.outcomes[number].final and not alice.outcomes[number].error
    bring_up(world)
    gone = tablet.keys.device
    for person in (alice, bob, carol):
        for kind in ("self", "direct", "group"):
            assert all(gone not in each for each in members(person, kind)), (person.name, kind)
    bob.write(alice, "after")
    carol.write_group("team", "after, to the team")
    world.settle()
    assert {"after", "after, to the team"} <= set(alice.received())
    tablet.connect()
    world.settle()
    assert tablet.received() == vault_before
    assert tablet.wire is None, "the server lets a revoked device in"


def test_a_revocation_makes_a_new_mail_key_that_the_others_have_before_it_is_named() -> None:
    world = World(2, "alice", "bob")
    alice, _ = world.people
    with alice.unit() as unit:
        first = mail_keys.fresh(unit.records, alice.address, world.now_ms)
    alice.enqueue(lambda unit: change_chain.enqueue_mail_key(unit, first))
    bring_up(world)
    assert chain_of(alice).openpgp.fingerprint == first.fingerprint
    tablet, phone = add_device(alice), add_device(alice, "phone")
    revoke(alice, tablet)
    bring_up(world)
    stated = chain_of(alice).openpgp.fingerprint
    assert stated != first.fingerprint
    for person, has in ((alice, True), (phone, True), (tablet, False)):
        with person.vault.transaction() as records:
            assert mail_keys.has(records, stated) is has, person.name
            assert mail_keys.has(records, first.fingerprint), person.name


def test_what_others_write_while_a_revocation_is_on_its_way_arrives() -> None:
    """The server knows of a revocation before the ledger does: a group's text waits for that."""
    world = World(3, "alice", "bob", "carol", epoch_ms=10_000)
    alice, bob, carol = world.people
    alice.create_group("team", bob, carol)
    bob.write(alice, "hello")
    world.settle()
    tablet = add_device(alice)
    assert len(members(carol, "group")[0]) == 4
    revoke(alice, tablet)
    submit(world, alice)
    to_group = carol.write_group("team", "in between, to the team")
    direct = bob.write(alice, "in between, to Alice")
    world.settle()
    bring_up(world)
    assert not carol.outcomes[to_group].error and not bob.outcomes[direct].error
    assert {"in between, to the team", "in between, to Alice"} <= set(alice.received())
    assert "in between, to the team" in bob.received()
    assert not {"in between, to the team", "in between, to Alice"} & set(tablet.received())
    assert members(carol, "group") == [{p.keys.device for p in (alice, bob, carol)}]
