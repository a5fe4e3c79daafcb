"""A database from before the ledger: what is kept, and what a user's first chain replaces."""

import apsw

from blackthorn.ids import Address, DeviceId
from blackthorn.ports.enrolment import EnrolDevice, Enrolled
from blackthorn.ports.enterprise import Standing
from blackthorn.ports.ledger import Change, NewDevice, StoredStatement
from blackthorn.simulation.memory import wrapping
from blackthorn.storage.sqlite import schema
from blackthorn.storage.sqlite.database import Database, migrations
from blackthorn.storage.sqlite.engine import Engine
from tests.support.stored import StoredEnterprise

ALICE = Address("alice@acme.example")
OLD = DeviceId(b"\x01" * 16)


def older() -> Database:
    """One user with two devices, a parcel, a code and a mail, as the third migration left them."""
    connection = apsw.Connection(":memory:")
    for number, sql in migrations():
        if number <= 3:
            connection.execute(sql).fetchall()
            connection.pragma("user_version", number)
    connection.execute(
        "INSERT INTO users VALUES (1, 'alice@acme.example', '0000CAFE', 5);"
        "INSERT INTO devices VALUES (3, x'01010101010101010101010101010101', 1, zeroblob(32),"
        " 'old', x'0A', 6);"
        "INSERT INTO devices VALUES (4, x'02020202020202020202020202020202', 1, zeroblob(32),"
        " 'older', x'0B', 7);"
        "INSERT INTO mailbox (device, seq, sealed) VALUES (3, 1, x'00');"
        "INSERT INTO activations VALUES ('1234', 1, zeroblob(32), zeroblob(32), 99, 0, NULL);"
        "INSERT INTO mail VALUES (1, 1, 8, 1, x'00');"
    ).fetchall()
    schema.migrate(connection, migrations())
    return Database(connection, connection, connection)


def test_users_devices_mail_and_the_newest_certificate_are_kept() -> None:
    database = older()
    user = StoredEnterprise(Engine(database, wrapping())).user(ALICE)
    assert user.certificate == b"\x0b" and user.pin == "0000CAFE"
    assert [(each.number, each.standing) for each in user.devices] == [
        (3, Standing.LIVE),
        (4, Standing.LIVE),
    ]
    assert database.reading.execute("SELECT count(*) FROM mail").get == 1


def test_the_first_chain_of_a_user_replaces_the_devices_that_he_had_without_one() -> None:
    database = older()
    enterprise = StoredEnterprise(Engine(database, wrapping()))
    device = NewDevice(DeviceId(b"\x09" * 16), bytes(31) + b"\x09", "new", Standing.LIVE)
    genesis = StoredStatement(1, bytes(32), "genesis", 0, b"genesis")
    change = Change(ALICE, 0, bytes(32), (genesis,))
    enrolled = Engine(database, wrapping()).write(EnrolDevice("1234", device, 1, 10, change))
    assert isinstance(enrolled, Enrolled)
    assert enrolled.removed == (OLD, DeviceId(b"\x02" * 16)) and enrolled.number > 4
    assert [each.id for each in enterprise.user(ALICE).devices] == [enrolled.device]
    assert database.reading.execute("SELECT count(*) FROM mailbox").get == 0
