"""Aliases and lists: who gets their mail, read from the store at once."""

import os

import pytest

from blackthorn.crypto.openpgp import compatible
from blackthorn.crypto.openpgp_open import generate_user_key
from blackthorn.ids import Address
from blackthorn.ports.inbound.aliases import AddAlias, AliasKind
from blackthorn.server.enterprise import EnterpriseCache
from blackthorn.server.mail import limits
from blackthorn.server.mail.recipient_policy import RecipientPolicy, RecipientRefusedError
from blackthorn.server.mail.recipients import Recipients
from blackthorn.simulation.memory import memory_database, wrapping
from blackthorn.simulation.stepped import SteppedReader
from blackthorn.storage.sqlite.engine import Engine, host_store
from tests.support.market_keys import add_people
from tests.support.stored import answered
from tests.unit.server.test_mail_server import FixedClock

MEMBERS = limits.MAX_LIST_MEMBERS
TEAM = Address("team@acme.example")


class Enterprise:
    """Users with certificates, and a list of all of them but the last."""

    def __init__(self) -> None:
        self.database = memory_database()
        add_people(self.database, MEMBERS + 1)
        _, certificate = generate_user_key("u@acme.example")
        self.database.writing.executemany(
            "INSERT INTO user_certificate (user, seq, certificate) VALUES (?, 1, ?)",
            [(number, certificate) for number in range(1, MEMBERS + 1)],
        )
        self.reader = SteppedReader(Engine(self.database, wrapping()))
        policy = RecipientPolicy("acme.example", EnterpriseCache(self.reader), FixedClock())
        self.recipients = Recipients(policy, self.reader)
        self.add(*range(1, MEMBERS + 1))

    def add(self, *numbers: int) -> None:
        users = tuple(Address(f"u{number}@acme.example") for number in numbers)
        store = host_store(self.database)
        store.write(AddAlias("team", TEAM, AliasKind.LIST, users, MEMBERS + 1))


def test_a_list_of_the_most_members_is_resolved_again_and_again() -> None:
    """From the store, and then from the cache, which answers at once."""
    enterprise = Enterprise()
    for _ in range(3):
        found = answered(enterprise.recipients.find, TEAM)
        assert len({each.user.address for each in found}) == MEMBERS


def test_one_who_cannot_get_mail_yet_defers_it_and_one_who_is_gone_does_not() -> None:
    enterprise = Enterprise()
    enterprise.add(MEMBERS + 1)
    with pytest.raises(RecipientRefusedError, match="a member cannot get mail now"):
        answered(enterprise.recipients.find, TEAM)
    secret, _ = compatible.generate("u@acme.example", 1_700_000_000, os.urandom)
    enterprise.database.writing.execute(
        "INSERT INTO user_certificate (user, seq, certificate) VALUES (?, 1, ?)",
        (MEMBERS + 1, compatible.revoke(secret, 1_700_000_001)),
    )
    enterprise.recipients.policy.enterprise.forget(Address(f"u{MEMBERS + 1}@acme.example"))
    assert len(answered(enterprise.recipients.find, TEAM)) == MEMBERS
