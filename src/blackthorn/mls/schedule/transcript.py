"""Transcript hashes (RFC 9420, 8.2): the chain of all Commits of a group."""

from blackthorn.mls.suites import CipherSuite
from blackthorn.wire.tls import opaque, u16


def confirmed_transcript_hash(
    suite: CipherSuite, interim: bytes, wire_format: int, content: bytes, signature: bytes
) -> bytes:
    """After a Commit; `content` is its encoded FramedContent."""
    return suite.hash(interim + u16(wire_format) + content + opaque(signature))


def interim_transcript_hash(suite: CipherSuite, confirmed: bytes, confirmation_tag: bytes) -> bytes:
    """The confirmed hash with its tag, input of the next Commit."""
    return suite.hash(confirmed + opaque(confirmation_tag))


def confirmation_tag(suite: CipherSuite, confirmation_key: bytes, confirmed: bytes) -> bytes:
    """Proof that a committer derived the new epoch (8.1)."""
    return suite.mac(confirmation_key, confirmed)
