"""Leaf nodes (RFC 9420, 7.2): a member's keys, credential and capabilities, signed."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from blackthorn.crypto.secret import Secret
from blackthorn.mls.codepoints import MLS10, SOURCE_COMMIT, SOURCE_KEY_PACKAGE, SOURCE_UPDATE
from blackthorn.mls.credential import Credential, read_credential
from blackthorn.mls.errors import MalformedMessage
from blackthorn.mls.extension import Extensions, encode_extensions, read_extensions
from blackthorn.mls.rules import Rule
from blackthorn.mls.suites import SUPPORTED, CipherSuite
from blackthorn.wire.tls import Reader, opaque, u8, u16, u32, u64, vector

LABEL = b"LeafNodeTBS"


@dataclass(frozen=True)
class Capabilities:
    """A client's capabilities; unknown numbers are carried."""

    versions: tuple[int, ...]
    cipher_suites: tuple[int, ...]
    extensions: tuple[int, ...]
    proposals: tuple[int, ...]
    credentials: tuple[int, ...]

    def encode(self) -> bytes:
        lists = (
            self.versions,
            self.cipher_suites,
            self.extensions,
            self.proposals,
            self.credentials,
        )
        return b"".join(vector(map(u16, numbers)) for numbers in lists)


def own_capabilities(
    extension_types: Sequence[int], credential_types: Sequence[int], grease: int
) -> Capabilities:
    """This build's capabilities with one GREASE value (13.5)."""
    return Capabilities(
        versions=(MLS10,),
        cipher_suites=(*SUPPORTED, grease),
        extensions=(*extension_types, grease),
        proposals=(grease,),
        credentials=(*credential_types, grease),
    )


def read_capabilities(reader: Reader) -> Capabilities:
    return Capabilities(*(reader.u16s() for _ in range(5)))


@dataclass(frozen=True)
class Lifetime:
    """Seconds since 1970 between which a key package may be used, both inclusive."""

    not_before: int
    not_after: int


@dataclass(frozen=True)
class LeafNode:
    """A leaf node. `lifetime` goes with source key_package, `parent_hash` with commit."""

    encryption_key: bytes
    signature_key: bytes
    credential: Credential
    capabilities: Capabilities
    source: int
    lifetime: Lifetime | None = None
    parent_hash: bytes = b""
    extensions: Extensions = ()
    signature: bytes = field(default=b"", repr=False)

    @cached_property
    def unsigned(self) -> bytes:
        body = (
            opaque(self.encryption_key)
            + opaque(self.signature_key)
            + self.credential.encode()
            + self.capabilities.encode()
            + u8(self.source)
        )
        if self.source == SOURCE_KEY_PACKAGE and self.lifetime is not None:
            body += u64(self.lifetime.not_before) + u64(self.lifetime.not_after)
        elif self.source == SOURCE_COMMIT:
            body += opaque(self.parent_hash)
        return body + encode_extensions(self.extensions)

    @cached_property
    def encoded(self) -> bytes:
        return self.unsigned + opaque(self.signature)

    def _to_be_signed(self, group_id: bytes, index: int) -> bytes:
        if self.source == SOURCE_KEY_PACKAGE:
            return self.unsigned
        return self.unsigned + opaque(group_id) + u32(index)

    def sign(
        self, suite: CipherSuite, private: Secret, group_id: bytes = b"", index: int = 0
    ) -> "LeafNode":
        """The leaf signed for its position; source key_package needs none."""
        to_be_signed = self._to_be_signed(group_id, index)
        return replace(self, signature=suite.sign_with_label(private, LABEL, to_be_signed))

    def verify(self, suite: CipherSuite, group_id: bytes = b"", index: int = 0) -> None:
        """Raises `InvalidSignature` unless the leaf is signed for this position."""
        to_be_signed = self._to_be_signed(group_id, index)
        suite.verify_with_label(
            self.signature_key, LABEL, to_be_signed, self.signature, Rule.LEAF_SIGNATURE
        )


def read_leaf_node(reader: Reader) -> LeafNode:
    start = reader.position
    encryption_key = reader.opaque()
    signature_key = reader.opaque()
    credential = read_credential(reader)
    capabilities = read_capabilities(reader)
    source = reader.u8()
    lifetime, parent_hash = None, b""
    if source == SOURCE_KEY_PACKAGE:
        lifetime = Lifetime(reader.u64(), reader.u64())
    elif source == SOURCE_COMMIT:
        parent_hash = reader.opaque()
    elif source != SOURCE_UPDATE:
        raise MalformedMessage(f"leaf node source {source} does not exist", Rule.LEAF_SOURCE)
    extensions = read_extensions(reader)
    unsigned = reader.data[start : reader.position]
    leaf = LeafNode(
        encryption_key,
        signature_key,
        credential,
        capabilities,
        source,
        lifetime,
        parent_hash,
        extensions,
        reader.opaque(),
    )
    # The encoding is canonical, so the bytes read are the bytes that would be written.
    leaf.__dict__["unsigned"] = unsigned
    leaf.__dict__["encoded"] = reader.data[start : reader.position]
    return leaf
