"""Wire types GroupInfo, GroupSecrets and Welcome (RFC 9420, 12.4.3)."""

from dataclasses import dataclass, field, replace

from blackthorn.crypto.secret import Secret
from blackthorn.mls.extension import Extensions, encode_extensions, read_extensions
from blackthorn.mls.framing.group_context import GroupContext, read_group_context
from blackthorn.mls.rules import Rule
from blackthorn.mls.schedule.psk import PskId, read_psk_id
from blackthorn.mls.suites import CipherSuite
from blackthorn.mls.tree.update_path import Sealed, encode_sealed, read_sealed
from blackthorn.wire.tls import Reader, opaque, optional, u16, u32, vector

LABEL = b"GroupInfoTBS"


@dataclass(frozen=True)
class GroupInfo:
    """An epoch, described and signed by one of its members."""

    context: GroupContext
    extensions: Extensions
    confirmation_tag: bytes
    signer: int
    signature: bytes = field(default=b"", repr=False)

    @property
    def unsigned(self) -> bytes:
        return (
            self.context.encoded
            + encode_extensions(self.extensions)
            + opaque(self.confirmation_tag)
            + u32(self.signer)
        )

    def encode(self) -> bytes:
        return self.unsigned + opaque(self.signature)

    def sign(self, suite: CipherSuite, private: Secret) -> "GroupInfo":
        return replace(self, signature=suite.sign_with_label(private, LABEL, self.unsigned))

    def verify(self, suite: CipherSuite, public: bytes) -> None:
        """Raises `InvalidSignature` unless the owner of `public` signed it."""
        suite.verify_with_label(
            public, LABEL, self.unsigned, self.signature, Rule.GROUP_INFO_SIGNATURE
        )


def read_group_info(reader: Reader) -> GroupInfo:
    return GroupInfo(
        read_group_context(reader),
        read_extensions(reader),
        reader.opaque(),
        reader.u32(),
        reader.opaque(),
    )


@dataclass(frozen=True)
class GroupSecrets:
    """A Welcome's secrets for one new member."""

    joiner_secret: Secret
    path_secret: Secret | None
    psks: tuple[PskId, ...] = ()

    def encode(self) -> bytes:
        path = None if self.path_secret is None else opaque(self.path_secret.expose())
        return (
            opaque(self.joiner_secret.expose())
            + optional(path)
            + vector(psk.encode() for psk in self.psks)
        )


def read_group_secrets(reader: Reader) -> GroupSecrets:
    joiner = Secret(reader.opaque())
    path = reader.optional(Reader.opaque)
    return GroupSecrets(
        joiner, None if path is None else Secret(path), tuple(reader.vector(read_psk_id))
    )


@dataclass(frozen=True)
class Welcome:
    """GroupSecrets by KeyPackageRef, each encrypted, and the encrypted GroupInfo."""

    cipher_suite: int
    secrets: tuple[tuple[bytes, Sealed], ...]
    encrypted_group_info: bytes

    def encode(self) -> bytes:
        entries = (opaque(reference) + encode_sealed(sealed) for reference, sealed in self.secrets)
        return u16(self.cipher_suite) + vector(entries) + opaque(self.encrypted_group_info)


def read_welcome(reader: Reader) -> Welcome:
    return Welcome(
        reader.u16(), tuple(reader.vector(lambda r: (r.opaque(), read_sealed(r)))), reader.opaque()
    )
