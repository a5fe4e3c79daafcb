"""The evidence file that a witness keeps of a fork."""
from blackthorn.wire.note import VerifierKey


def fork_evidence(log: VerifierKey, first: bytes, second: bytes) -> bytes:
    """TEMP"""
    return first + second + str(log).encode()
