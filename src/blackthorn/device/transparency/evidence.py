"""Check that a file of evidence proves its claim, before it is stored.

Evidence has no receipts, so the times of resets are unknown. The most favourable ones are assumed:
a chain counts as broken only if it is invalid at any times.
"""

from collections.abc import Sequence

from blackthorn.directory.verify import DirectoryConfig, ReplayedChain, verify_evidence
from blackthorn.governance.ledger_time import LoggedOfficers
from blackthorn.identity import chain
from blackthorn.identity.keys import VerifyKeys
from blackthorn.identity.statements import Cancel, Reset, decode


def proves(evidence: bytes) -> str:
    """The sentence that the file proves. Raises VerificationError when it proves nothing."""
    return verify_evidence(evidence, replay, LoggedOfficers())


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
