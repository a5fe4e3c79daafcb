"""Bounds of `identity`: each with its name, its unit and its reason."""

MAX_STATEMENT_DEPTH = 8
"""Nested arrays in a statement; a device with its suites needs five."""

MAX_STATEMENT_SIGNATURES = 3
"""Signatures of one statement; a revocation by two devices has two, no kind needs more."""

MAX_DEVICE_SUITES = 16
"""MLS suites that a device insists on; we know fewer."""

MAX_REVOKE_REASON_CHARACTERS = 128
"""Why a device was revoked, in its owner's words; shown in lists."""

MAX_STATEMENT_TIME_MS = 2**53 - 1
"""The latest claimed time, Unix milliseconds, which every JSON reader holds exactly."""

MAX_VERIFY_PAYLOAD_CHARACTERS = 1_024
"""The text in a QR code for comparing: two addresses, percent-encoded, and two hashes."""
