"""A pairing through a server that is an enemy: nothing is added, nothing learned.

The enemy sits on the newcomer's wire, where every relayed message passes, and does one thing to
the messages in one direction. He has no code; in the last tests he has.
"""

import random

import pytest

from blackthorn.crypto.secret import Secret
from blackthorn.device.account.pairing import Stage
from blackthorn.identity.keys import SigningKeys
from blackthorn.ids import Fingerprint
from blackthorn.link import frames as f
from blackthorn.link.activation.code import Code, new_code
from blackthorn.link.codes import Code as LinkCode
from blackthorn.simulation.linking import SERVER, Host, Newcomer, compare
from tests.scenarios.test_device_life import chain_of
from tests.support.device_world import World


class Enemy:
    """Changes the relayed messages of one direction, from the `first` one on."""

    def __init__(self, attack: str, direction: str, first: int, chance: random.Random) -> None:
        self.attack, self.direction, self.first, self.chance = attack, direction, first, chance
        self.seen: list[bytes] = []
        self.kept: bytes | None = None
        self.other: list[bytes] = []
        self.struck = False

    def on(self, newcomer: Newcomer) -> None:
        hear, say = newcomer.hear, newcomer.say

        def hearing(wire, frame) -> None:
            for each in self._pass(frame, "to new"):
                hear(wire, each)

        def saying(frames) -> None:
            say([out for frame in frames for out in self._pass(frame, "to live")])

        newcomer.hear, newcomer.say = hearing, saying

    def _pass(self, frame, direction: str) -> list:
        if isinstance(frame, f.Paired) and self.attack == "swap" and direction == "to new":
            self.struck = True
            return [f.Paired(bytes(frame.message[:1]) + self.chance.randbytes(32))]
        if not isinstance(frame, f.Relay):
            return [frame]
        if direction != self.direction:
            self.other.append(frame.data)
            return [frame]
        self.seen.append(frame.data)
        if self.attack == "swap" or len(self.seen) <= self.first:
            return [frame]
        return [f.Relay(data) for data in self._strike(frame.data)]

    def _strike(self, data: bytes) -> list[bytes]:
        match self.attack:
            case "replay":
                self.struck = True
                return [data, data]
            case "reorder":
                if self.kept is None:
                    self.kept = data
                    return []
                held, self.kept, self.struck = self.kept, data, True
                return [data, held]
            case "truncate":
                self.struck = True
                return [data[:-1]]
            case "flip":
                self.struck = True
                place = self.chance.randrange(len(data))
                return [data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]]
            case "drop":
                self.struck = True
                return []
            case "reflect":
                self.struck = True
                return [self.other[-1] if self.other else data[::-1]]
        return [data]


def run(world: World, host: Host, newcomer: Newcomer) -> None:
    """Both people are honest and do what the devices ask, as long as they ask it."""
    joined = newcomer.join(host.code)
    world.settle()
    if joined.digits and joined.digits == host.pairing.digits:
        host.type_digits(joined.digits)
        newcomer.say(joined.confirm())
        world.settle()
    for _ in range(3):
        world.later(31)
        if host.person.wire is not None:
            world.settle()


@pytest.mark.parametrize("attack", ["swap", "replay", "reorder", "truncate", "flip", "reflect"])
@pytest.mark.parametrize("direction", ["to new", "to live"])
def test_whatever_the_server_does_to_the_messages_it_learns_nothing(
    attack: str, direction: str
) -> None:
    chance = random.Random(f"{attack} {direction}")
    for first in range(5):
        world = World(1 + first, "alice", "bob")
        alice, bob = world.people
        alice.write(bob, "a secret of the past")
        world.settle()
        host, newcomer = Host(alice), Newcomer(world, "tablet")
        enemy = Enemy(attack, direction, first, chance)
        enemy.on(newcomer)
        world.settle()
        run(world, host, newcomer)
        assert newcomer.pairing is not None
        if not enemy.struck:
            return
        heard = b"".join(enemy.seen + enemy.other)
        for secret in (b"a secret of the past", b"alice@acme.example", b"bob@acme.example"):
            assert secret not in heard
        ended = newcomer.pairing.failure or host.pairing.failure
        assert newcomer.pairing.stage is not Stage.DONE, (attack, direction, first)
        assert ended or newcomer.wire is None or not newcomer.wire.open
        in_chain = [each.name for each in chain_of(alice).devices]
        if "tablet" in in_chain:
            # Both had confirmed and signed before the enemy struck: the device is the true one.
            assert chain_of(alice).device(newcomer.pairing._info.id) == newcomer.pairing._info
            assert first >= 1


def test_a_server_that_drops_what_is_said_ends_in_nothing() -> None:
    for first in range(3):
        world = World(20 + first, "alice", "bob")
        alice, _ = world.people
        host, newcomer = Host(alice), Newcomer(world, "tablet")
        Enemy("drop", "to live", first, random.Random(1)).on(newcomer)
        world.settle()
        run(world, host, newcomer)
        assert [each.name for each in chain_of(alice).devices] == ["alice"]


