"""Bounds of `directory`."""

from blackthorn.wire.units import MIB

MAX_REPLAY_STATE_BYTES = 256 * MIB
"""An auditor's saved state: 68 bytes per user, for three million users."""

MAX_EVIDENCE_BYTES = 4 * MIB
"""One file of evidence: two notes and the statements of the longest chain."""

MAX_HEAD_AHEAD_SECONDS = 3600
"""How far the time of a head may lie ahead of the witnesses': a clock an hour off is a mistake,
more would cut the delay of resets."""

HEAD_STEP_MS = 3_600_000
"""Milliseconds between two heads that follow each other from which a wrong clock may be the reason:
heads ahead of it by less are accepted."""

MAX_HEAD_FAULT_MS = 7 * 24 * 3_600_000
"""Milliseconds of heads signed by a wrong clock that a fall takes back: a clock that is wrong for
longer has been seen; and a fall is no way to date a reset far back."""

MAX_HEAD_STEPS = 8
"""Newest steps remembered: a server that is switched off each night has seven in a week."""

MAX_FALLS = 16
"""Newest falls that a replay reports."""

MAX_FIELD_DEPTH = 4
"""Nested CBOR items of one configuration, entry or state, bounded before a schema looks at it."""
