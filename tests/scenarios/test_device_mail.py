"""Devices that send mail: sealed for each, once, through cuts, crashes and refusals."""

import random

import msgspec
import pytest

from blackthorn.crypto.openpgp_open import generate_user_key
from blackthorn.device.core import failures
from blackthorn.device.letters import letters, limits
from blackthorn.device.mail import outside_keys
from blackthorn.device.mail.keys import open_with_any
from blackthorn.device.operations import send_mail
from blackthorn.device.transparency.alarms import raise_alarm
from blackthorn.errors import OverrunError, UserError
from blackthorn.ids import Address
from blackthorn.link import frames as f
from blackthorn.mail.compose.entity import File
from blackthorn.ports.device_letters import CONTENT, DRAFT, SENT, WAITING
from blackthorn.ports.inbound.aliases import AddAlias, AliasKind
from blackthorn.ports.outside.keys import Source
from blackthorn.server.mail.recipient_policy import RecipientRefusedError, Refusal
from blackthorn.simulation.memory import CrashError
from tests.support.mail_world import MailWorld, letter_of, mail_to, send

DORA = "Dora@example.net"
SEALED = CONTENT + 1
"""The place of a mail's first sealed copy."""
LARGE = File("holiday.bin", random.Random(1).randbytes(1_500_000))


def pin(person, address, now_ms):
    """The person's device knows a certificate of somebody outside; the secret key of it."""
    secret, certificate = generate_user_key(address)
    with person.vault.transaction() as records:
        outside_keys.learn(records, Address(address), Source.WKD, certificate, now_ms)
    return secret


def test_two_people_mail_each_other():
    world = MailWorld(1, "alice", "bob")
    alice, bob = world.people
    number = send(alice, mail_to("bob@acme.example"))
    world.settle()
    assert alice.outcomes[number].error == ""
    world.deliver()
    (mail,), (own,) = world.opened(bob), world.opened(alice)
    assert mail.content == own.content
    assert b"Subject: the plan\r\n" in mail.content and b"Attack at dawn." in mail.content
    (stored,) = world.mailbox(bob)
    for hidden in (b"the plan", b"dawn", b"alice", b"bob@"):
        assert hidden not in stored
    record, head = letter_of(alice)
    assert record.standing == SENT and not head.refused
    with alice.vault.transaction() as records:
        assert not records.letters.size(record.number, 0) + records.letters.size(record.number, 1)


def test_a_mail_written_off_line_goes_out_later_once():
    world = MailWorld(2, "alice", "bob")
    alice, bob = world.people
    world.cut(alice.wire)
    send(alice, mail_to("bob@acme.example"))
    assert alice.waiting() == 1 and letter_of(alice)[0].standing == WAITING
    alice.restart()
    alice.connect()
    world.settle()
    world.reconnect_all()
    world.deliver()
    assert len(world.mailbox(bob)) == len(world.mailbox(alice)) == 1


def test_nobody_learns_of_a_bcc():
    """A copy for them alone: neither in a header nor among the keys that the others' mail has."""
    world = MailWorld(3, "alice", "bob", "carol")
    alice, bob, carol = world.people
    secret = world.publish_key("dora@example.net")
    written = mail_to("bob@acme.example", bcc=("carol@acme.example", "dora@example.net"))
    send(alice, written)
    world.settle()
    world.deliver()
    contents = [world.opened(person)[0].content for person in (alice, bob, carol)]
    ((address, outside),) = world.outside
    assert address == "dora@example.net"
    contents.append(open_with_any(outside, [secret]).content)
    for content in contents:
        assert b"To: bob@acme.example\r\n" in content
        assert b"carol" not in content and b"dora" not in content and b"Bcc" not in content
    assert b"carol" not in outside and b"Subject: [...]\r\n" in outside
    sizes = [len(world.mailbox(person)[0]) for person in (bob, carol)]
    assert sizes[1] < sizes[0], "the copy of a Bcc is sealed to more than one"


