"""Verifies a file of evidence off line, with the public keys that it holds and nothing else.

What a chain says comes from `identity.chain`. Evidence brings no receipts, so that the times at
which resets were logged are not known; they are taken as those under which the chain can hold:
it is called broken only if it is so at any times.
"""

from collections.abc import Sequence

from blackthorn import limits
from blackthorn.apps.fork_evidence import is_fork_evidence, verify_fork
from blackthorn.directory.config import DirectoryConfig
from blackthorn.directory.evidence import verify_evidence
from blackthorn.directory.evidence_kinds import ReplayedChain
from blackthorn.errors import VerificationError
from blackthorn.identity import chain
from blackthorn.identity.keys import VerifyKeys
from blackthorn.identity.statements import Cancel, Reset, decode


def verify(data: bytes) -> str:
    """What the file proves, in a sentence. Raises VerificationError when it proves nothing."""
    if len(data) > limits.MAX_EVIDENCE_BYTES:
        raise VerificationError("D34", f"a file of evidence has {len(data)} bytes")
    return verify_fork(data) if is_fork_evidence(data) else verify_evidence(data, replay)


def replay(label: str, statements: Sequence[bytes], config: DirectoryConfig) -> ReplayedChain:
    """The chain at the most favourable times. Raises VerificationError."""
    logged: dict[int, int] = {}
    now_ms = 1
    for data in statements:
        statement = decode(data).statement
        if isinstance(statement.body, Reset):
            now_ms += config.reset_delay_ms + 1
            logged[statement.seq] = now_ms
        elif isinstance(statement.body, Cancel):
            logged[statement.seq] = now_ms
    terms = chain.Terms(
        VerifyKeys(*config.enrolment),
        config.reset_delay_ms,
        now_ms + config.reset_delay_ms,
        logged,
    )
    verified = chain.replay(chain.UnverifiedChain(label, tuple(statements)), terms)
    devices = {bytes(device.id): device.mls_key for device in verified.devices}
    return ReplayedChain(verified.head, verified.seq, devices, verified.flags)
