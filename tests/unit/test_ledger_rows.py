"""The audit of a server's own rows: whatever byte of the ledger is changed, its row is named."""

import random

import pytest

from blackthorn.audit.database import RowDamageError, RowsAudit, audit_rows
from blackthorn.directory.entries import COMMAND
from blackthorn.directory.records import encode_record
from blackthorn.errors import SecurityError, VerificationError
from blackthorn.identity.statements import Cancel, SetRecovery
from blackthorn.simulation.ledger import DELAY_MS
from blackthorn.storage.sqlite.stores.ledger_rows import LedgerRows
from tests.support import runs
from tests.support.ledger_world import LedgerWorld, compatible

COLUMNS = {
    "ledger_entry": ("place", "entry"),
    "ledger_epoch": ("size", "root", "note", "published"),
    "ledger_label": ("map_index", "vrf_proof", "salt"),
    "ledger_leaf": ("version", "head", "seq", "flags", "place"),
    "chain_statement": ("seq", "head", "kind", "flags", "statement", "place"),
    "user_certificate": ("seq", "certificate"),
    "compatible_certificate": ("seq", "certificate", "copies"),
}
"""What must be found. A row's `user` is moved in a test of its own."""


def audited(world: LedgerWorld) -> RowsAudit:
    rows = LedgerRows(world.database.reading)
    return audit_rows(rows, world.keys, world.policy, world.now_ms, lambda done, total: None)


def make_world(seed: int) -> LedgerWorld:
    """Users, a certificate, a reset that was cancelled, one that is effective, one that waits."""
    world = LedgerWorld(seed, witnesses=2)
    alice, first = world.user("alice")
    bob, _ = world.user("bob")
    carol = world.add_user("carol")
    world.enrol(carol, world.model().genesis(carol, world.now_ms, openpgp=True))
    world.settle()
    dora, hers = world.user("dora")
    certificate, body = compatible(dora)
    world.submit(dora, world.draft(dora, body), hers, certificate=certificate)
    world.settle()
    world.reset(alice, world.model())
    world.settle()
    world.submit(alice, world.draft(alice, Cancel(2)), first)
    world.settle()
    world.reset(bob, world.model())
    world.settle()
    world.settle(DELAY_MS + 1)
    recovery = world.model().keys.public
    world.submit(alice, world.draft(alice, SetRecovery(recovery)), first)
    world.settle()
    world.reset(carol, world.model())
    world.settle()
    return world


@pytest.fixture(scope="module")
def world() -> LedgerWorld:
    return make_world(runs.seed())


def flipped(value: object, chance: random.Random) -> object:
    """One bit of one byte is another."""
    match value:
        case bytes() if value:
            at = chance.randrange(len(value))
            changed = bytearray(value)
            changed[at] ^= 1 << chance.randrange(8)
            return bytes(changed)
        case str():
            at = chance.randrange(len(value))
            return value[:at] + chr(ord(value[at]) ^ 1) + value[at + 1 :]
        case int():
            return value ^ 1
    return None


def test_an_honest_ledger_passes(world: LedgerWorld) -> None:
    result = audited(world)
    published = world.ledger.published
    assert published is not None
    assert result.verified.checkpoint.size == published.size == result.replay.size
    assert (result.replay.users, result.resets, result.pending) == (4, 3, None)


def test_every_flipped_bit_is_found_and_its_row_named(world: LedgerWorld) -> None:
    chance = random.Random(runs.seed())
    connection = world.database.writing
    connection.pragma("foreign_keys", 0)
    tried = 0
    for table, columns in COLUMNS.items():
        rows = connection.execute(f"SELECT * FROM {table}").fetchall()
        assert rows, table
        for number in range(len(rows)):
            for column in columns:
                for _ in range(3):
                    connection.execute("SAVEPOINT before")
                    tried += flip(world, table, column, number, chance)
                    connection.execute("ROLLBACK TO before; RELEASE before")
    print(f"{tried} flips, all found")
    assert tried > 400
    assert audited(world).resets == 3