def test_people_outside_and_colleagues_have_copies_of_their_own():
    world = MailWorld(4, "alice", "bob")
    alice, bob = world.people
    secret = pin(alice, "dora@example.net", world.now_ms)
    number = send(alice, mail_to("bob@acme.example", cc=(DORA,)))
    world.settle()
    assert alice.outcomes[number].error == ""
    world.deliver()
    ((address, outside),) = world.outside
    assert address == DORA, "the local part stays as it was written"
    assert b"From: alice@acme.example\r\n" in outside and b"Cc: Dora@example.net\r\n" in outside
    assert b"Attack at dawn" in open_with_any(outside, [secret]).content
    assert b"\r\nAutocrypt: addr=alice@acme.example; prefer-encrypt=mutual;" in outside
    (stored,) = world.mailbox(bob)
    assert b"From: Blackthorn <blackthorn@acme.example>\r\n" in stored
    with pytest.raises(Exception, match="cannot be opened"):
        open_with_any(stored, [secret])


def test_a_large_mail_goes_on_where_it_was_cut():
    """The link is cut after each frame of the device: no piece is lost, none is stored twice."""
    world = MailWorld(5, "alice", "bob")
    alice, bob = world.people
    send(alice, mail_to("bob@acme.example", files=(LARGE,)))
    sent = 0
    for _ in range(60):
        if not alice.waiting():
            break
        for _ in range(6):
            if alice.wire is None or not world.step_wire(alice.wire, to_server=True):
                break
            world.writer.commit()
            world.step_wire(alice.wire, to_server=False)
        uploads = world.submission.uploads._found.values()
        sent = max([sent, *(len(upload.data) for upload in uploads)])
        world.cut(alice.wire)
        alice.connect()
        world._ledger_step()
    world.settle()
    assert sent > 500_000 and alice.waiting() == 0
    world.deliver()
    assert len(world.mailbox(bob)) == len(world.mailbox(alice)) == 1
    assert b"holiday.bin" in world.opened(bob)[0].content


def test_the_progress_of_an_upload_can_be_seen():
    world = MailWorld(6, "alice", "bob")
    alice, _ = world.people
    send(alice, mail_to("bob@acme.example", files=(LARGE,)))
    seen = set()
    while alice.waiting():
        moved = world.step_wire(alice.wire, to_server=True)
        moved = world.writer.commit() > 0 or moved
        moved = world.step_wire(alice.wire, to_server=False) or moved
        seen.add(alice.device.upload)
        if not moved:
            world.settle()
    taken = sorted(taken for taken, _ in seen)
    (total,) = {total for _, total in seen if total}
    assert len(taken) > 4 and taken[-1] == total > 1_500_000


@pytest.mark.parametrize("stored", [False, True])
def test_a_crash_at_any_write_of_the_device_loses_nothing_and_sends_nothing_twice(stored):
    for writes in range(1, 8):
        world = MailWorld(10 + writes, "alice", "bob")
        alice, bob = world.people
        alice.vault.crash_in(writes, stored=stored)
        crashed = False
        try:
            send(alice, mail_to("bob@acme.example"))
            world.settle()
        except CrashError:
            crashed = True
        alice.vault.crash_in(0, stored=False)
        alice.restart()
        world.reconnect_all()
        world.deliver()
        if letters_of(alice):
            assert len(world.mailbox(bob)) == len(world.mailbox(alice)) == 1
            assert letter_of(alice)[0].standing == SENT
        else:
            assert writes == 1 and not stored and not world.mailbox(bob)
        if not crashed:
            break


def letters_of(person):
    with person.vault.transaction() as records:
        return records.letters.all()


@pytest.mark.parametrize("committed", [False, True])
def test_a_server_that_dies_before_its_answer_has_the_mail_once(committed):
    world = MailWorld(20 + committed, "alice", "bob")
    alice, bob = world.people
    send(alice, mail_to("bob@acme.example"))
    while world.writer.waiting == 0 or not world.submission.uploads._found:
        moved = world.step_wire(alice.wire, to_server=True)
        moved = world.step_wire(alice.wire, to_server=False) or moved
        if not moved and not world.writer.waiting:
            assert world._ledger_step()
        if world.submission.uploads._found:
            break
        world.writer.commit()
    while world.step_wire(alice.wire, to_server=True):
        pass
    world.crash(committed=committed)
    world.reconnect_all()
    world.deliver()
    assert len(world.mailbox(bob)) == 1 and alice.waiting() == 0


