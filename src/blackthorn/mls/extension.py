"""Extensions (RFC 9420, 13). Unknown types are carried."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from blackthorn.mls.codec import decode
from blackthorn.mls.codepoints import EXTERNAL_SENDERS, REQUIRED_CAPABILITIES
from blackthorn.mls.credential import Credential, read_credential
from blackthorn.mls.errors import MalformedMessage
from blackthorn.mls.rules import Rule
from blackthorn.wire.tls import Reader, opaque, u16, vector


@dataclass(frozen=True)
class Extension:
    """An extension: type and data."""

    type: int
    data: bytes

    def encode(self) -> bytes:
        return u16(self.type) + opaque(self.data)


Extensions = tuple[Extension, ...]


def read_extension(reader: Reader) -> Extension:
    return Extension(reader.u16(), reader.opaque())


def read_extensions(reader: Reader) -> Extensions:
    """A list of extensions; a type may appear only once (RFC 9420, 13.4)."""
    extensions = tuple(reader.vector(read_extension))
    if len({extension.type for extension in extensions}) != len(extensions):
        raise MalformedMessage("an extension type appears twice", Rule.EXTENSION_ONCE)
    return extensions


def encode_extensions(extensions: Iterable[Extension]) -> bytes:
    return vector(extension.encode() for extension in extensions)


def find(extensions: Iterable[Extension], extension_type: int) -> bytes | None:
    return next((found.data for found in extensions if found.type == extension_type), None)


@dataclass(frozen=True)
class RequiredCapabilities:
    """Capabilities that every member must have (RFC 9420, 11.1)."""

    extensions: tuple[int, ...] = ()
    proposals: tuple[int, ...] = ()
    credentials: tuple[int, ...] = ()

    def extension(self) -> Extension:
        lists = (self.extensions, self.proposals, self.credentials)
        return Extension(REQUIRED_CAPABILITIES, b"".join(vector(map(u16, ids)) for ids in lists))


def required_capabilities(extensions: Sequence[Extension]) -> RequiredCapabilities:
    """Capabilities that GroupContext extensions require; none by default."""
    data = find(extensions, REQUIRED_CAPABILITIES)
    if data is None:
        return RequiredCapabilities()
    return decode(
        lambda r: RequiredCapabilities(r.u16s(), r.u16s(), r.u16s()), data, "required_capabilities"
    )


@dataclass(frozen=True)
class ExternalSender:
    """A party outside the group that may propose (RFC 9420, 12.1.8.1)."""

    signature_key: bytes
    credential: Credential

    def encode(self) -> bytes:
        return opaque(self.signature_key) + self.credential.encode()


def external_senders(extensions: Sequence[Extension]) -> list[ExternalSender]:
    """The external senders in GroupContext extensions."""
    data = find(extensions, EXTERNAL_SENDERS)
    if data is None:
        return []
    return decode(
        lambda r: r.vector(lambda item: ExternalSender(item.opaque(), read_credential(item))),
        data,
        "external_senders",
    )