def flip(world: LedgerWorld, table: str, column: str, number: int, chance: random.Random) -> int:
    connection = world.database.writing
    key = {"ledger_entry": "place", "ledger_epoch": "size"}.get(table)
    order = key or ("user, version" if table == "ledger_leaf" else "user")
    seqs = ("chain_statement", "user_certificate", "compatible_certificate")
    order = "user, seq" if table in seqs else order
    picked = f"SELECT * FROM {table} ORDER BY {order} LIMIT 1 OFFSET {number}"
    names = [each[0] for each in connection.execute(picked).description]
    row = dict(zip(names, connection.execute(picked).fetchone(), strict=True))
    changed = flipped(row[column], chance)
    if changed is None:
        return 0
    where = " AND ".join(f"{name} IS ?" for name in names)
    try:
        connection.execute(
            f"UPDATE {table} SET {column} = ? WHERE {where}", (changed, *row.values())
        )
    except Exception as error:
        assert "Constraint" in type(error).__name__
        return 0
    with pytest.raises(SecurityError) as found:
        audited(world)
    assert isinstance(found.value, RowDamageError), (table, column, row, str(found.value))
    assert str(found.value).startswith(table), (table, column, row, str(found.value))
    return 1


@pytest.mark.parametrize("table", ["ledger_label", "ledger_leaf", "chain_statement"])
def test_a_row_that_is_another_users_is_found(world: LedgerWorld, table: str) -> None:
    connection = world.database.writing
    connection.pragma("foreign_keys", 0)
    connection.execute("SAVEPOINT before")
    connection.execute(f"UPDATE {table} SET user = 9 WHERE user = 1")
    with pytest.raises(RowDamageError):
        audited(world)
    connection.execute("ROLLBACK TO before; RELEASE before")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("DELETE FROM ledger_entry WHERE place = 4", "ledger_entry 4"),
        ("DELETE FROM ledger_entry WHERE place = 0", "ledger_entry 0"),
        ("INSERT INTO ledger_entry VALUES (1000000, x'01')", "ledger_entry"),
        ("DELETE FROM ledger_epoch WHERE size = (SELECT min(size) FROM ledger_epoch)", "ledger_"),
        ("DELETE FROM ledger_epoch WHERE note IS NOT NULL", "ledger_epoch"),
        ("DELETE FROM ledger_leaf WHERE user = 1 AND version = 1", "ledger_leaf"),
        ("DELETE FROM ledger_leaf WHERE user = 2", ""),
        ("DELETE FROM chain_statement WHERE user = 1 AND seq = 1", "chain_statement 1 of user 1"),
        ("DELETE FROM ledger_label WHERE user = 1", "ledger_leaf 1 of user 1"),
        ("UPDATE users SET address = 'mallory@acme.example' WHERE number = 1", "ledger_label"),
        ("INSERT INTO ledger_record (kind, body) VALUES (17, x'00')", "ledger_record 1"),
    ],
)
def test_rows_that_are_missing_or_added_are_found(
    world: LedgerWorld, change: str, named: str
) -> None:
    connection = world.database.writing
    connection.pragma("foreign_keys", 0)
    connection.execute("SAVEPOINT before")
    connection.execute(change)
    with pytest.raises(RowDamageError) as found:
        audited(world)
    connection.execute("ROLLBACK TO before; RELEASE before")
    assert str(found.value).startswith(named)


def test_a_checkpoint_that_waits_is_told_and_checked() -> None:
    world = LedgerWorld(runs.seed(), witnesses=1)
    world.user("alice")
    world.add_record(COMMAND, encode_record(COMMAND, COMMAND_FIELDS))
    world.writer.commit()
    world.tick(10_000)
    world.writer.commit()
    waiting = world.ledger.waiting
    assert waiting is not None and audited(world).pending == waiting.size
    damaged = waiting.note.replace(b"ledger", b"Ledger")
    world.database.writing.execute(
        "UPDATE ledger_epoch SET note = ? WHERE published = 0", (damaged,)
    )
    with pytest.raises(RowDamageError, match=f"ledger_epoch of size {waiting.size}, note"):
        audited(world)


def test_another_policy_or_key_is_not_met(world: LedgerWorld) -> None:
    other = LedgerWorld(1, witnesses=1)
    rows = LedgerRows(world.database.reading)
    with pytest.raises((RowDamageError, VerificationError)):
        audit_rows(rows, world.keys, other.policy, world.now_ms, lambda done, total: None)
    with pytest.raises(RowDamageError, match="ledger_label of user 1"):
        audit_rows(rows, other.keys, world.policy, world.now_ms, lambda done, total: None)


COMMAND_FIELDS = {
    "id": bytes(32),
    "target": bytes(32),
    "action": "wipe",
    "digest": bytes(32),
    "approvers": [bytes(32), bytes(range(32))],
}
