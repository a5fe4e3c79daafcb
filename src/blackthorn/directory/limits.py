"""Bounds of `directory`."""

from blackthorn.wire.units import MIB

MAX_REPLAY_STATE_BYTES = 256 * MIB
"""An auditor's saved state: 68 bytes per user, for three million users."""

MAX_EVIDENCE_BYTES = 4 * MIB
"""One file of evidence: two notes and the statements of the longest chain."""

MAX_HEAD_AHEAD_SECONDS = 3600
"""How far the time of a head may lie ahead of the witnesses': a clock an hour off is a mistake,
more would cut the delay of resets."""

MAX_FIELD_DEPTH = 4
"""Nested CBOR items of one configuration, entry or state, bounded before a schema looks at it."""
