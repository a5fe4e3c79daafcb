"""Who has signed a mail, as the reader's device tells it."""

import pytest

from blackthorn.crypto.openpgp_open import generate_user_key
from blackthorn.crypto.secret import Secret
from blackthorn.device.mail import keys, outside_keys
from blackthorn.device.operations import change_chain
from blackthorn.ids import Address
from blackthorn.mail.compose.entity import Entity
from blackthorn.mail.pgp.seal import BY_SENDER
from blackthorn.mail.render.render import render, render_head
from blackthorn.mail.render.walk import SEALED
from blackthorn.ports.outside.keys import Source
from blackthorn.programs.device.mail import shown_mail
from blackthorn.programs.device.opening.stored import open_stored
from blackthorn.programs.event_loop import run
from blackthorn.simulation.linking import add_device, bring_up, revoke
from tests.support.mail_world import (
    MailWorld,
    judged,
    mail_to,
    program_of,
    reader_of,
    secret_of,
    send,
    signed_mail,
)


def test_who_has_signed_is_told_of_each_mail():
    world = MailWorld(42, "alice", "bob")
    alice, bob = world.people
    send(alice, mail_to("bob@acme.example"))
    world.settle()
    world.deliver()
    assert [verified(world, person).signature for person in (alice, bob)] == ["own", "ledger"]
    assert not verified(world, bob).readable
    secret, certificate = generate_user_key("dora@example.net")

    def from_dora(author, signer):
        now = world.now_ms // 1000
        return judged(bob, signed_mail(author, signer, reader_of(bob, now), now, bob.address))

    assert from_dora("dora@example.net", secret).signature == "unknown"
    assert from_dora("dora@example.net", None).signature == "none"
    assert from_dora("alice@acme.example", secret).signature == "wrong"
    assert from_dora("bob@acme.example", secret).signature == "wrong"
    assert from_dora("alice@acme.example, dora@example.net", secret).signature == "unknown"
    with bob.vault.transaction() as records:
        outside_keys.learn(
            records, Address("dora@example.net"), Source.WKD, certificate, world.now_ms
        )
    assert from_dora("dora@example.net", secret).signature == "pinned"
    assert from_dora("alice@acme.example", secret).readable


def verified(world, person):
    (sealed,) = world.mailbox(person)
    return judged(person, sealed)


def by_bob(world, reader, secret):
    """What the reader's device says of a mail by bob, signed by this key."""
    now = world.now_ms // 1000
    sealed = signed_mail("bob@acme.example", Secret(secret), reader_of(reader, now), now, "x@y.zz")
    return judged(reader, sealed).signature


@pytest.mark.parametrize("copies", [False, True])
def test_a_colleague_may_sign_by_the_certificate_for_other_programs(copies):
    world = MailWorld(47, "alice", "bob")
    alice, bob = world.people
    with bob.unit() as unit:
        made = keys.fresh_compatible(unit.records, bob.address, unit.now_ms, bytes)
    assert by_bob(world, alice, made.secret) == "wrong"
    bob.enqueue(lambda unit: change_chain.enqueue_compatible(unit, made, copies=copies))
    bring_up(world)
    alice.look_up(bob)
    world.settle()
    assert [by_bob(world, person, made.secret) for person in (alice, bob)] == ["ledger", "own"]


def test_a_replaced_key_is_not_said_to_be_the_users():
    world = MailWorld(48, "bob")
    (bob,) = world.people
    (known,) = keys_of(bob)
    assert by_bob(world, bob, known.secret) == "own"
    revoke(bob, add_device(bob, "laptop"))
    bring_up(world)
    newest, _ = keys_of(bob)
    assert by_bob(world, bob, newest.secret) == "own"
    assert by_bob(world, bob, known.secret) == "replaced"


@pytest.mark.parametrize("show", [render, render_head])
def test_no_header_in_a_further_seal_takes_the_place_of_the_signed_one(show):
    """Bob seals to alice, within what he signs, a mail that says it is carol's."""
    world = MailWorld(54, "alice", "bob")
    alice, bob = world.people
    now, reader = world.now_ms // 1000, reader_of(alice, world.now_ms // 1000)
    forged = signed_mail("carol@acme.example", None, reader, now, alice.address)
    kind, _, body = forged.partition(b"Content-Type: ")[2].partition(b"\r\n\r\n")
    entity = Entity(kind.decode(), (), body)
    sealed = BY_SENDER + signed_mail(
        bob.address, secret_of(bob), reader, now, alice.address, entity=entity
    )
    program = program_of(alice)

    async def read():
        return await shown_mail(program, await open_stored(program, sealed), show=show)

    found = run(read())
    assert (found.signature, found.rendered.sender) == ("ledger", bob.address)
    if show is render:
        (section,) = found.rendered.sections
        assert section.head == SEALED and "From: carol@acme.example\n" in section.text


def keys_of(person):
    with person.vault.transaction() as records:
        return records.mail_keys.all()
