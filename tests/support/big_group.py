"""A group of many members that two real devices share, without a server between them."""

import random
from pathlib import Path
from typing import Any

import apsw

from blackthorn.crypto.secret import Secret
from blackthorn.device.conversations import conversations, renewal
from blackthorn.device.core.group_metadata import GROUP, GroupMetadata
from blackthorn.device.core.members import Identity
from blackthorn.device.core.unit_of_work import Conversation
from blackthorn.device.operations import send_text
from blackthorn.ids import Address, device_id
from blackthorn.link import frames as f
from blackthorn.mls import suites
from blackthorn.mls.framing.key_package import create_key_package, parse_key_package
from blackthorn.mls.group.group import Group
from blackthorn.simulation.device import whole_conversations
from blackthorn.simulation.memory import MemoryVault
from blackthorn.storage.device.vault import Vault, migrations
from tests.support.device_world import World
from tests.support.mls_people import believe

RELEASE = 4
"""The last migration of a vault that has groups in one piece."""

_SUITE = suites.suite(suites.DEFAULT_SUITE)


class BigGroup:
    """Alice and bob, whose vaults are files, and the group "team" of as many members."""

    def __init__(self, folder: Path, members: int) -> None:
        self.world = World(members, "alice", "bob")
        self.folder = folder
        self.seq = 0
        self.random = random.Random(members).randbytes
        for person in self.world.people:
            self.move(person)
        self.alice, self.bob = self.world.people
        self._meet(members)

    def move(self, person: Any) -> None:
        """Copy a person's vault into a file, and begin its process again."""
        path = self.folder / f"{person.name}.db"
        path.write_bytes(b"")
        fresh = Vault.open(path, Secret(bytes(32)), create=True)
        old = person.vault.connection
        fresh._connection.pragma("foreign_keys", False)
        for table in _tables(old):
            rows = old.execute(f"SELECT * FROM {table}").fetchall()
            if rows:
                marks = ", ".join("?" for _ in rows[0])
                fresh._connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
        fresh._connection.pragma("foreign_keys", True)
        fresh._connection.wal_autocheckpoint(0)
        person.vault = MemoryVault(fresh._connection)
        person.restart()
        person.connect()
        self.world.settle()

    def _meet(self, members: int) -> None:
        now = self.world.now_ms // 1000
        with self.alice.unit() as alice, self.bob.unit() as bob:
            metadata = GroupMetadata(GROUP, "team", self.world.now_ms)
            group = Group.create(
                _SUITE,
                self.random(32),
                alice.me.credential(),
                alice.keys.identity,
                alice.keys.identity_public,
                random=self.random,
                now=now,
                extensions=[metadata.extension()],
            )
            keys = [(bob.me.credential(), bob.keys.identity, bob.keys.identity_public)]
            for number in range(members - 2):
                private, public = _SUITE.generate_signature_key(self.random)
                named = Identity(Address(f"user{number}@acme.example"), device_id(public))
                keys.append((named.credential(), private, public))
            made = [create_key_package(_SUITE, *each, random=self.random, now=now) for each in keys]
            packages = [parse_key_package(each, now=now, validate=believe) for each, _ in made]
            commit = group.commit(add=packages, random=self.random, now=now, validate=believe)
            group.merge_pending()
            assert commit.welcome is not None
            joined = Group.join(commit.welcome, made[0][1], bob.keys.identity, validate=believe)
            for unit, own in ((alice, group), (bob, joined)):
                record = conversations._record(own, metadata, "team")
                conversation = Conversation(record, own)
                unit.adopt(conversation)
                renewal.committed(unit, conversation, unit.me.device)

    def written(self, person: Any) -> int:
        """Bytes in the write-ahead log of a person's vault."""
        return (self.folder / f"{person.name}.db-wal").stat().st_size

    def write(self, *texts: str) -> None:
        """Alice writes texts, which wait in her outbox."""
        for text in texts:
            self.alice.device.enqueue(
                self.world.now_ms,
                lambda unit, text=text: send_text.enqueue(unit, GROUP, "team", text),
            )

    def send(self, *texts: str) -> list[f.Delivery]:
        """What bob is to be delivered of the texts that wait, once the server has accepted them."""
        frames = self.alice.device.tick(self.world.now_ms)
        postings = [p for frame in frames if isinstance(frame, f.Send) for p in frame.postings]
        assert len(postings) == len(texts)
        self.accepted = [posting.id for posting in postings]
        parcels = [posting.parcels[0].sealed for posting in postings]
        self.seq += len(parcels)
        return [f.Delivery(self.seq - at, sealed) for at, sealed in enumerate(parcels)]

    def accept(self) -> None:
        """The server's answer to what alice has sent."""
        self.alice.device.receive(f.Accepted(self.accepted), self.world.now_ms)

    def deliver(self, deliveries: list[f.Delivery]) -> None:
        """Bob is delivered these, in one frame."""
        self.bob.device.receive(f.Deliver(deliveries), self.world.now_ms)


def older(vault: MemoryVault) -> MemoryVault:
    """The same vault as the release before left it: each group in one piece, no newer column."""
    with vault.transaction() as records:
        for record in whole_conversations(records):
            records.conversations.put(record)
    before = apsw.Connection(":memory:")
    for number, sql in migrations():
        if number <= RELEASE:
            before.execute(sql).fetchall()
    for table in _tables(before):
        shape = before.execute("SELECT name FROM pragma_table_info(?)", (table,)).fetchall()
        columns = ", ".join(str(name) for (name,) in shape)
        rows = vault.connection.execute(f"SELECT {columns} FROM {table}").fetchall()
        marks = ", ".join("?" for _ in shape)
        before.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows)
    used = vault.connection.execute("SELECT name, seq FROM sqlite_sequence").fetchall()
    before.execute("DELETE FROM sqlite_sequence")
    before.executemany("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", used)
    before.pragma("user_version", RELEASE)
    return MemoryVault(before)


def _tables(connection: apsw.Connection) -> set[str]:
    rows = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
    return {str(name) for (name,) in rows if not str(name).startswith("sqlite_")}
