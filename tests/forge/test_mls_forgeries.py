"""Forged MLS messages: whatever is flipped, cut, added, repeated or out of place is refused,
with an `MLSError`, and the group that refused it is byte-identical to what it was."""

import random
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from blackthorn.mls import limits
from blackthorn.mls.codec import decode
from blackthorn.mls.codepoints import MEMBER, PUBLIC_MESSAGE
from blackthorn.mls.errors import (
    DecryptionFailed,
    FutureEpoch,
    GenerationConsumed,
    GroupState,
    InvalidSignature,
    MalformedMessage,
    MLSError,
    OwnMessage,
    UnknownGroup,
    Unsupported,
    WrongEpoch,
)
from blackthorn.mls.framing import protection
from blackthorn.mls.framing.framing import (
    AuthenticatedContent,
    FramedContent,
    PrivateMessage,
    Sender,
    encode_message,
    read_message,
)
from blackthorn.mls.framing.padding import size_class
from blackthorn.mls.framing.proposals import Remove
from blackthorn.mls.group.committing import sign_content
from blackthorn.mls.group.group import Group
from blackthorn.mls.suites import SUITE_1, SUITE_XWING_AES256
from blackthorn.wire.tls import u32
from tests.support.mls_people import NOW, Person, add, agree, believe, group_of, verified

SUITES = pytest.mark.parametrize("suite", [SUITE_1, SUITE_XWING_AES256])


