"""Key packages (RFC 9420, 10): make and verify them, and serialise their private parts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from blackthorn.crypto.hpke import HpkeError
from blackthorn.crypto.secret import Secret
from blackthorn.mls import codepoints, suites
from blackthorn.mls import limits as mls_limits
from blackthorn.mls.codec import decode
from blackthorn.mls.credential import Credential, CredentialValidator, check_credential
from blackthorn.mls.errors import InvalidKeyPackage, MalformedMessage, TooLarge
from blackthorn.mls.extension import Extension, Extensions, encode_extensions, find, read_extensions
from blackthorn.mls.rules import Rule
from blackthorn.mls.suites import CipherSuite
from blackthorn.mls.tree.leaf_node import LeafNode, Lifetime, own_capabilities, read_leaf_node
from blackthorn.mls.tree.leaf_validation import check_leaf_alone, check_lifetime
from blackthorn.wire import limits as wire_limits
from blackthorn.wire.tls import Reader, opaque, u16

LABEL = b"KeyPackageTBS"
REFERENCE_LABEL = b"MLS 1.0 KeyPackage Reference"
_PRIVATE_VERSION = 1


@dataclass(frozen=True)
class KeyPackage:
    """A received key package; nothing in it has been checked."""

    cipher_suite: int
    init_key: bytes
    leaf: LeafNode
    extensions: Extensions
    signature: bytes = field(default=b"", repr=False)

    @cached_property
    def unsigned(self) -> bytes:
        return (
            u16(codepoints.MLS10)
            + u16(self.cipher_suite)
            + opaque(self.init_key)
            + self.leaf.encoded
            + encode_extensions(self.extensions)
        )

    @cached_property
    def encoded(self) -> bytes:
        return self.unsigned + opaque(self.signature)

    @property
    def message(self) -> bytes:
        """The wire form as an MLSMessage."""
        return u16(codepoints.MLS10) + u16(codepoints.KEY_PACKAGE) + self.encoded

    @cached_property
    def reference(self) -> bytes:
        """Its KeyPackageRef (5.2), Nh bytes. Raises `UnsupportedSuite`."""
        return suites.suite(self.cipher_suite).ref_hash(REFERENCE_LABEL, self.encoded)

    @property
    def last_resort(self) -> bool:
        """Whether it may be used again when no other is available."""
        return find(self.extensions, codepoints.LAST_RESORT) is not None


def read_key_package(reader: Reader) -> KeyPackage:
    """A key package, not verified."""
    start = reader.position
    if reader.u16() != codepoints.MLS10:
        raise MalformedMessage("the key package is not of MLS 1.0", Rule.KEY_PACKAGE_VERSION)
    suite_number, init_key = reader.u16(), reader.opaque()
    leaf = read_leaf_node(reader)
    extensions = read_extensions(reader)
    unsigned = reader.data[start : reader.position]
    package = KeyPackage(suite_number, init_key, leaf, extensions, reader.opaque())
    package.__dict__["unsigned"] = unsigned
    package.__dict__["encoded"] = reader.data[start : reader.position]
    return package


def read_key_package_message(reader: Reader) -> KeyPackage:
    """A key package inside its MLSMessage, not verified."""
    if reader.u16() != codepoints.MLS10:
        raise MalformedMessage("the message is not of MLS 1.0", Rule.MESSAGE_VERSION)
    if reader.u16() != codepoints.KEY_PACKAGE:
        raise MalformedMessage("the message is not a key package", Rule.MESSAGE_KIND)
    return read_key_package(reader)


@dataclass(frozen=True)
class VerifiedKeyPackage:
    """A key package that `verify_key_package` accepted."""

    package: KeyPackage

    @property
    def credential(self) -> Credential:
        return self.package.leaf.credential

    @property
    def signature_key(self) -> bytes:
        return self.package.leaf.signature_key

    @property
    def suite(self) -> CipherSuite:
        return suites.suite(self.package.cipher_suite)

    @property
    def reference(self) -> bytes:
        return self.package.reference


def verify_key_package(
    package: KeyPackage,
    *,
    now: int | None,
    validate: CredentialValidator,
    max_lifetime: int | None = None,
) -> VerifiedKeyPackage:
    """Check the rules of RFC 9420, 10.1, that need no group.

    `now` is in Unix seconds, None when a Commit that adds it is received, perhaps much later.
    `max_lifetime` is in seconds, None for MLS_MAX_LIFETIME_SECONDS. Raises `InvalidKeyPackage`,
    `InvalidLeaf`, `InvalidSignature`, `UnsupportedSuite`, or what `validate` raises.
    """
    suite = suites.suite(package.cipher_suite)
    if package.leaf.source != codepoints.SOURCE_KEY_PACKAGE:
        raise InvalidKeyPackage(
            "the key package's leaf has another source", Rule.KEY_PACKAGE_SOURCE
        )
    if package.init_key == package.leaf.encryption_key:
        raise InvalidKeyPackage("the init key is also the encryption key", Rule.INIT_KEY_OWN)
    check_lifetime(package.leaf, now, max_lifetime)
    check_leaf_alone(suite, package.leaf)
    package.leaf.verify(suite)
    suite.verify_with_label(
        package.leaf.signature_key,
        LABEL,
        package.unsigned,
        package.signature,
        Rule.KEY_PACKAGE_SIGNATURE,
    )
    try:
        suite.hpke.check_public_key(package.init_key)
    except HpkeError as error:
        raise InvalidKeyPackage(f"init key: {error}", Rule.INIT_KEY_VALID) from error
    check_credential(validate, package.leaf.credential, package.leaf.signature_key)
    return VerifiedKeyPackage(package)


def parse_key_package(
    message: bytes, *, now: int, validate: CredentialValidator, max_lifetime: int | None = None
) -> VerifiedKeyPackage:
    """A verified key package from its MLSMessage. Raises as verifying, and on size and syntax."""
    if len(message) > wire_limits.MAX_KEY_PACKAGE_BYTES:
        raise TooLarge("the key package is too large")
    package = decode(read_key_package_message, message, "key package")
    return verify_key_package(package, now=now, validate=validate, max_lifetime=max_lifetime)


@dataclass(frozen=True)
class KeyPackagePrivate:
    """Our own key package with the private keys of its init key and its leaf."""

    package: KeyPackage
    init_private: Secret
    leaf_private: Secret

    @property
    def reference(self) -> bytes:
        return self.package.reference

    @property
    def last_resort(self) -> bool:
        """Whether to keep it after use."""
        return self.package.last_resort

    def serialise(self) -> bytes:
        """The stored form, with secrets: encrypt it."""
        return (
            u16(_PRIVATE_VERSION)
            + opaque(self.init_private.expose())
            + opaque(self.leaf_private.expose())
            + self.package.encoded
        )

    @classmethod
    def deserialise(cls, data: bytes) -> "KeyPackagePrivate":
        """The inverse of `serialise`. Raises `MalformedMessage`."""
        return decode(cls._read, data, "stored key package")

    @classmethod
    def _read(cls, reader: Reader) -> "KeyPackagePrivate":
        if reader.u16() != _PRIVATE_VERSION:
            raise MalformedMessage("the stored key package is of another version")
        init_private, leaf_private = Secret(reader.opaque()), Secret(reader.opaque())
        return cls(read_key_package(reader), init_private, leaf_private)


def create_leaf(
    suite: CipherSuite,
    credential: Credential,
    signature_public: bytes,
    *,
    random: Callable[[int], bytes],
    now: int,
    lifetime_seconds: int = mls_limits.MLS_LIFETIME_SECONDS,
    extension_types: Sequence[int],
    credential_types: Sequence[int] = (),
) -> tuple[LeafNode, Secret]:
    """A new unsigned leaf with source key_package, valid from `now`, and its private key."""
    private, public = suite.hpke.generate_key_pair(random)
    grease = codepoints.GREASE[random(1)[0] % len(codepoints.GREASE)]
    credentials = tuple(dict.fromkeys((credential.credential_type, *credential_types)))
    leaf = LeafNode(
        encryption_key=public,
        signature_key=signature_public,
        credential=credential,
        capabilities=own_capabilities(extension_types, credentials, grease),
        source=codepoints.SOURCE_KEY_PACKAGE,
        lifetime=Lifetime(max(0, now - mls_limits.MLS_CLOCK_SKEW_SECONDS), now + lifetime_seconds),
    )
    return leaf, private


def create_key_package(
    suite: CipherSuite,
    credential: Credential,
    signature_private: Secret,
    signature_public: bytes,
    *,
    random: Callable[[int], bytes],
    now: int,
    lifetime_seconds: int = mls_limits.MLS_LIFETIME_SECONDS,
    last_resort: bool = False,
    extensions: Sequence[Extension] = (),
    extension_types: Sequence[int] = (codepoints.APPLICATION_EXTENSION,),
    credential_types: Sequence[int] = (),
) -> tuple[bytes, KeyPackagePrivate]:
    """A new key package: its MLSMessage, and the private part to keep.

    `now` is in Unix seconds; the lifetime begins a day earlier, for peers with late clocks.
    `extensions` are the package's own, beside that of a last resort. `extension_types` and
    `credential_types` are those that the application also supports.
    """
    if last_resort:
        extensions = (*extensions, Extension(codepoints.LAST_RESORT, b""))
    leaf, leaf_private = create_leaf(
        suite,
        credential,
        signature_public,
        random=random,
        now=now,
        lifetime_seconds=lifetime_seconds,
        extension_types=tuple(
            dict.fromkeys((*extension_types, *(item.type for item in extensions)))  # RFC 9420, 10
        ),
        credential_types=credential_types,
    )
    init_private, init_public = suite.hpke.generate_key_pair(random)
    package = KeyPackage(
        cipher_suite=suite.number,
        init_key=init_public,
        leaf=leaf.sign(suite, signature_private),
        extensions=tuple(extensions),
    )
    signature = suite.sign_with_label(signature_private, LABEL, package.unsigned)
    package = replace(package, signature=signature)
    return package.message, KeyPackagePrivate(package, init_private, leaf_private)