def test_a_recipient_who_is_refused_keeps_nothing_from_the_others(monkeypatch):
    world = MailWorld(30, "alice", "bob", "carol")
    alice, bob, carol = world.people
    policy = world.submission.submissions.recipients.policy
    real = policy.recipient

    def recipient(path, done):
        if path.startswith("carol"):
            done(RecipientRefusedError(Refusal.LEFT, "<carol@acme.example> has left"))
        else:
            real(path, done)

    monkeypatch.setattr(policy, "recipient", recipient)
    send(alice, mail_to("bob@acme.example", "carol@acme.example"))
    world.settle()
    world.deliver()
    assert len(world.mailbox(bob)) == 1 and not world.mailbox(carol)
    record, head = letter_of(alice)
    assert record.standing == SENT
    assert head.refused == {"carol@acme.example": "<carol@acme.example> has left"}
    monkeypatch.setattr(policy, "recipient", lambda path, done: recipient("carol", done))
    number = send(alice, mail_to("bob@acme.example"))
    world.settle()
    assert "has left" in alice.outcomes[number].error
    assert letters_of(alice)[-1].standing == DRAFT


@pytest.mark.parametrize("cc", [(), ("alice@acme.example",)], ids=["not named", "named in Cc"])
def test_a_mail_whose_own_copy_is_refused_is_told_and_stays_a_draft(monkeypatch, cc):
    """Its text would be nowhere."""
    world = MailWorld(49, "alice", "bob")
    alice, bob = world.people
    policy = world.submission.submissions.recipients.policy
    real = policy.recipient

    def recipient(path, done):
        if path.startswith("alice"):
            done(RecipientRefusedError(Refusal.LEFT, "the mailbox is locked"))
        else:
            real(path, done)

    monkeypatch.setattr(policy, "recipient", recipient)
    written = mail_to("bob@acme.example", cc=cc)
    number = send(alice, written)
    world.settle()
    world.deliver()
    assert alice.outcomes[number].error == "" and len(world.mailbox(bob)) == 1
    record, head = letter_of(alice)
    with alice.vault.transaction() as records:
        *_, told = failures.all_failures(records.settings)
        text = records.letters.read(record.number, CONTENT)
        sealed = records.letters.size(record.number, SEALED)
    assert told.what == "your mailbox has no copy of the mail to"
    assert told.name == ", ".join(head.recipients)
    kept = f"the mailbox is locked; what you wrote is kept as draft {record.number}"
    assert told.reason == kept
    assert (record.standing, text, sealed) == (DRAFT, written.entity.body, 0)
    assert record.why == (
        "a copy to your mailbox: the mailbox is locked; bob@acme.example got it already, and would "
        "get the draft as another mail"
    )


@pytest.mark.parametrize("place", [0, limits.PIECE_BYTES, None], ids=["first", "next", "last"])
def test_a_mail_of_which_a_piece_is_lost_becomes_a_draft(place):
    world = MailWorld(50, "alice", "bob")
    alice, bob = world.people
    send(alice, mail_to("bob@acme.example", files=(LARGE,)))
    until_sealed(world, alice)
    lose(alice, SEALED, place)
    world.settle()
    (record,) = letters_of(alice)
    assert record.standing == DRAFT and "missing in this device's database" in record.why
    assert alice.waiting() == 0
    lose(alice, CONTENT, place)
    number = alice.enqueue(lambda unit: send_mail.enqueue_draft(unit, record.number))
    world.settle()
    assert "a part of a stored mail is missing" in alice.outcomes[number].error
    world.deliver()
    assert not world.mailbox(bob)


def test_a_draft_says_who_has_got_it_before():
    world = MailWorld(55, "alice", "bob")
    alice, bob = world.people
    world.publish_key(DORA.lower())
    send(alice, mail_to("bob@acme.example", DORA))
    until_sealed(world, alice)
    lose(alice, SEALED + 1, 0)
    world.settle()
    world.deliver()
    assert len(world.mailbox(bob)) == 1 and not world.outside
    (record,) = letters_of(alice)
    assert record.standing == DRAFT
    assert record.why.endswith(
        "; bob@acme.example got it already, and would get the draft as another mail"
    )


