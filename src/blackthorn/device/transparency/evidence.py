"""Whether a file of evidence proves what it is kept for, before it is kept.

What a chain says comes from `identity.chain`. Evidence brings no receipts, so that the times at
which resets were logged are not known; they are taken as those under which the chain can hold:
it is called broken only if it is so at any times.
"""

from collections.abc import Sequence

from blackthorn.directory.verify import DirectoryConfig, ReplayedChain, verify_evidence
from blackthorn.identity import chain
from blackthorn.identity.keys import VerifyKeys
from blackthorn.identity.statements import Cancel, Reset, decode


def proves(evidence: bytes) -> str:
    """The sentence that the file proves. Raises VerificationError when it proves nothing."""
    return verify_evidence(evidence, replay)


def replay(label: str, statements: Sequence[bytes], config: DirectoryConfig) -> ReplayedChain:
    """Replay the chain at the most favourable times. Raises VerificationError."""
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
        VerifyKeys(*config.enrolment), config.reset_delay_ms, now_ms + config.reset_delay_ms, logged
    )
    verified = chain.replay(chain.UnverifiedChain(label, tuple(statements)), terms)
    devices = {bytes(device.id): device.mls_key for device in verified.devices}
    return ReplayedChain(verified.head, verified.seq, devices, verified.flags)
