"""Bounds of `tlog`: each with its name, its unit and its reason."""

from blackthorn.wire.units import KIB

MAX_TREE_SIZE = 2**63 - 1
"""Entries of one log, so that every index fits a signed integer of a database."""

MAX_PROOF_HASHES = 63
"""Hashes of one inclusion or consistency proof: the height of the largest tree."""

MAX_COSIGNATURE_SECONDS = 2**63 - 1
"""The largest time of a cosignature; the bound of tlog-cosignature."""

MAX_LOG_ENTRY_BYTES = 2**16 - 1
"""One entry of the log: its length has two bytes in an entry bundle."""

MAX_TILE_HASHES = 256
"""Hashes of one tile and entries of one bundle; fixed by tlog-tiles."""

MAX_TILE_PATH_CHARS = 64
"""A path of a tile or an entry bundle; the longest has 52."""

MAX_POLICY_BYTES = 64 * KIB
"""One trust policy: three times what the most Ed25519 keys and their addresses take."""

MAX_POLICY_LINES = 512
"""Lines of one trust policy, remarks and empty ones included."""

MAX_POLICY_LOGS = 32
MAX_POLICY_WITNESSES = 32
MAX_POLICY_GROUPS = 32
"""Logs, witnesses and groups of one policy: what tlog-policy asks implementations to bear."""

MAX_TLOG_PROOF_EXTRA_BYTES = 16 * KIB
"""Extra data in one proof of logging, such as a VRF proof and an opening."""

MAX_TLOG_PROOF_BYTES = 96 * KIB
"""One proof of logging: the largest note, the extra data in base64, 63 hashes."""

MAX_ADD_CHECKPOINT_BYTES = 68 * KIB
"""One request to a witness: the largest note and 63 hashes in base64."""

MAX_WITNESS_ANSWER_BYTES = 64 * KIB
"""One answer of a witness, which the log reads: as much as a note."""
