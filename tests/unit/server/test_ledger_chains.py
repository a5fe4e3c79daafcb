"""Submission (server/ledger/chains.py, its numbered rules) and resets (server/ledger/resets.py)."""

from typing import Any

import pytest

from blackthorn.errors import StorageError
from blackthorn.identity.bodies import Role
from blackthorn.identity.chain import first_statement
from blackthorn.identity.keys import SigningKeys
from blackthorn.identity.statements import (
    RECOVERY,
    AddDevice,
    Cancel,
    DeviceInfo,
    Genesis,
    Reset,
    RevokeDevice,
    Rotate,
    SetCompatible,
    SetOpenPGP,
    SetRecovery,
    make,
)
from blackthorn.ids import Address
from blackthorn.ports.enrolment import Enrolled, OrphanStep, PurgeOrphans
from blackthorn.ports.enterprise import Standing
from blackthorn.server.ledger import limits as ledger_limits
from blackthorn.simulation.ledger import DELAY_MS
from blackthorn.wire import limits as wire_limits
from tests.support.certificates import unsealable
from tests.support.ledger_world import LedgerWorld, Model, certified, compatible

HOUR_MS = 3_600_000


@pytest.fixture
def world() -> LedgerWorld:
    return LedgerWorld(20)


def told(world: LedgerWorld, address: Address, body: object, *signers: Model, **how) -> str:
    """Submit, commit, and the answer."""
    answers = world.submit(address, world.draft(address, body), *signers, **how)
    world.writer.commit()
    (answer,) = answers
    return answer


def add(world: LedgerWorld, address: Address, by: Model, name: str = "d") -> Model:
    new = world.model(name)
    assert told(world, address, AddDevice(new.info), by, new) == ""
    return new


# --- Rule 1: compare and set ----------------------------------------------------------------


def test_nothing_is_answered_before_it_is_durable(world: LedgerWorld) -> None:
    alice, phone = world.user("alice")
    answers = world.submit(alice, world.draft(alice, SetRecovery(None)), phone)
    assert answers == []
    world.writer.commit()
    assert answers == [""]


def test_of_two_statements_at_one_place_the_first_is_stored(world: LedgerWorld) -> None:
    alice, phone = world.user("alice")
    laptop = add(world, alice, phone)
    one = world.submit(alice, world.draft(alice, SetRecovery(None)), phone)
    two = world.submit(alice, world.draft(alice, RevokeDevice(phone.id, "lost", 1)), laptop)
    world.writer.commit()
    assert one == [""] and "another statement was first" in two[0]
    assert set(world.rows(alice)) == {phone.id, laptop.id}, "the loser has removed nothing"


def test_the_same_statement_again_counts_as_stored_however_it_comes(world: LedgerWorld) -> None:
    alice, phone = world.user("alice")
    draft = world.draft(alice, SetRecovery(None))
    data = make(draft, [(phone.id, phone.keys)]).encode()
    at_once = [world.send(alice, phone, data), world.send(alice, phone, data)]
    world.writer.commit()
    assert at_once == [[""], [""]]
    world.crash()
    assert world.send(alice, phone, data) == [""]
    world.settle()
    add(world, alice, phone)
    assert world.send(alice, phone, data) == [""]
    assert world.stored(alice).seq == 3


def test_a_full_disk_stores_nothing_and_is_told(world: LedgerWorld) -> None:
    alice, phone = world.user("alice")
    world.writer.fail(StorageError("the disk is full"))
    assert told(world, alice, SetRecovery(None), phone) == "the disk is full"
    world.writer.fail(None)
    assert world.stored(alice).seq == 1
    assert told(world, alice, SetRecovery(None), phone) == ""


# --- Rules of identity hold here too ---------------------------------------------------------


