"""Random schedules of the ledger and of devices that look at it, without messages.

Real ledger, real desk, and of each device what it has to do with the ledger: its vault, what it
asks and keeps (`device.transparency.directory_client`), what it says to others of it
(`device.transparency.gossip`), its replay of the log. There is no link: frames are handed over, or
lost.
"""

from collections import Counter
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from blackthorn.crypto.secret import Secret
from blackthorn.device.core import anchors, keys
from blackthorn.device.core.unit_of_work import unit
from blackthorn.device.core.verified_chains import ChainCache
from blackthorn.device.transparency import gossip, local_chain
from blackthorn.device.transparency.alarms import open_alarms
from blackthorn.device.transparency.directory_client import DirectoryClient
from blackthorn.device.transparency.replay import Replayer
from blackthorn.identity.chain import first_statement, next_statement
from blackthorn.identity.keys import SigningKeys
from blackthorn.identity.statements import Genesis, SetRecovery, make
from blackthorn.ids import Address
from blackthorn.link import frames as f
from blackthorn.server.handlers.directory import DirectoryHandler
from blackthorn.server.ledger.lookups import Lookups
from blackthorn.simulation.memory import memory_vault
from tests.support.ledger_world import LedgerWorld

NAMES = ("alice", "bob", "carol", "dave")
STEPS = 8
PAUSES = (1, 5, 11, 61, 601, 3_700, 25_000, 90_000, 200_000)
"""Seconds that may pass at once: up to two days."""


class Client:
    """The part of a device that the ledger has to do with."""

    def __init__(self, life: "DirectoryLife", name: str) -> None:
        self.life = life
        self.name = name
        chance = life.chance.randbytes
        address = Address(f"{name}@acme.example")
        self.keys = keys.DeviceKeys(
            address, Secret(chance(32)), Secret(b""), b"", Secret(chance(32))
        )
        self.vault = memory_vault()
        with unit(self.vault, self.keys, life.now_ms, chance) as first:
            keys.save(first.records, self.keys)
            config, policy = life.ledger.config.encode(), life.ledger.policy_text
            anchors.pin(first.records.settings, config, policy)
        self.restart()

    def restart(self) -> None:
        """A new process: what was not in the vault is gone."""
        self.cache, self.directory_client, self.replayer = (
            ChainCache(),
            DirectoryClient(),
            Replayer(),
        )

    def unit(self):
        return unit(self.vault, self.keys, self.life.now_ms, self.life.chance.randbytes, self.cache)

    # --- Asking ---------------------------------------------------------------------------

    def talk(self, lost_after: int = 99) -> None:
        """Ask what is due until nothing is; after so many answers the link breaks."""
        for _ in range(40):
            with self.unit() as made:
                frames = self.directory_client.ask(made) + self.replayer.ask(made)
            if not frames:
                return
            while frames:
                answers = self.life.answers(self, frames.pop(0))
                for answer in answers:
                    lost_after -= 1
                    if lost_after < 0:
                        self.directory_client.disconnected()
                        self.replayer.disconnected()
                        return
                    frames += self._hear(answer)
        raise AssertionError(f"{self.name} asks without end")

    def _hear(self, answer: f.AnyFrame) -> list[f.AnyFrame]:
        with self.unit() as made:
            match answer:
                case f.LookedUp():
                    return self.directory_client.looked_up(made, answer)
                case f.ChainPart():
                    return self.directory_client.chain_part(made, answer)
                case f.Consistency():
                    return self.directory_client.consistency(made, answer)
                case f.Entries():
                    return self.replayer.entries(made, answer)
        raise AssertionError(answer)

    def state(self) -> None:
        """State a new recovery key, if the own chain is known."""
        with self.unit() as made:
            chain = local_chain.own(made)
            if chain is None or chain.seq > 200:
                return
            recovery = SigningKeys.generate(self.life.chance.randbytes).public
            draft = next_statement(chain, SetRecovery(recovery), self.life.now_ms)
        signed = make(draft, [(self.keys.device, self.keys.signing)]).encode()

        def done(refusal: str) -> None:
            if not refusal:
                with self.unit() as later:
                    local_chain.stored(later, signed)

        ledger = self.life.ledger.ledger
        ledger.submit(self.keys.address, self.keys.device, signed, b"", self.life.now_ms, done)

    def alarms(self) -> list[tuple[str, str, str]]:
        with self.vault.transaction() as records:
            return [(each.code, each.address, each.text) for each in open_alarms(records)]


