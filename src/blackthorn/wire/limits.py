"""Bounds of `wire`: each with its name, its unit and its reason."""

from blackthorn.wire.units import KIB

MAX_KEY_PACKAGE_BYTES = 16 * KIB
"""One key package: 2.7 kB under X-Wing, with room for ML-DSA leaves."""

MAX_DEVICES_PER_USER = 16
"""Devices of one user that a claim or a list of devices answers for."""

MAX_DEVICE_NAME_CHARACTERS = 64
"""What a person calls a device; shown in lists."""

MLS_MAX_LEAVES = 8_192
"""Leaves of one ratchet tree, a power of two: MAX_RECIPIENTS members fit."""

TLS_MAX_ITEMS = 2 * MLS_MAX_LEAVES
"""Items of one vector: the nodes of the largest ratchet tree."""

MAX_LEDGER_ENTRY_BYTES = 16 * KIB
"""One entry of the log: a mutation has 77 bytes, a record of a directive some kilobytes."""

MAX_MAP_PROOF_BYTES = 9 * KIB
"""A proof in the map: 256 levels of 32 bytes, which only a broken hash could bring about."""

MAX_STATEMENT_BYTES = 64 * KIB
"""One statement of an identity chain: two keys and at most four signatures of 3.4 kB each."""

MAX_CHAIN_STATEMENTS = 256
"""Statements of one chain: five devices a year for a working life, and their replacements."""

MAX_CHAIN_RECEIPTS = 32
"""Resets and cancels of one chain whose logging is proved."""

MAX_NOTE_BYTES = 64 * KIB
"""One signed note: a checkpoint with 16 post-quantum signatures, base64 included, fits."""

MAX_NOTE_SIGNATURES = 64
"""Signature lines of one note; the signed-note specification asks for at least 16."""

MAX_KEY_NAME_BYTES = 255
"""UTF-8 bytes of the name of a log or witness key; the bound of tlog-cosignature."""

MAX_VKEY_CHARS = 8 * KIB
"""One verifier key in text; the largest post-quantum keys have 2.6 kB."""

MAX_ADDRESS_BYTES = 254
"""One mail address (RFC 5321, 4.5.3.1.3, erratum 1690): a path of 256 less its angle brackets."""

MAX_LOCAL_PART_BYTES = 64
"""The part of an address before the @ (RFC 5321, 4.5.3.1.1)."""