def test_what_breaks_a_rule_of_chains_is_refused_with_its_number(world: LedgerWorld) -> None:
    alice, phone = world.user("alice")
    bob, tablet = world.user("bob")
    stranger = world.model()
    assert "[I20]" in told(world, alice, SetRecovery(None), stranger)
    assert "[I20]" in told(world, alice, SetRecovery(None), tablet)
    assert "[I28]" in told(world, alice, RevokeDevice(phone.id, "lost", 0), phone)
    mine = make(world.draft(bob, SetRecovery(None)), [(tablet.id, tablet.keys)]).encode()
    assert "[I13]" in world.send(alice, phone, mine)[0]
    assert "[I2]" in world.send(alice, phone, b"no statement")[0]
    assert world.counters.statements_refused == 5
    assert world.stored(alice).seq == world.stored(bob).seq == 1


def test_a_user_without_a_chain_cannot_begin_one_by_himself(world: LedgerWorld) -> None:
    carol, phone = world.add_user("carol"), world.model()
    draft = first_statement(carol, Genesis(phone.info), world.now_ms)
    refused = world.send(carol, phone, make(draft, [(phone.id, phone.keys)]).encode())
    assert "activate a device first" in refused[0]


# --- Rule 2: certificates --------------------------------------------------------------------


def test_a_certificate_is_stored_with_its_statement_and_is_the_users(world: LedgerWorld) -> None:
    alice, phone = world.user("alice")
    assert world.enterprise.user(alice).certificate is None
    certificate, body = certified(alice)
    assert told(world, alice, body, phone, certificate=certificate) == ""
    assert world.enterprise.user(alice).certificate == certificate
    world.settle()
    newer, body = certified(alice, 1)
    assert told(world, alice, body, phone, certificate=newer) == ""
    assert world.enterprise.user(alice).certificate == newer
    label = world.store.label(alice)
    assert world.store.certificate(label.user, 2) == certificate, "as long as it is the published"
    world.settle()
    assert world.store.certificate(label.user, 2) is None


def test_a_certificate_must_come_fit_and_have_signed(world: LedgerWorld) -> None:
    alice, phone = world.user("alice")
    certificate, body = certified(alice)
    assert "the statement that names it" in told(world, alice, body, phone)
    assert "the statement that names it" in told(
        world, alice, SetRecovery(None), phone, certificate=certificate
    )
    assert "[I39]" in told(world, alice, body, phone, certificate=certificate + b"\x00")
    unsigned = SetOpenPGP(body.fingerprint, body.digest, b"no signature")
    assert "[I41]" in told(world, alice, unsigned, phone, certificate=certificate)
    _, of_bob = certified("bob@acme.example")
    stolen = SetOpenPGP(of_bob.fingerprint, of_bob.digest, of_bob.proof)
    bobs = certified("bob@acme.example")[0]
    assert "[I41]" in told(world, alice, stolen, phone, certificate=bobs)
    assert world.enterprise.user(alice).certificate is None


def test_a_certificate_that_cannot_be_sealed_to_is_refused(world: LedgerWorld) -> None:
    alice, phone = world.user("alice")
    certificate, body = unsealable(alice)
    assert "make a new one" in told(world, alice, body, phone, certificate=certificate)
    assert world.enterprise.user(alice).certificate is None
    certificate, body = certified(alice)
    assert told(world, alice, body, phone, certificate=certificate) == ""


def test_a_compatible_certificate_stands_beside_the_other_until_it_is_revoked(
    world: LedgerWorld,
) -> None:
    alice, phone = world.user("alice")
    first, body = certified(alice)
    assert told(world, alice, body, phone, certificate=first) == ""
    certificate, body = compatible(alice, copies=True)
    assert "the statement that names it" in told(world, alice, body, phone)
    assert "[I39]" in told(world, alice, body, phone, certificate=first)
    assert told(world, alice, body, phone, certificate=certificate) == ""
    user = world.enterprise.user(alice)
    assert (user.certificate, user.compatible, user.copies) == (first, certificate, True)
    world.settle()
    revoked = SetCompatible(None)
    assert "the statement that names it" in told(world, alice, revoked, phone, certificate=first)
    assert told(world, alice, revoked, phone) == ""
    user = world.enterprise.user(alice)
    assert (user.certificate, user.compatible, user.copies) == (first, b"", False)


