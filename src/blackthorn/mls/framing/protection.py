"""Signing, sealing and opening of framed content (RFC 9420, 6.1 to 6.3)."""

from collections.abc import Callable
from dataclasses import dataclass

from blackthorn.crypto.aead import OpenError
from blackthorn.crypto.secret import Secret
from blackthorn.mls import codepoints
from blackthorn.mls.codec import decode, decode_padded
from blackthorn.mls.errors import DecryptionFailed, InvalidSignature, MalformedMessage
from blackthorn.mls.framing import framing
from blackthorn.mls.rules import Rule
from blackthorn.mls.schedule import secret_tree
from blackthorn.mls.schedule.secret_tree import KeyUse, SecretTree
from blackthorn.mls.suites import CipherSuite
from blackthorn.wire.tls import Reader, u32

LABEL = b"FramedContentTBS"
_GUARD_SIZE = 4


def sign(
    suite: CipherSuite,
    wire_format: int,
    content: framing.FramedContent,
    group_context: bytes,
    private: Secret,
) -> bytes:
    """The signature of a content in its wire format (6.1)."""
    return suite.sign_with_label(
        private, LABEL, framing.to_be_signed(wire_format, content, group_context)
    )


def verify(
    suite: CipherSuite,
    authenticated: framing.AuthenticatedContent,
    group_context: bytes,
    public: bytes,
) -> None:
    """Raises `InvalidSignature` unless the owner of `public` signed the content."""
    signed = authenticated.to_be_signed(group_context)
    suite.verify_with_label(public, LABEL, signed, authenticated.signature, Rule.CONTENT_SIGNATURE)


def protect_public(
    suite: CipherSuite,
    authenticated: framing.AuthenticatedContent,
    group_context: bytes,
    membership_key: Secret,
) -> framing.PublicMessage:
    """A signed content as a PublicMessage of a member (6.2)."""
    signed = authenticated.to_be_signed(group_context) + authenticated.encoded_auth
    return framing.PublicMessage(authenticated, suite.mac(membership_key.expose(), signed))


def unprotect_public(
    suite: CipherSuite, message: framing.PublicMessage, group_context: bytes, membership_key: Secret
) -> framing.AuthenticatedContent:
    """A member's content, signature unverified. Raises `InvalidSignature`, `MalformedMessage`."""
    authenticated = message.authenticated
    if authenticated.content.content_type == codepoints.APPLICATION:
        raise MalformedMessage("application data is not encrypted", Rule.APPLICATION_PRIVATE)
    if message.membership_tag is None:
        raise InvalidSignature("the message has no membership tag", Rule.MEMBERSHIP_TAG)
    signed = authenticated.to_be_signed(group_context) + authenticated.encoded_auth
    suite.check_mac(
        membership_key.expose(),
        signed,
        message.membership_tag,
        "membership tag",
        Rule.MEMBERSHIP_TAG,
    )
    return authenticated


def sender_data_key(suite: CipherSuite, secret: Secret, ciphertext: bytes) -> tuple[bytes, bytes]:
    """Key and nonce of the sender data, from a sample of the ciphertext (6.3.2)."""
    sample = ciphertext[: suite.hash_size]
    return (
        suite.expand_with_label(secret.expose(), b"key", sample, suite.aead.key_size),
        suite.expand_with_label(secret.expose(), b"nonce", sample, suite.aead.nonce_size),
    )


def _guarded(nonce: bytes, guard: bytes) -> bytes:
    head = int.from_bytes(nonce[:_GUARD_SIZE], "big") ^ int.from_bytes(guard, "big")
    return head.to_bytes(_GUARD_SIZE, "big") + nonce[_GUARD_SIZE:]


def _kind(content_type: int) -> int:
    if content_type == codepoints.APPLICATION:
        return secret_tree.APPLICATION
    return secret_tree.HANDSHAKE


def protect_private(
    suite: CipherSuite,
    authenticated: framing.AuthenticatedContent,
    tree: SecretTree,
    sender_data_secret: Secret,
    random: Callable[[int], bytes],
    padded_size: Callable[[int], int],
) -> tuple[framing.PrivateMessage, KeyUse]:
    """A signed content sealed with the sender's next key, which the caller consumes (6.3)."""
    content = authenticated.content
    generation, use = tree.prepare_next(content.sender.index, _kind(content.content_type))
    plaintext = content.encoded_body + authenticated.encoded_auth
    plaintext += bytes(max(0, padded_size(len(plaintext)) - len(plaintext)))
    guard = random(_GUARD_SIZE)
    unsealed = framing.PrivateMessage(
        content.group_id, content.epoch, content.content_type, content.authenticated_data, b"", b""
    )
    ciphertext = suite.aead.seal(
        use.key, _guarded(use.nonce, guard), plaintext, unsealed.content_aad
    )
    sender_data = u32(content.sender.index) + u32(generation) + guard
    key, nonce = sender_data_key(suite, sender_data_secret, ciphertext)
    sealed_sender = suite.aead.seal(key, nonce, sender_data, unsealed.sender_data_aad)
    message = framing.PrivateMessage(
        content.group_id,
        content.epoch,
        content.content_type,
        content.authenticated_data,
        sealed_sender,
        ciphertext,
    )
    return message, use


@dataclass(frozen=True)
class SenderData:
    """Sender and message key of a PrivateMessage (6.3.2)."""

    leaf_index: int
    generation: int
    reuse_guard: bytes


def open_sender_data(
    suite: CipherSuite, message: framing.PrivateMessage, sender_data_secret: Secret
) -> SenderData:
    """The sender data. Raises `DecryptionFailed`, `MalformedMessage`."""
    key, nonce = sender_data_key(suite, sender_data_secret, message.ciphertext)
    try:
        plaintext = suite.aead.open(
            key, nonce, message.encrypted_sender_data, message.sender_data_aad
        )
    except OpenError as error:
        raise DecryptionFailed("the sender data does not open", Rule.SENDER_DATA_OPENS) from error
    return decode(
        lambda r: SenderData(r.u32(), r.u32(), r.take(_GUARD_SIZE)), plaintext, "sender data"
    )


def open_content(
    suite: CipherSuite, message: framing.PrivateMessage, sender: SenderData, tree: SecretTree
) -> tuple[framing.AuthenticatedContent, KeyUse]:
    """The content of a PrivateMessage, its signature unverified, and its unconsumed key.

    Raises `DecryptionFailed`, `MalformedMessage`.
    """
    use = tree.prepare(sender.leaf_index, _kind(message.content_type), sender.generation)
    nonce = _guarded(use.nonce, sender.reuse_guard)
    try:
        plaintext = suite.aead.open(use.key, nonce, message.ciphertext, message.content_aad)
    except OpenError as error:
        raise DecryptionFailed("the message does not open", Rule.CONTENT_OPENS) from error

    def read(reader: Reader) -> framing.AuthenticatedContent:
        body = framing.read_body(reader, message.content_type)
        content = framing.FramedContent(
            message.group_id,
            message.epoch,
            framing.Sender(codepoints.MEMBER, sender.leaf_index),
            message.authenticated_data,
            body,
        )
        content.__dict__["encoded_body"] = plaintext[: reader.position]
        auth = framing.read_auth(reader, message.content_type)
        return framing.AuthenticatedContent(codepoints.PRIVATE_MESSAGE, content, *auth)

    return decode_padded(read, plaintext, "private message"), use
