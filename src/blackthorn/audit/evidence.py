"""Verifies a file of evidence offline, with the public keys that it holds."""

from blackthorn.audit.fork_evidence import is_fork_evidence, verify_fork
from blackthorn.device.transparency.evidence import proves
from blackthorn.directory import limits
from blackthorn.errors import UserError, VerificationError


def verify(data: bytes) -> str:
    """What the file proves, in a sentence.

    Raises UserError for what is plainly no file of evidence, else VerificationError.
    """
    if not data.lstrip().startswith(b"{"):
        raise UserError("this is no file of evidence of an audit or a device")
    if len(data) > limits.MAX_EVIDENCE_BYTES:
        raise VerificationError("D34", f"a file of evidence has {len(data)} bytes")
    return verify_fork(data) if is_fork_evidence(data) else proves(data)