def test_a_revoked_device_ends_the_compatible_certificate(world: LedgerWorld) -> None:
    alice, phone = world.user("alice")
    laptop = world.model()
    draft = world.draft(alice, AddDevice(laptop.info))
    world.submit(alice, draft, phone, laptop)
    world.settle()
    certificate, body = compatible(alice)
    assert told(world, alice, body, phone, certificate=certificate) == ""
    assert world.enterprise.user(alice).compatible == certificate
    world.settle()
    assert told(world, alice, RevokeDevice(laptop.id, "", 0), phone) == ""
    assert world.enterprise.user(alice).compatible == b""


# --- Rule 3 and 4: resets and cancels --------------------------------------------------------


def test_a_reset_is_not_submitted_without_a_code(world: LedgerWorld) -> None:
    alice, _ = world.user("alice")
    new = world.model()
    assert "needs an activation code" in told(world, alice, Reset(new.info), new)


def test_a_reset_waits_for_its_delay_and_then_only_its_device_is_left(world: LedgerWorld) -> None:
    alice, phone = world.user("alice")
    certificate, body = certified(alice)
    told(world, alice, body, phone, certificate=certificate)
    certificate, body = compatible(alice)
    told(world, alice, body, phone, certificate=certificate)
    new = world.model()
    world.reset(alice, new)
    world.settle()
    assert world.rows(alice) == {phone.id: Standing.LIVE, new.id: Standing.PENDING}
    pending = world.published_chain(alice).pending
    assert pending.device.id == new.id
    world.settle(DELAY_MS - 20_000)
    assert world.rows(alice) == {phone.id: Standing.LIVE, new.id: Standing.PENDING}
    world.settle(20_000)
    assert world.rows(alice) == {new.id: Standing.LIVE}
    assert [each.id for each in world.published_chain(alice).devices] == [new.id]
    assert world.changes[-1].removed == (phone.id,)
    assert world.enterprise.user(alice).certificate is None
    assert world.enterprise.user(alice).compatible == b""
    assert "[I20]" in told(world, alice, SetRecovery(None), phone)
    assert told(world, alice, SetRecovery(None), new) == ""


def test_a_reset_becomes_effective_without_any_other_change(world: LedgerWorld) -> None:
    """An epoch is made for it, though no heartbeat is due."""
    alice, phone = world.user("alice")
    world.reset(alice, world.model())
    world.settle()
    effective_ms = world.published_chain(alice).pending.effective_ms
    world.settle(effective_ms - world.now_ms - 20_000)
    world.settle(19_999)
    assert phone.id in world.rows(alice)
    world.settle(1)
    assert phone.id not in world.rows(alice)


def test_a_pending_device_signs_nothing_and_a_waiting_reset_stops_all_but_its_cancel(
    world: LedgerWorld,
) -> None:
    alice, phone = world.user("alice")
    new = world.model()
    world.reset(alice, new)
    world.settle()
    assert "[I35]" in told(world, alice, SetRecovery(None), new)
    assert "[I34]" in told(world, alice, SetRecovery(None), phone)
    assert "[I20]" in told(world, alice, Cancel(2), new)
    assert told(world, alice, Cancel(2), phone) == ""


def test_a_cancel_ends_the_reset_and_its_device(world: LedgerWorld) -> None:
    alice, phone = world.user("alice")
    new = world.model()
    world.reset(alice, new)
    world.settle()
    assert told(world, alice, Cancel(2), phone) == ""
    assert new.id in world.rows(alice), "it goes once the cancel is published in time"
    assert "waits to be logged" in told(world, alice, SetRecovery(None), phone)
    world.settle()
    assert world.rows(alice) == {phone.id: Standing.LIVE}
    assert world.changes[-1].removed == (new.id,)
    assert told(world, alice, SetRecovery(None), phone) == ""
    assert isinstance(world.reset(alice, world.model()), list)
    world.settle()
    assert world.published_chain(alice).pending is not None