def damaged(message: bytes, seed: int, flips: int = 60) -> Iterator[bytes]:
    """Bit flips all over, truncations, extensions."""
    seeded = random.Random(seed)
    places = {*range(12), *(seeded.randrange(len(message)) for _ in range(flips))}
    for place in sorted(places):
        forged = bytearray(message)
        forged[place] ^= 1 << seeded.randrange(8)
        yield bytes(forged)
    for size in (0, 1, 4, len(message) // 2, len(message) - 1):
        yield message[:size]
    yield message + b"\x00"
    yield message + message
    yield b"\x00" + message


def refused(person: Person, message: bytes) -> None:
    """The person refuses, and nothing has changed."""
    before = person.at.serialise()
    with pytest.raises(MLSError):
        person.read(message)
    assert person.at.serialise() == before


@SUITES
def test_forged_application_first_then_the_true_one_decrypts(suite: int) -> None:
    alice, bob = group_of(["alice", "bob"], 1, suite)
    message = alice.say(b"the true message")
    for forged in damaged(message, 2):
        refused(bob, forged)
    assert bob.hear(message) == b"the true message"


def test_a_thousand_forgeries_then_the_true_one() -> None:
    alice, bob = group_of(["alice", "bob"], 3)
    message = alice.say(b"still here")
    seeded = random.Random(4)
    before = bob.at.serialise()
    for _ in range(1000):
        forged = bytearray(message)
        forged[-1 - seeded.randrange(200)] ^= 1 << seeded.randrange(8)
        with pytest.raises(DecryptionFailed):
            bob.read(bytes(forged))
    assert bob.at.serialise() == before
    assert bob.hear(message) == b"still here"


@SUITES
def test_forged_proposals_and_commits(suite: int) -> None:
    alice, bob, carol = group_of(["alice", "bob", "carol"], 5, suite)
    proposal = alice.at.propose_update(random=alice.random)
    for forged in damaged(proposal, 6):
        refused(bob, forged)
    bob.read(proposal)
    carol.read(proposal)
    made = carol.at.commit(remove=[], random=carol.random, now=NOW, validate=believe)
    for forged in damaged(made.commit, 7):
        refused(bob, forged)
    bob.follow(made.commit)
    alice.follow(made.commit)
    carol.at.merge_pending()
    agree(alice, bob, carol)


@SUITES
def test_forged_welcomes(suite: int) -> None:
    alice, bob = group_of(["alice", "bob"], 8, suite)
    dave = Person("dave", random.Random(9), suite)
    message, private = dave.key_package()
    made = alice.at.commit(add=[verified(message)], random=alice.random, now=NOW, validate=believe)
    assert made.welcome is not None
    stored = private.serialise()
    for forged in damaged(made.welcome, 10):
        with pytest.raises(MLSError):
            dave.join(forged, private)
        assert private.serialise() == stored
    dave.join(made.welcome, private)
    bob.follow(made.commit)
    alice.at.merge_pending()
    agree(alice, bob, dave)


@SUITES
def test_forged_key_packages(suite: int) -> None:
    (alice,) = group_of(["alice"], 11, suite)
    message, _ = alice.key_package(last_resort=True)
    for forged in damaged(message, 12, flips=200):
        with pytest.raises(MLSError):
            verified(forged)
    verified(message)


def test_damaged_stored_state_is_refused_as_malformed() -> None:
    alice, bob = group_of(["alice", "bob"], 13)
    alice.hear(bob.say(b"x"))
    stored = alice.at.serialise()
    for size in range(0, len(stored), 7):
        with pytest.raises(MLSError):
            Group.deserialise(stored[:size])
    with pytest.raises(MalformedMessage):
        Group.deserialise(stored + b"\x00")


def test_random_bytes_raise_only_mls_errors() -> None:
    alice, bob = group_of(["alice", "bob"], 14)
    seeded = random.Random(15)
    before = bob.at.serialise()
    starts = [b"", *(b"\x00\x01\x00" + bytes([kind]) for kind in range(1, 6))]
    starts += [alice.say(b"x")[:40], bob.key_package()[0][:200]]
    for _ in range(3000):
        data = seeded.choice(starts) + seeded.randbytes(seeded.randrange(300))
        with pytest.raises(MLSError):
            bob.read(data)
        with pytest.raises(MLSError):
            verified(data)
        with pytest.raises(MLSError):
            Group.join(data, bob.key_package()[1], bob.private, validate=believe)
        if seeded.random() < 0.98:
            continue
        with pytest.raises(MLSError):
            Group.deserialise(data)
    assert bob.at.serialise() == before


def test_vectors_without_end_are_bounded() -> None:
    _, bob = group_of(["alice", "bob"], 16)
    blanks = bytes(4 * 1024 * 1024)
    header = (0x8000_0000 | len(blanks)).to_bytes(4, "big")
    for kind in (3, 4, 5):
        with pytest.raises(MLSError):
            bob.read(b"\x00\x01\x00" + bytes([kind]) + b"\x00\x01" + header + blanks)


# --- Replay and order ---------------------------------------------------------------------


def test_replay_is_refused() -> None:
    alice, bob = group_of(["alice", "bob"], 17)
    first, second = alice.say(b"1"), alice.say(b"2")
    assert bob.hear(second) == b"2"
    assert bob.hear(first) == b"1"
    before = bob.at.serialise()
    for message in (first, second):
        with pytest.raises(GenerationConsumed):
            bob.read(message)
    assert bob.at.serialise() == before


def test_replayed_proposal_is_refused() -> None:
    alice, bob = group_of(["alice", "bob"], 18)
    proposal = alice.at.propose_update(random=alice.random)
    bob.read(proposal)
    refused(bob, proposal)
    assert bob.at.waiting_proposals == 1


def test_a_generation_too_far_ahead_is_refused() -> None:
    alice, bob = group_of(["alice", "bob"], 19)
    for _ in range(limits.MLS_MAX_FORWARD + 2):
        late = alice.say(b"x")
    refused(bob, late)


def test_skipped_keys_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MLS_MAX_SKIPPED", 4)
    alice, bob = group_of(["alice", "bob"], 20)
    messages = [alice.say(b"%d" % n) for n in range(8)]
    assert bob.hear(messages[7]) == b"7"
    assert [bob.hear(message) for message in messages[3:7]] == [b"3", b"4", b"5", b"6"]
    for message in messages[:3]:
        with pytest.raises(GenerationConsumed):
            bob.read(message)


def test_own_messages_come_back_refused() -> None:
    alice, _ = group_of(["alice", "bob"], 21)
    message = alice.say(b"x")
    before = alice.at.serialise()
    with pytest.raises(OwnMessage):
        alice.read(message)
    assert alice.at.serialise() == before


# --- Epochs -------------------------------------------------------------------------------


def update(person: Person, *others: Person) -> bytes:
    made = person.at.commit(random=person.random, now=NOW, validate=believe)
    for other in others:
        other.follow(made.commit)
    person.at.merge_pending()
    return made.commit


def test_two_commits_in_one_epoch() -> None:
    alice, bob, carol = group_of(["alice", "bob", "carol"], 22)
    first = alice.at.commit(random=alice.random, now=NOW, validate=believe).commit
    second = bob.at.commit(random=bob.random, now=NOW, validate=believe).commit
    staged_first, staged_second = carol.read(first), carol.read(second)
    carol.at.merge(staged_first)  # type: ignore[arg-type]
    before = carol.at.serialise()
    with pytest.raises(GroupState):
        carol.at.merge(staged_second)  # type: ignore[arg-type]
    with pytest.raises(WrongEpoch):
        carol.read(second)
    assert carol.at.serialise() == before
    bob.follow(first)
    assert bob.at.pending is None
    alice.at.merge_pending()
    agree(alice, bob, carol)


def test_replayed_commit_is_refused() -> None:
    alice, bob = group_of(["alice", "bob"], 23)
    commit = update(alice, bob)
    with pytest.raises(WrongEpoch):
        bob.read(commit)
    refused(bob, commit)


def test_future_epoch_is_named() -> None:
    alice, bob = group_of(["alice", "bob"], 24)
    commit = update(alice)
    message = alice.say(b"ahead")
    before = bob.at.serialise()
    with pytest.raises(FutureEpoch):
        bob.read(message)
    assert bob.at.serialise() == before
    bob.follow(commit)
    assert bob.hear(message) == b"ahead"


def test_past_epochs_are_read_and_bounded() -> None:
    alice, bob = group_of(["alice", "bob"], 25)
    late = []
    for number in range(limits.MLS_PAST_EPOCHS + 2):
        late.append(alice.say(b"%d" % number))
        update(alice, bob)
    for number, message in list(enumerate(late))[2:]:
        assert bob.hear(message) == b"%d" % number
        refused(bob, message)
    for message in late[:2]:
        with pytest.raises(WrongEpoch):
            bob.read(message)


@SUITES
def test_a_removed_member_reads_nothing(suite: int) -> None:
    alice, bob, carol = group_of(["alice", "bob", "carol"], 26, suite)
    old = carol.at.serialise()
    made = alice.at.commit(
        remove=[bob.at.own_index], random=alice.random, now=NOW, validate=believe
    )
    assert bob.follow(made.commit).removes_me
    carol.follow(made.commit)
    alice.at.merge_pending()
    after = [alice.say(b"secret"), carol.say(b"secret too")]
    after.append(alice.at.commit(random=alice.random, now=NOW, validate=believe).commit)
    for message in after:
        refused(bob, message)
    with pytest.raises(GroupState):
        bob.say(b"x")
    with pytest.raises(GroupState):
        bob.at.commit(random=bob.random, now=NOW, validate=believe)
    stranger = Person("stranger", random.Random(1), suite)
    stranger.group = Group.deserialise(old)
    for message in after:
        with pytest.raises(WrongEpoch):
            stranger.read(message)


def test_a_new_member_reads_nothing_from_before() -> None:
    alice, bob = group_of(["alice", "bob"], 27)
    early = alice.say(b"before")
    dave = Person("dave", random.Random(28))
    add(alice, [dave], [bob])
    with pytest.raises(WrongEpoch):
        dave.read(early)


def test_another_group_is_named() -> None:
    alice, bob = group_of(["alice", "bob"], 29)
    bob.found(b"another")
    with pytest.raises(UnknownGroup):
        bob.read(alice.say(b"x"))


# --- Insiders -----------------------------------------------------------------------------


def sealed_as(person: Person, index: int, body: bytes | Remove) -> bytes:
    """What a malicious insider can make: another's sender index, its own signature."""
    state = person.at._state
    signed = sign_content(state.epoch, body, b"", state.signature_private)
    content = FramedContent(
        signed.content.group_id, signed.content.epoch, Sender(MEMBER, index), b"", body
    )
    forged = AuthenticatedContent(signed.wire_format, content, signed.signature)
    epoch = state.epoch
    message, _ = protection.protect_private(
        epoch.suite, forged, epoch.secret_tree, epoch.sender_data, person.random, size_class
    )
    return encode_message(message)


def test_an_insider_cannot_speak_as_another() -> None:
    alice, bob, carol = group_of(["alice", "bob", "carol"], 30)
    true = bob.say(b"the true words")
    for body in (b"false words", Remove(carol.at.own_index)):
        forged = sealed_as(alice, bob.at.own_index, body)
        before = carol.at.serialise()
        with pytest.raises(InvalidSignature):
            carol.read(forged)
        assert carol.at.serialise() == before
    assert carol.hear(true) == b"the true words"


def test_handshakes_in_the_clear_are_refused() -> None:
    alice, bob = group_of(["alice", "bob"], 31)
    state = alice.at._state
    private = sign_content(state.epoch, Remove(1), b"", state.signature_private)
    encoded = state.epoch.context.encoded
    signature = protection.sign(
        state.epoch.suite, PUBLIC_MESSAGE, private.content, encoded, state.signature_private
    )
    authenticated = AuthenticatedContent(PUBLIC_MESSAGE, private.content, signature)
    public = protection.protect_public(
        state.epoch.suite, authenticated, encoded, state.epoch.secrets.membership_key
    )
    before = bob.at.serialise()
    with pytest.raises(Unsupported):
        bob.read(encode_message(public))
    assert bob.at.serialise() == before


def reshaped(message: bytes, change: Callable[[PrivateMessage], PrivateMessage]) -> bytes:
    parsed = decode(read_message, message, "message")
    assert isinstance(parsed, PrivateMessage)
    return encode_message(change(parsed))


def test_authenticated_data_and_content_type_are_bound() -> None:
    alice, bob = group_of(["alice", "bob"], 32)
    message = alice.at.encrypt(b"x", random=alice.random, authenticated_data=b"true")
    changes: list[Callable[[PrivateMessage], PrivateMessage]] = [
        lambda m: replace(m, authenticated_data=b"false"),
        lambda m: replace(m, content_type=2),
        lambda m: replace(m, content_type=3),
        lambda m: replace(m, content_type=9),
        lambda m: replace(m, ciphertext=b""),
        lambda m: replace(m, encrypted_sender_data=b""),
    ]
    for change in changes:
        refused(bob, reshaped(message, change))
    assert bob.hear(message) == b"x"


def test_garbled_plaintexts_raise_only_mls_errors() -> None:
    """An insider may seal any plaintext as anyone: it is parsed before its signature is."""
    alice, bob, _ = group_of(["alice", "bob", "carol"], 34)
    state = alice.at._state
    epoch, seeded = state.epoch, random.Random(35)
    made = alice.at.commit(
        add=[verified(Person("dave", seeded).key_package()[0])],
        remove=[2],
        random=alice.random,
        now=NOW,
        validate=believe,
    )
    alice.at.discard_pending()
    commit = protection.open_sender_data(epoch.suite, parsed(made.commit), epoch.sender_data)
    tree = bob.at._state.epoch.secret_tree
    opened, _ = protection.open_content(epoch.suite, parsed(made.commit), commit, tree)
    plaintext = opened.content.encoded_body + opened.encoded_auth
    before = bob.at.serialise()
    for _ in range(1500):
        garbled = bytearray(plaintext)
        for _ in range(seeded.choice((1, 2, 5))):
            garbled[seeded.randrange(len(garbled))] = seeded.randrange(256)
        cut = seeded.randrange(len(garbled)) if seeded.random() < 0.2 else len(garbled)
        generation, use = epoch.secret_tree.prepare_next(0, 0)
        empty = replace(parsed(made.commit), encrypted_sender_data=b"", ciphertext=b"")
        ciphertext = epoch.suite.aead.seal(
            use.key, use.nonce, bytes(garbled[:cut]), empty.content_aad
        )
        key, nonce = protection.sender_data_key(epoch.suite, epoch.sender_data, ciphertext)
        sender = u32(0) + u32(generation) + bytes(4)
        sealed = epoch.suite.aead.seal(key, nonce, sender, empty.sender_data_aad)
        message = replace(empty, encrypted_sender_data=sealed, ciphertext=ciphertext)
        if bytes(garbled[:cut]) == plaintext:
            continue
        with pytest.raises(MLSError):
            bob.read(encode_message(message))
    assert bob.at.serialise() == before


def parsed(message: bytes) -> PrivateMessage:
    found = decode(read_message, message, "message")
    assert isinstance(found, PrivateMessage)
    return found


def test_flipped_stored_state_raises_only_mls_errors() -> None:
    alice, bob = group_of(["alice", "bob"], 36)
    alice.hear(bob.say(b"x"))
    alice.at.commit(random=alice.random, now=NOW, validate=believe)
    stored, seeded = alice.at.serialise(), random.Random(37)
    for _ in range(2000):
        garbled = bytearray(stored)
        garbled[seeded.randrange(len(garbled))] ^= 1 << seeded.randrange(8)
        try:
            group = Group.deserialise(bytes(garbled))
        except MLSError:
            continue
        assert group.serialise() != stored