def lose(person, copy, place):
    """The piece at that place, or the last one."""
    pieces = person.vault.connection
    if place is None:
        query = "SELECT max(place) FROM letter_piece WHERE copy = ?"
        ((place,),) = pieces.execute(query, (copy,)).fetchall()
    pieces.execute("DELETE FROM letter_piece WHERE copy = ? AND place = ?", (copy, place))


def until_sealed(world, person):
    while not letters.head_of(letters_of(person)[0]).copies:
        world.step_wire(person.wire, to_server=True)
        world._ledger_step()
        world.step_wire(person.wire, to_server=False)
        person.tick()


def test_a_mail_to_somebody_without_a_key_is_not_sent_and_stays_a_draft():
    world = MailWorld(31, "alice", "bob")
    alice, bob = world.people
    number = send(alice, mail_to("bob@acme.example", "eve@example.net"))
    world.settle()
    assert "no key is known for eve@example.net" in alice.outcomes[number].error
    record, _ = letter_of(alice)
    assert record.standing == DRAFT and "no key is known" in record.why
    world.publish_key("eve@example.net")
    world.later(2 * 3_600)  # the server has remembered that there was none
    world.reconnect_all()
    alice.enqueue(lambda unit: send_mail.enqueue_draft(unit, record.number))
    world.settle()
    world.deliver()
    assert len(world.mailbox(bob)) == 1 and len(world.outside) == 1
    assert letter_of(alice)[0].standing == SENT


def test_a_domain_is_asked_once_a_day_and_a_changed_key_is_told():
    world = MailWorld(40, "alice")
    (alice,) = world.people
    world.publish_key("dora@example.net")
    for _ in range(2):
        send(alice, mail_to(DORA))
        world.settle()
    assert world.asked == ["dora@example.net"] and not alice.waiting()
    world.publish_key("dora@example.net")
    world.submission.submissions.queue.clock.later(2 * 86_400)
    world.reconnect_all()
    number = send(alice, mail_to(DORA))
    world.settle()
    world.later(60)
    world.reconnect_all()
    assert "the certificate of dora@example.net has changed" in alice.outcomes[number].error
    assert letters_of(alice)[-1].standing == DRAFT


def test_two_mails_that_ask_for_the_same_people_book_each_answer_to_whom_it_is_of():
    world = MailWorld(45, "alice")
    (alice,) = world.people
    secrets = [world.publish_key(f"{name}@example.net") for name in ("dora", "erin")]
    numbers = [send(alice, mail_to(DORA, "erin@example.net")) for _ in range(2)]
    world.settle()
    assert [alice.outcomes[number].error for number in numbers] == ["", ""]
    world.deliver()
    assert all(open_with_any(sealed, secrets).content for _, sealed in world.outside)
    assert sorted(address for address, _ in world.outside) == [
        DORA,
        DORA,
        *["erin@example.net"] * 2,
    ]


def until_asked(world, person):
    """The answer is on its way."""
    while not world.asked:
        world.step_wire(person.wire, to_server=False)
        world._ledger_step()
        person.tick()
        world.step_wire(person.wire, to_server=True)


@pytest.mark.parametrize(
    "answer",
    [
        lambda request: f.CertificatesFound(request, "eve@example.net", b""),
        lambda request: f.CertificatesFound(request, "erin@example.net", b""),
        lambda request: f.SubmissionState(request, 0, []),
        lambda request: f.MailSubmitted(request, 1),
    ],
    ids=["of a stranger", "of who is to be asked next", "of an upload", "of its end"],
)
def test_an_answer_about_something_else_is_not_believed(answer):
    world = MailWorld(46, "alice")
    (alice,) = world.people
    send(alice, mail_to(DORA, "erin@example.net"))
    until_asked(world, alice)
    with pytest.raises(OverrunError, match="something that was not asked for"):
        alice.device.receive(answer(alice.last_operation()), alice.now_ms)


