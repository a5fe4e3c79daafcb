"""Verifies a file of evidence offline, with the public keys that it holds."""

from blackthorn.audit.fork_evidence import is_fork_evidence, verify_fork
from blackthorn.device.transparency.evidence import proves
from blackthorn.directory import limits
from blackthorn.errors import VerificationError


def verify(data: bytes) -> str:
    """What the file proves, in a sentence. Raises VerificationError."""
    if len(data) > limits.MAX_EVIDENCE_BYTES:
        raise VerificationError("D34", f"a file of evidence has {len(data)} bytes")
    return verify_fork(data) if is_fork_evidence(data) else proves(data)