def test_a_newcomer_that_sees_another_server_key_is_refused() -> None:
    """Whoever ends TLS with a key of his own: fingerprints differ, the proofs do not fit."""
    world = World(30, "alice", "bob")
    alice, _ = world.people
    host = Host(alice)
    newcomer = Newcomer(world, "tablet", Fingerprint(b"\x66" * 32))
    world.settle()
    joined = newcomer.join(host.code)
    world.settle()
    assert joined.digits == "" and "wrong" in str(joined.failure)
    assert host.pairing.digits == "" and host.pairing.failure is None
    honest = Newcomer(world, "tablet")
    compare(host, honest)
    world.settle()
    assert host.pairing.stage is Stage.DONE, "the code bears another try"


def test_three_wrong_codes_burn_it_and_nobody_learns_who_waits() -> None:
    world = World(31, "alice", "bob")
    alice, _ = world.people
    host = Host(alice)
    world.settle()
    for _ in range(3):
        wrong = Code(host.code.nameplate, Secret(world.chance.randbytes(8)))
        thief = Newcomer(world, "thief")
        joined = thief.join(wrong)
        world.settle()
        assert joined.failure is not None and joined.digits == ""
        assert not any(isinstance(each, f.Relay) for each in thief.said[1:])
    assert "burnt" in str(host.pairing.failure)
    late = Newcomer(world, "tablet")
    late.join(host.code)
    world.settle()
    assert late.bye is not None and late.bye.code == LinkCode.PAIRING_REFUSED
    assert [each.name for each in chain_of(alice).devices] == ["alice"]


def test_who_overheard_the_code_and_joins_first_does_not_know_the_digits() -> None:
    world = World(32, "alice", "bob")
    alice, _ = world.people
    host = Host(alice)
    world.settle()
    thief = Newcomer(world, "tablet")
    thief.join(host.code)
    world.settle()
    true = Newcomer(world, "tablet")
    joined = true.join(host.code)
    world.settle()
    assert joined.digits == "" and true.bye is not None
    thief.say(thief.pairing.confirm())
    world.settle()
    assert host.pairing.stage is Stage.COMPARING
    for _ in range(2):
        with pytest.raises(Exception, match="the digits differ"):
            host.type_digits("000000" if host.pairing.digits != "000000" else "111111")
    host.type_digits("123123" if host.pairing.digits != "123123" else "321321")
    world.settle()
    assert host.pairing.failure is not None and thief.pairing.failure is not None
    assert [each.name for each in chain_of(alice).devices] == ["alice"]


def test_a_device_that_signs_something_else_is_not_added() -> None:
    """The newcomer proves the code, and then hands back a statement about another device."""
    from blackthorn.device.core import keys
    from blackthorn.identity.statements import AddDevice, Statement, decode, make
    from blackthorn.link.pairing.messages import Countersigned, Draft

    world = World(33, "alice", "bob")
    alice, _ = world.people
    host, newcomer = Host(alice), Newcomer(world, "tablet")
    world.settle()
    joined = newcomer.join(host.code)
    world.settle()
    other = SigningKeys.generate(world.chance.randbytes)

    def signs(said, now_ms):
        assert isinstance(said, Draft)
        old = decode(said.statement).statement
        body = AddDevice(keys.info_of(other, "ghost"))
        draft = Statement(old.label, old.seq, old.prev, body, old.time_ms)
        made = make(draft, [(body.device.id, other)])
        return joined.say(Countersigned(made.encode()))

    joined._heard = signs
    host.type_digits(joined.digits)
    newcomer.say(joined.confirm())
    world.settle()
    assert host.pairing.failure is not None
    assert [each.name for each in chain_of(alice).devices] == ["alice"]
    assert alice.waiting() == 0


def test_a_live_device_that_hands_over_what_does_not_hold_is_refused() -> None:
    """Batches that are no records, and a chain in which the new device is not."""
    from blackthorn.link.pairing.messages import Batch, Finished

    for batches in ([Batch("chain", [b"junk"], 0)], [Batch("history", [b"\xc1"], 0)], []):
        world = World(34, "alice", "bob")
        alice, _ = world.people
        host, newcomer = Host(alice), Newcomer(world, "tablet")
        world.settle()
        left = list(batches)
        host.pairing._hand_over = lambda host=host, left=left: host.pairing.say(
            left.pop(0) if left else Finished()
        )
        compare(host, newcomer)
        world.settle()
        assert newcomer.pairing.failure is not None
        assert newcomer.pairing.stage is not Stage.DONE


def test_new_codes_differ() -> None:
    world = World(35, "alice")
    codes = {new_code(world.chance.randbytes).secret.expose() for _ in range(50)}
    assert len(codes) == 50 and SERVER