def test_an_answer_that_another_process_had_before_delays_nothing():
    world = MailWorld(47, "alice")
    (alice,) = world.people
    world.publish_key("dora@example.net")
    send(alice, mail_to(DORA))
    until_asked(world, alice)
    (dora,) = world.asked
    with alice.unit() as unit:
        outside_keys.learn(unit.records, dora, Source.WKD, world.published[dora], unit.now_ms)
        (record,) = unit.records.letters.all()
        head = msgspec.structs.replace(letters.head_of(record), asked=[dora])
        letters.put(unit, record, head)
    world.settle()
    world.deliver()
    assert not alice.waiting() and len(world.outside) == 1


def test_a_mail_waits_for_a_domain_that_does_not_answer():
    world = MailWorld(41, "alice")
    (alice,) = world.people
    world.unreachable = True
    number = send(alice, mail_to(DORA))
    world.settle()
    assert "cannot be looked up now: the domain does not answer" in alice.outcomes[number].error
    world.unreachable = False
    world.publish_key("dora@example.net")
    world.later(61)
    world.reconnect_all()
    world.deliver()
    assert alice.outcomes[number].error == "" and len(world.outside) == 1


def test_a_colleague_who_does_not_exist_is_named():
    world = MailWorld(32, "alice", "bob")
    alice, _ = world.people
    number = send(alice, mail_to("nobody@acme.example"))
    world.settle()
    error = alice.outcomes[number].error
    assert error.startswith(
        "there is no user nobody@acme.example here; if it is an alias or a list"
    )


def test_a_plus_address_of_a_colleague_is_sealed_to_them():
    world = MailWorld(33, "alice", "bob")
    alice, bob = world.people
    number = send(alice, mail_to("bob+lists@acme.example"))
    world.settle()
    world.deliver()
    assert alice.outcomes[number].error == "" and len(world.mailbox(bob)) == 1


@pytest.mark.parametrize("hours", [-5, 5])
def test_mail_waits_for_the_right_clock(hours):
    """Others refuse a signature of tomorrow."""
    world = MailWorld(34, "alice", "bob")
    alice, bob = world.people
    alice.ahead_ms = hours * 3_600_000
    number = send(alice, mail_to("bob@acme.example"))
    world.settle()
    assert "set the clock" in alice.outcomes[number].error
    alice.ahead_ms = 0
    world.later(60)
    world.reconnect_all()
    world.deliver()
    assert len(world.mailbox(bob)) == 1


def test_a_full_disk_of_the_server_delays_the_mail():
    world = MailWorld(35, "alice", "bob")
    alice, bob = world.people
    world.full = True
    number = send(alice, mail_to("bob@acme.example"))
    world.settle()
    assert "the disk is nearly full" in alice.outcomes[number].error and alice.waiting() == 1
    world.full = False
    world.later(60)
    world.reconnect_all()
    world.deliver()
    assert len(world.mailbox(bob)) == 1


def test_an_open_alarm_of_a_recipient_stops_the_mail():
    world = MailWorld(36, "alice", "bob")
    alice, bob = world.people
    with alice.unit() as unit:
        raise_alarm(unit.records, "false-certificate", bob.address, "another key", unit.now_ms)
    send(alice, mail_to("bob@acme.example"))
    world.settle()
    assert alice.device.blocked and alice.waiting() == 1 and not world.mailbox(bob)


def test_more_than_one_copy_is_sealed_for_many(monkeypatch):
    monkeypatch.setattr(limits, "MAX_SEALED_TO", 2)
    world = MailWorld(37, "alice", "bob", "carol", "dave")
    alice, *others = world.people
    send(alice, mail_to(*(str(person.address) for person in others)))
    world.settle()
    world.deliver()
    assert [len(world.mailbox(person)) for person in world.people] == [1, 1, 1, 1]
    assert len({world.mailbox(person)[0] for person in world.people}) == 2


