"""Credentials (RFC 9420, 5.3): the identity that a leaf claims. The caller validates it."""

from collections.abc import Callable
from dataclasses import dataclass

from blackthorn.mls.codepoints import BASIC, X509
from blackthorn.mls.errors import MalformedMessage, MLSError
from blackthorn.mls.rules import Rule
from blackthorn.wire.tls import Reader, opaque, u16, vector


@dataclass(frozen=True)
class BasicCredential:
    """A bare identity, which the application checks."""

    identity: bytes

    credential_type = BASIC

    def encode(self) -> bytes:
        return u16(BASIC) + opaque(self.identity)


@dataclass(frozen=True)
class X509Credential:
    """A certificate chain, DER, end entity first; not interpreted here."""

    certificates: tuple[bytes, ...]

    credential_type = X509

    def encode(self) -> bytes:
        return u16(X509) + vector(map(opaque, self.certificates))


Credential = BasicCredential | X509Credential

CredentialValidator = Callable[[Credential, bytes, Credential | None], None]
"""Takes a credential, the signature public key beside it, and the credential that it replaces in
its leaf (None for a new member); raises `MLSError` to refuse."""


def check_credential(
    validate: CredentialValidator,
    credential: Credential,
    signature_key: bytes,
    replaced: Credential | None = None,
) -> None:
    """Let the application validate a new credential (5.3.1). Raises what `validate` raises.

    `replaced` is the credential that the leaf had before: the new one must succeed it.
    """
    try:
        validate(credential, signature_key, replaced)
    except MLSError as error:
        error.rule = error.rule or Rule.CREDENTIAL_VALID
        raise


def read_credential(reader: Reader) -> Credential:
    """A credential. Raises `MalformedMessage` for an unknown type, whose length is unknown too."""
    credential_type = reader.u16()
    if credential_type == BASIC:
        return BasicCredential(reader.opaque())
    if credential_type == X509:
        return X509Credential(tuple(reader.vector(Reader.opaque)))
    raise MalformedMessage(f"unknown credential type {credential_type:#06x}", Rule.CREDENTIAL_TYPE)