def test_a_reset_that_is_cancelled_before_it_was_logged_never_counts(world: LedgerWorld) -> None:
    alice, phone = world.user("alice")
    world.reset(alice, world.model())
    world.writer.commit()
    assert told(world, alice, Cancel(2), phone) == ""
    world.settle()
    assert world.published_chain(alice).pending is None
    assert world.rows(alice) == {phone.id: Standing.LIVE}


def test_a_cancel_that_silent_witnesses_kept_too_long_is_dropped_not_logged() -> None:
    """Logged too late it would break the chain for everybody who replays it."""
    world = LedgerWorld(21, witnesses=1)
    alice, phone = world.user("alice")
    new = world.model()
    world.reset(alice, new)
    world.settle()
    world.tick(DELAY_MS - 600_000)
    world.writer.commit()
    assert world.ledger.waiting is not None
    assert told(world, alice, Cancel(2), phone) == ""
    world.now_ms += 1_200_000  # the witnesses say nothing
    world.settle()
    world.settle()
    chain = world.published_chain(alice)
    assert [each.id for each in chain.devices] == [new.id] and chain.seq == 2
    assert world.rows(alice) == {new.id: Standing.LIVE}
    assert told(world, alice, SetRecovery(None), new) == ""
    world.settle()
    world.audit()


def test_a_second_reset_can_follow_an_effective_one(world: LedgerWorld) -> None:
    alice, _ = world.user("alice")
    one, two = world.model(), world.model()
    world.reset(alice, one)
    world.settle()
    world.settle(DELAY_MS)
    world.reset(alice, two)
    world.settle()
    assert world.rows(alice) == {one.id: Standing.LIVE, two.id: Standing.PENDING}
    world.crash()
    world.settle(DELAY_MS)
    assert world.rows(alice) == {two.id: Standing.LIVE}


# --- Rule 5: bounds --------------------------------------------------------------------------


def test_a_user_stores_so_many_statements_an_hour_but_takes_back_what_is_his(
    world: LedgerWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_limits, "MAX_STATEMENTS_PER_HOUR", 3)
    alice, phone = world.user("alice")
    sheet = SigningKeys.generate(world.chance.randbytes)
    assert told(world, alice, SetRecovery(sheet.public), phone) == ""
    laptop = add(world, alice, phone)
    assert "too many statements" in told(world, alice, SetRecovery(None), phone)
    recovered = world.model()
    draft = world.draft(alice, AddDevice(recovered.info, recovered=True))
    signed = make(draft, [(recovered.id, recovered.keys), (RECOVERY, sheet)]).encode()
    answers = world.send(alice, recovered, signed)
    world.writer.commit()
    assert answers == [""]
    assert told(world, alice, RevokeDevice(laptop.id, "thief", 1), recovered) == ""
    world.settle(HOUR_MS)
    assert told(world, alice, SetRecovery(None), phone) == ""


def test_a_device_that_submits_without_end_stops_itself_and_nobody_else(
    world: LedgerWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_limits, "MAX_SUBMISSIONS_PER_HOUR", 4)
    alice, phone = world.user("alice")
    new = world.model()
    world.reset(alice, new)
    world.settle()
    answers = [told(world, alice, SetRecovery(None), new) for _ in range(5)]
    assert "[I35]" in answers[3] and "submitted too much" in answers[4]
    assert told(world, alice, Cancel(2), phone) == ""


def test_the_last_places_of_a_chain_are_kept(
    world: LedgerWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire_limits, "MAX_CHAIN_STATEMENTS", ledger_limits.RESERVED_STATEMENTS + 3)
    alice, phone = world.user("alice")
    laptop = add(world, alice, phone)
    assert told(world, alice, SetRecovery(None), phone) == ""
    assert "the chain is full" in told(world, alice, SetRecovery(None), phone)
    assert told(world, alice, RevokeDevice(laptop.id, "lost", 2), phone) == ""


# --- Rule 6: what a statement brings about ---------------------------------------------------