def test_bounds_of_drafts_and_recipients(monkeypatch):
    world = MailWorld(38, "alice", "bob")
    alice, _ = world.people
    many = [f"p{number}@example.net" for number in range(101)]
    with pytest.raises(UserError, match="at most 100 recipients, not 101"):
        send(alice, mail_to(*many))
    with pytest.raises(UserError, match="no recipient"):
        send(alice, mail_to())
    blind = mail_to(bcc=("p1@example.net", "p2@example.net", "p2@example.net"))
    monkeypatch.setattr(limits, "MAX_BLIND_BYTES", 2 * len(blind.entity.body) - 1)
    with pytest.raises(UserError, match=r"each of 2 Bcc recipients .* has room for 1: send it to"):
        send(alice, blind)
    with alice.unit() as unit:
        number = letters.save(unit, blind, DRAFT)
    with pytest.raises(UserError, match="has room for 1"):
        alice.enqueue(lambda unit: send_mail.enqueue_draft(unit, number))
    with alice.vault.transaction() as records:
        records.letters.remove(number)
    monkeypatch.setattr(limits, "MAX_KEPT_LETTERS", 1)
    with alice.unit() as unit:
        number = letters.save(unit, mail_to(), DRAFT)
    with pytest.raises(UserError, match="1 drafts and mails on their way are kept"):
        send(alice, mail_to("bob@acme.example"))
    with pytest.raises(UserError, match="no recipient"):
        alice.enqueue(lambda unit: send_mail.enqueue_draft(unit, number))
    with pytest.raises(UserError, match=f"there is no draft {number + 1}"):
        alice.enqueue(lambda unit: send_mail.enqueue_draft(unit, number + 1))
    assert alice.waiting() == 0


@pytest.mark.parametrize("offset", [10, 2**40])
def test_a_server_that_claims_to_have_what_was_not_sent_is_not_believed(offset):
    world = MailWorld(39, "alice", "bob")
    alice, _ = world.people
    send(alice, mail_to("bob@acme.example", files=(LARGE,)))
    until_sealed(world, alice)
    answer = f.SubmissionState(alice.last_operation(), offset, [])
    with pytest.raises(OverrunError, match="another part of a mail"):
        alice.device.receive(answer, alice.now_ms)


def answers(world, person, *frames):
    """What the server answers to frames that the person's device was made to send."""
    heard = []
    real = person.device.receive
    person.device.receive = lambda frame, now_ms: heard.append(frame) or real(frame, now_ms)
    person.wire.say(*frames)
    world.settle()
    return [frame for frame in heard if isinstance(frame, f.SubmissionState | f.MailSubmitted)]


def test_a_device_that_lies_is_refused():
    """Another's address, bytes that are not sealed, pieces of nothing, too much."""
    world = MailWorld(43, "alice", "bob")
    alice, bob = world.people
    token, to = b"t" * 16, ["bob@acme.example"]
    (answer,) = answers(world, alice, f.SubmitMail(900, token, "bob@acme.example", to, 5))
    assert answer.refusal.startswith("you can send mail as alice@acme.example, and as aliases")
    assert not answer.retry_ms
    (answer,) = answers(world, alice, f.SubmitMailPiece(900, token, 0, b"x"))
    assert answer.retry_ms == 1_000
    plain = b"From: alice@acme.example\r\nSubject: hi\r\n\r\nAttack at dawn.\r\n"
    offer = f.SubmitMail(901, token, "alice@acme.example", to, len(plain))
    *_, answer = answers(world, alice, offer, f.SubmitMailPiece(901, token, 0, plain))
    assert "the mail is not encrypted" in answer.refusal and not answer.retry_ms
    team, members = Address("team@acme.example"), (Address("alice@acme.example"), Address(to[0]))
    world.ledger.engine.execute(AddAlias("team", team, AliasKind.LIST, members, 9))
    offer = f.SubmitMail(902, token, "alice@acme.example", ["nobody@acme.example", "@", team], 5)
    (answer,) = answers(world, alice, offer)
    reasons = {one.address: one.reason for one in answer.refused}
    assert reasons.keys() == {"nobody@acme.example", "@", team}
    assert "write to the people themselves" in reasons[team]
    world.deliver()
    assert not world.mailbox(bob) and not world.outside


def test_a_hidden_author_is_for_colleagues_only():
    world = MailWorld(44, "alice", "bob")
    alice, bob = world.people
    send(alice, mail_to("bob@acme.example"))
    world.settle()
    world.deliver()
    (stored,) = world.mailbox(bob)
    offer = f.SubmitMail(900, b"t" * 16, "alice@acme.example", [DORA], len(stored))
    *_, answer = answers(world, alice, offer, f.SubmitMailPiece(900, b"t" * 16, 0, stored))
    assert answer.refusal.startswith("you can send mail as alice@acme.example, and")