class DirectoryLife:
    """One ledger and its devices, through many schedules."""

    def __init__(self, seed: int) -> None:
        self.ledger = LedgerWorld(seed, 2, 10_000)
        self.chance = self.ledger.chance
        self.cosigning = True
        self.steps: Counter[str] = Counter()
        self.told: list[str] = []
        self.clients = [Client(self, name) for name in NAMES]
        for client in self.clients:
            genesis = Genesis(client.keys.info(client.name))
            draft = first_statement(self.ledger.add_user(client.name), genesis, self.now_ms)
            self.ledger.activate(client.keys, client.name, draft)
        self._desk()
        self._publish()

    @property
    def now_ms(self) -> int:
        return self.ledger.now_ms

    def _desk(self) -> None:
        lookups = Lookups(self.ledger.ledger, self.ledger.reader)
        self.desk = DirectoryHandler(self.ledger.ledger, lookups, self.ledger)

    def answers(self, client: Client, frame: f.AnyFrame) -> list[f.AnyFrame]:
        """What the desk says to one frame of a device."""
        said: list[f.AnyFrame] = []
        device = SimpleNamespace(id=client.keys.device, address=client.keys.address)
        session: Any = SimpleNamespace(
            device=device,
            transmit=said.append,
            ask=lambda: None,
            answered=lambda: None,
            closed=False,
        )
        self.desk.handle(session, frame, self.ledger.monotonic())
        return said

    # --- Schedules ------------------------------------------------------------------------

    def schedule(self) -> None:
        """A few steps, then all that must hold."""
        self.told.clear()
        for _ in range(STEPS):
            (step,) = self.chance.choices(list(ACTIONS), list(ACTIONS.values()))
            self.steps[step.__name__] += 1
            self.told.append(step.__name__)
            step(self)
        for client in self.clients:
            assert not client.alarms(), (client.name, client.alarms(), self.told)

    def _some(self, count: int = 1) -> list[Client]:
        return self.chance.sample(self.clients, count)

    def look(self) -> None:
        who, other = self._some(2)
        who.directory_client.want([other.keys.address])
        who.talk()

    def look_and_lose(self) -> None:
        who, other = self._some(2)
        who.directory_client.want([other.keys.address])
        who.talk(lost_after=self.chance.randrange(3))

    def own(self) -> None:
        (who,) = self._some()
        who.directory_client.own_changed()
        who.talk()

    def state(self) -> None:
        self._some()[0].state()

    def restart(self) -> None:
        self._some()[0].restart()

    def gossip(self) -> None:
        """One writes to another: what he has seen of the ledger goes along."""
        sender, receiver = self._some(2)
        with sender.unit() as made:
            said = gossip.outgoing(made.records, b"c" * 32, self.now_ms)
        with receiver.unit() as made:
            gossip.receive(made.records, b"c" * 32, sender.keys.address, said, self.now_ms)

    def pause(self) -> None:
        self.ledger.now_ms += 1000 * self.chance.choice(PAUSES)

    def step(self) -> None:
        """The ledger's own next step, or half of it."""
        self.ledger.writer.commit()
        self.ledger.tick()
        if self.cosigning and self.chance.random() < 0.7:
            self.ledger.cosign(*self.chance.choice([(), (0,), (1,)]))
        if self.chance.random() < 0.5:
            self.ledger.writer.commit()

    def crash(self) -> None:
        self.ledger.crash(committed=self.chance.random() < 0.5)
        self._desk()

    def witnesses(self) -> None:
        self.cosigning = not self.cosigning

    def publish(self) -> None:
        self._publish()

    def _publish(self) -> None:
        self.cosigning = True
        self.ledger.settle(11_000)

    # --- At the end -----------------------------------------------------------------------

    def end(self) -> None:
        """All know all, by what the ledger has published, and anybody can replay it."""
        self._publish()
        self.ledger.now_ms += 61_000
        self._publish()
        everybody = [each.keys.address for each in self.clients]
        for client in self.clients:
            client.restart()
            client.directory_client.want(everybody)
            client.talk()
            with client.unit() as made:
                for address in everybody:
                    known, stored = made.chains.of(address), self.ledger.stored(address)
                    assert known is not None and known.head == stored.head, (client.name, address)
            assert not client.alarms(), (client.name, client.alarms())
        self.ledger.audit()


ACTIONS: dict[Callable[[DirectoryLife], None], int] = {
    DirectoryLife.look: 10,
    DirectoryLife.look_and_lose: 3,
    DirectoryLife.own: 3,
    DirectoryLife.state: 2,
    DirectoryLife.restart: 2,
    DirectoryLife.gossip: 15,
    DirectoryLife.pause: 16,
    DirectoryLife.step: 20,
    DirectoryLife.publish: 4,
    DirectoryLife.crash: 1,
    DirectoryLife.witnesses: 5,
}