def test_an_added_device_has_a_row_with_its_statement(world: LedgerWorld) -> None:
    alice, phone = world.user("alice")
    laptop = add(world, alice, phone, "laptop")
    record = world.enterprise.device(laptop.id)
    assert record.identity_key == laptop.keys.public.ed25519 and record.address == alice
    assert record.standing is Standing.LIVE
    assert world.changes[-1].address == alice


def test_a_revoked_device_loses_its_row_its_parcels_and_its_key_packages(
    world: LedgerWorld,
) -> None:
    alice, phone = world.user("alice")
    laptop = add(world, alice, phone)
    number = world.enterprise.device(laptop.id).number
    execute = world.database.writing.execute
    execute("INSERT INTO mailbox (device, seq, sealed) VALUES (?, 1, x'00')", (number,))
    execute("INSERT INTO shared_parcel VALUES (2, '', 1, x'00')")
    execute("INSERT INTO mailbox (device, seq, shared) VALUES (?, 2, 2)", (number,))
    execute("INSERT INTO key_package (device, last_resort, package) VALUES (?, 0, x'')", (number,))
    assert told(world, alice, RevokeDevice(laptop.id, "lost", 1), phone) == ""
    assert world.enterprise.device(laptop.id) is None
    assert world.changes[-1].removed == (laptop.id,)
    for table in ("mailbox", "shared_parcel", "key_package"):
        assert execute(f"SELECT count(*) FROM {table}").get == 0
    again = add(world, alice, phone)
    assert world.enterprise.device(again.id).number > number, "no number comes twice"


def test_what_was_on_its_way_to_a_removed_device_is_swept_away(world: LedgerWorld) -> None:
    _, phone = world.user("alice")
    live = world.enterprise.device(phone.id).number
    insert = "INSERT INTO mailbox (device, seq, sealed) VALUES (?, ?, x'00')"
    for device, seq in ((live, 1), (live + 7, 2), (live + 7, 3), (live + 9, 4)):
        world.database.writing.execute(insert, (device, seq))
    counted: list[OrphanStep] = []
    world.writer.submit(PurgeOrphans(0, 10, 10), counted.append)
    world.writer.commit()
    assert counted == [OrphanStep(3, None)]
    rows = world.database.reading.execute("SELECT device, seq FROM mailbox").fetchall()
    assert rows == [(live, 1)]


def test_a_rotated_device_keeps_its_row_under_a_new_id(world: LedgerWorld) -> None:
    alice, phone = world.user("alice")
    number = world.enterprise.device(phone.id).number
    new = world.model("phone, new keys")
    assert told(world, alice, Rotate(new.info, phone.id), phone, new) == ""
    assert world.enterprise.device(phone.id) is None
    record = world.enterprise.device(new.id)
    assert (record.number, record.identity_key) == (number, new.keys.public.ed25519)
    assert world.changes[-1].renamed == ((phone.id, new.id),)
    renamed = DeviceInfo.of("renamed", new.keys.public, world.mls_key())
    assert told(world, alice, Rotate(renamed, new.id), new) == ""
    assert world.changes[-1].renamed == ()


def test_a_user_has_a_bounded_number_of_devices(
    world: LedgerWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire_limits, "MAX_DEVICES_PER_USER", 2)
    alice, phone = world.user("alice")
    add(world, alice, phone)
    more = world.model()
    assert "[I26]" in told(world, alice, AddDevice(more.info), phone, more)
    world.reset(alice, more)
    world.settle()
    assert world.rows(alice)[more.id] is Standing.PENDING, "a reset is never kept out"


def test_a_device_of_another_user_cannot_be_added(world: LedgerWorld) -> None:
    alice, phone = world.user("alice")
    bob, tablet = world.user("bob")
    assert "activated before" in told(world, alice, AddDevice(tablet.info), phone, tablet)
    assert world.enterprise.device(tablet.id).address == bob
    assert world.stored(alice).seq == 1


