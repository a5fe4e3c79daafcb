"""Rules 2xx: messages that come from the wrong place, open wrongly, or are not their sender's."""

from dataclasses import replace

from blackthorn.mls import limits
from blackthorn.mls.codec import decode
from blackthorn.mls.codepoints import APPLICATION, PROPOSAL
from blackthorn.mls.framing import protection
from blackthorn.mls.framing.framing import PrivateMessage, encode_message, read_message
from blackthorn.mls.framing.proposals import Remove, encode_proposal
from blackthorn.mls.rules import Rule
from blackthorn.wire.tls import opaque
from tests.support.mls_forge import flipped, handshake, plaintext_of, refused, sealed
from tests.support.mls_people import NOW, Person, believe, group_of


def parsed(message: bytes) -> PrivateMessage:
    found = decode(read_message, message, "message")
    assert isinstance(found, PrivateMessage)
    return found


def test_another_group() -> None:
    alice, bob = group_of(["alice", "bob"], 1)
    bob.found(b"another")
    refused(bob, alice.say(b"x"), Rule.GROUP_ID)


def test_another_epoch() -> None:
    alice, bob = group_of(["alice", "bob"], 2)
    proposal = alice.at.propose_update(random=alice.random)
    made = bob.at.commit(random=bob.random, now=NOW, validate=believe)
    bob.at.merge_pending()
    refused(bob, proposal, Rule.EPOCH)
    refused(bob, made.commit, Rule.EPOCH)
    refused(alice, bob.say(b"ahead"), Rule.EPOCH)


def test_sender_data_and_content_that_do_not_open() -> None:
    alice, bob = group_of(["alice", "bob"], 3)
    message = parsed(alice.say(b"x"))
    spoilt = replace(message, encrypted_sender_data=flipped(message.encrypted_sender_data))
    refused(bob, encode_message(spoilt), Rule.SENDER_DATA_OPENS)
    spoilt = replace(message, ciphertext=flipped(message.ciphertext))
    refused(bob, encode_message(spoilt), Rule.CONTENT_OPENS)
    assert bob.hear(encode_message(message)) == b"x"


def test_a_sender_at_a_blank_leaf() -> None:
    alice, bob, _ = group_of(["alice", "bob", "carol"], 4)
    plaintext = plaintext_of(alice, APPLICATION, opaque(b"x"))
    refused(bob, sealed(alice, APPLICATION, plaintext, leaf=3), Rule.SENDER_IS_MEMBER)


def test_a_sender_beyond_the_tree() -> None:
    alice, bob = group_of(["alice", "bob"], 5)
    epoch = alice.at._state.epoch
    message = parsed(alice.say(b"x"))
    key, nonce = protection_key(alice, message)
    far = epoch.suite.aead.seal(key, nonce, b"\xff" * 4 + bytes(8), message.sender_data_aad)
    forged = encode_message(replace(message, encrypted_sender_data=far))
    refused(bob, forged, Rule.SENDER_IS_MEMBER)


def protection_key(person: Person, message: PrivateMessage) -> tuple[bytes, bytes]:
    epoch = person.at._state.epoch
    return protection.sender_data_key(epoch.suite, epoch.sender_data, message.ciphertext)


def test_padding_that_says_something() -> None:
    alice, bob = group_of(["alice", "bob"], 6)
    plaintext = plaintext_of(alice, APPLICATION, opaque(b"x"))
    refused(bob, sealed(alice, APPLICATION, plaintext + b"\x00\x01"), Rule.PADDING_ZERO)
    assert bob.hear(sealed(alice, APPLICATION, plaintext + bytes(2))) == b"x"


def test_a_key_that_was_used() -> None:
    alice, bob = group_of(["alice", "bob"], 7)
    message, proposal = alice.say(b"x"), alice.at.propose_update(random=alice.random)
    bob.hear(message)
    bob.read(proposal)
    refused(bob, message, Rule.KEY_ONCE)
    refused(bob, proposal, Rule.KEY_ONCE)


def test_a_generation_far_ahead() -> None:
    alice, bob = group_of(["alice", "bob"], 8)
    plaintext = plaintext_of(alice, APPLICATION, opaque(b"x"))
    for generation in (limits.MLS_MAX_FORWARD + 1, 2**32 - 1):
        forged = sealed(alice, APPLICATION, plaintext, generation=generation)
        refused(bob, forged, Rule.RATCHET_BOUND)


def test_a_signature_of_somebody_else() -> None:
    alice, bob, carol = group_of(["alice", "bob", "carol"], 9)
    words = plaintext_of(alice, APPLICATION, opaque(b"false"))
    refused(carol, sealed(alice, APPLICATION, words, leaf=1), Rule.CONTENT_SIGNATURE)
    body = encode_proposal(Remove(2))
    proposal = plaintext_of(alice, PROPOSAL, body)
    refused(carol, sealed(alice, PROPOSAL, proposal, leaf=1), Rule.CONTENT_SIGNATURE)
    assert carol.hear(bob.say(b"true")) == b"true"
    carol.read(handshake(alice, PROPOSAL, body))
