"""Framed messages (RFC 9420, 6): bytes and types; `protection` signs and encrypts them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from blackthorn.mls import codepoints
from blackthorn.mls.errors import MalformedMessage
from blackthorn.mls.framing import proposals
from blackthorn.mls.framing.key_package import KeyPackage, read_key_package
from blackthorn.mls.framing.welcome_types import GroupInfo, Welcome, read_group_info, read_welcome
from blackthorn.mls.rules import Rule
from blackthorn.mls.suites import CipherSuite
from blackthorn.wire.tls import Reader, opaque, u8, u16, u32, u64

PROPOSAL_REFERENCE_LABEL = b"MLS 1.0 Proposal Reference"


@dataclass(frozen=True)
class Sender:
    """A member's leaf index, an external sender's index, or a new member."""

    type: int
    index: int = 0

    def encode(self) -> bytes:
        if self.type in (codepoints.MEMBER, codepoints.EXTERNAL):
            return u8(self.type) + u32(self.index)
        return u8(self.type)


def read_sender(reader: Reader) -> Sender:
    sender_type = reader.u8()
    if sender_type in (codepoints.MEMBER, codepoints.EXTERNAL):
        return Sender(sender_type, reader.u32())
    if sender_type in (codepoints.NEW_MEMBER_PROPOSAL, codepoints.NEW_MEMBER_COMMIT):
        return Sender(sender_type)
    raise MalformedMessage(f"sender type {sender_type} does not exist", Rule.SENDER_TYPE)


Body = bytes | proposals.Proposal | proposals.Commit
"""Application data, a proposal or a Commit."""


@dataclass(frozen=True)
class FramedContent:
    """The signed content: group and epoch, sender, body (6)."""

    group_id: bytes
    epoch: int
    sender: Sender
    authenticated_data: bytes
    body: Body = field(repr=False)

    @property
    def content_type(self) -> int:
        """APPLICATION, PROPOSAL or COMMIT."""
        if isinstance(self.body, bytes):
            return codepoints.APPLICATION
        return codepoints.COMMIT if isinstance(self.body, proposals.Commit) else codepoints.PROPOSAL

    @cached_property
    def encoded_body(self) -> bytes:
        if isinstance(self.body, bytes):
            return opaque(self.body)
        if isinstance(self.body, proposals.Commit):
            return self.body.encoded
        return proposals.encode_proposal(self.body)

    @cached_property
    def encoded(self) -> bytes:
        return (
            opaque(self.group_id)
            + u64(self.epoch)
            + self.sender.encode()
            + opaque(self.authenticated_data)
            + u8(self.content_type)
            + self.encoded_body
        )


def read_body(reader: Reader, content_type: int) -> Body:
    if content_type == codepoints.APPLICATION:
        return reader.opaque()
    if content_type == codepoints.PROPOSAL:
        return proposals.read_proposal(reader)
    if content_type == codepoints.COMMIT:
        return proposals.read_commit(reader)
    raise MalformedMessage(f"content type {content_type} does not exist", Rule.CONTENT_TYPE)


def _read_framed_content(reader: Reader) -> FramedContent:
    start = reader.position
    group_id, epoch = reader.opaque(), reader.u64()
    sender, authenticated_data = read_sender(reader), reader.opaque()
    content_type = reader.u8()
    body_start = reader.position
    content = FramedContent(
        group_id, epoch, sender, authenticated_data, read_body(reader, content_type)
    )
    content.__dict__["encoded_body"] = reader.data[body_start : reader.position]
    content.__dict__["encoded"] = reader.data[start : reader.position]
    return content


@dataclass(frozen=True)
class AuthenticatedContent:
    """Content with its unverified signature, and the confirmation tag of a Commit (6.1)."""

    wire_format: int
    content: FramedContent
    signature: bytes
    confirmation_tag: bytes | None = None

    @property
    def encoded_auth(self) -> bytes:
        """FramedContentAuthData."""
        tag = b"" if self.confirmation_tag is None else opaque(self.confirmation_tag)
        return opaque(self.signature) + tag

    @property
    def encoded(self) -> bytes:
        return u16(self.wire_format) + self.content.encoded + self.encoded_auth

    def to_be_signed(self, group_context: bytes) -> bytes:
        return to_be_signed(self.wire_format, self.content, group_context)

    def proposal_reference(self, suite: CipherSuite) -> bytes:
        """Its ProposalRef (5.2)."""
        return suite.ref_hash(PROPOSAL_REFERENCE_LABEL, self.encoded)


def to_be_signed(wire_format: int, content: FramedContent, group_context: bytes) -> bytes:
    """FramedContentTBS (6.1), with the encoded GroupContext for members and new members."""
    signed = u16(codepoints.MLS10) + u16(wire_format) + content.encoded
    if content.sender.type in (codepoints.MEMBER, codepoints.NEW_MEMBER_COMMIT):
        return signed + group_context
    return signed


def read_auth(reader: Reader, content_type: int) -> tuple[bytes, bytes | None]:
    signature = reader.opaque()
    return signature, reader.opaque() if content_type == codepoints.COMMIT else None


def read_authenticated_content(reader: Reader) -> AuthenticatedContent:
    wire_format = reader.u16()
    if wire_format not in (codepoints.PUBLIC_MESSAGE, codepoints.PRIVATE_MESSAGE):
        raise MalformedMessage(f"wire format {wire_format} carries no content", Rule.WIRE_FORMAT)
    content = _read_framed_content(reader)
    return AuthenticatedContent(wire_format, content, *read_auth(reader, content.content_type))


@dataclass(frozen=True)
class PublicMessage:
    """Content in the clear, with a membership tag when a member sent it (6.2)."""

    authenticated: AuthenticatedContent
    membership_tag: bytes | None

    def encode(self) -> bytes:
        tag = b"" if self.membership_tag is None else opaque(self.membership_tag)
        return self.authenticated.content.encoded + self.authenticated.encoded_auth + tag


def _read_public_message(reader: Reader) -> PublicMessage:
    content = _read_framed_content(reader)
    auth = read_auth(reader, content.content_type)
    authenticated = AuthenticatedContent(codepoints.PUBLIC_MESSAGE, content, *auth)
    tag = reader.opaque() if content.sender.type == codepoints.MEMBER else None
    return PublicMessage(authenticated, tag)


@dataclass(frozen=True)
class PrivateMessage:
    """Content sealed to the group (6.3)."""

    group_id: bytes
    epoch: int
    content_type: int
    authenticated_data: bytes
    encrypted_sender_data: bytes
    ciphertext: bytes

    @property
    def content_aad(self) -> bytes:
        """PrivateContentAAD."""
        return self.sender_data_aad + opaque(self.authenticated_data)

    @property
    def sender_data_aad(self) -> bytes:
        """SenderDataAAD."""
        return opaque(self.group_id) + u64(self.epoch) + u8(self.content_type)

    def encode(self) -> bytes:
        return self.content_aad + opaque(self.encrypted_sender_data) + opaque(self.ciphertext)


def _read_private_message(reader: Reader) -> PrivateMessage:
    return PrivateMessage(
        reader.opaque(),
        reader.u64(),
        reader.u8(),
        reader.opaque(),
        reader.opaque(),
        reader.opaque(),
    )


Message = PublicMessage | PrivateMessage | Welcome | GroupInfo | KeyPackage

_READERS: dict[int, Callable[[Reader], Message]] = {
    codepoints.PUBLIC_MESSAGE: _read_public_message,
    codepoints.PRIVATE_MESSAGE: _read_private_message,
    codepoints.WELCOME: read_welcome,
    codepoints.GROUP_INFO: read_group_info,
    codepoints.KEY_PACKAGE: read_key_package,
}


def read_message(reader: Reader) -> Message:
    if reader.u16() != codepoints.MLS10:
        raise MalformedMessage("the message is not of MLS 1.0", Rule.MESSAGE_VERSION)
    wire_format = reader.u16()
    read = _READERS.get(wire_format)
    if read is None:
        raise MalformedMessage(f"wire format {wire_format} does not exist", Rule.WIRE_FORMAT)
    return read(reader)


def encode_message(message: Message) -> bytes:
    if isinstance(message, KeyPackage):
        return message.message
    return u16(codepoints.MLS10) + u16(_WIRE_FORMATS[type(message)]) + message.encode()


_WIRE_FORMATS = {
    PublicMessage: codepoints.PUBLIC_MESSAGE,
    PrivateMessage: codepoints.PRIVATE_MESSAGE,
    Welcome: codepoints.WELCOME,
    GroupInfo: codepoints.GROUP_INFO,
}