def test_a_compliance_device_is_added_like_any_other_and_is_named_so(world: LedgerWorld) -> None:
    alice, phone = world.user("alice")
    archive = world.model()
    info = DeviceInfo.of("archive", archive.keys.public, archive.mls, role=Role.COMPLIANCE)
    assert told(world, alice, AddDevice(info), phone, archive) == ""
    assert [each.role for each in world.stored(alice).devices] == ["personal", "compliance"]


def test_enrolled_is_what_a_reset_answers(world: LedgerWorld) -> None:
    alice, _ = world.user("alice")
    answers = world.reset(alice, world.model())
    world.writer.commit()
    assert isinstance(answers[0], Enrolled) and answers[0].seq == 2


def test_a_reset_is_effective_by_the_witnesses_clocks_too() -> None:
    """They are half a minute late: so is the reset, by a few more epochs and not by a heartbeat."""
    world = LedgerWorld(22, witnesses=1)
    late = world.witnesses[0]
    cosign = late.cosign
    late.cosign = lambda checkpoint, second: cosign(checkpoint, second - 30)  # type: ignore[method-assign]
    alice, phone = world.user("alice")
    world.reset(alice, world.model())
    world.settle()
    effective_ms = world.published_chain(alice).pending.effective_ms
    world.settle(effective_ms - world.now_ms + 1_000)
    assert phone.id in world.rows(alice)
    world.settle(20_000)
    assert phone.id in world.rows(alice)
    world.settle(10_000)
    assert phone.id not in world.rows(alice)


def test_a_clock_far_ahead_of_the_witnesses_is_a_problem() -> None:
    world = LedgerWorld(23, witnesses=1)
    late = world.witnesses[0]
    cosign = late.cosign
    world.settle(0)
    assert world.ledger.problems() == []
    late.cosign = lambda checkpoint, second: cosign(checkpoint, second - 7_200)  # type: ignore[method-assign]
    world.settle(600_000)
    assert "7200 seconds ahead of its witnesses'" in world.ledger.problems()[0]


def test_a_defect_over_one_reset_keeps_no_other_waiting_and_ends_no_look_for_ever(
    world: LedgerWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("alice", "bob"):
        world.reset(world.user(name)[0], world.model())
    world.settle()
    resets, published = world.ledger._resets, world.ledger.published
    verified = resets.chains.verified
    judged: list[Address] = []

    def broken(address: Address, *arguments: Any) -> Any:
        judged.append(address)
        if len(judged) == 1:
            raise ZeroDivisionError
        return verified(address, *arguments)

    monkeypatch.setattr(resets.chains, "verified", broken)
    world.reader.hold()
    resets.look(published.size, published.time_ms)
    raised = 0
    while world.reader.waiting:
        answer, done = world.reader._waiting.pop(0)
        try:
            done(answer())
        except ZeroDivisionError:
            raised += 1
    assert (raised, len(set(judged))) == (1, 2)
    world.reader.release()
    resets.look(published.size, published.time_ms)
    assert len(judged) == 4, "the next look is not kept waiting either"


def test_a_reset_that_was_settled_while_it_is_looked_at_again_is_settled_once(
    world: LedgerWorld,
) -> None:
    """A device that its user has added in between stays."""
    alice, _ = world.user("alice")
    new = world.model()
    world.reset(alice, new)
    world.settle()
    effective_ms = world.published_chain(alice).pending.effective_ms
    world.settle(effective_ms - world.now_ms - 20_000)
    while not world.ledger._resets._settling:
        world.tick(1_000)
        world.cosign()
        if not world.ledger._resets._settling:
            world.writer.commit()
    published = world.ledger.published
    world.reader.hold(early=True)
    world.ledger._resets.look(published.size, published.time_ms)
    world.writer.commit()
    assert world.rows(alice) == {new.id: Standing.LIVE}
    added = world.model()
    answers = world.submit(alice, world.draft(alice, AddDevice(added.info)), new, added)
    world.reader.release()
    world.writer.commit()
    world.writer.commit()
    assert answers == [""]
    assert world.rows(alice) == {new.id: Standing.LIVE, added.id: Standing.LIVE}
