"""Bounds of `mail/authentication`, each of one mail."""

from blackthorn.wire.units import KIB

MAX_DKIM_SIGNATURES = 8
"""DKIM-Signature fields that are evaluated, from the top; RFC 6376, 6.1 allows a bound."""

MAX_ARC_SETS = 20
"""ARC sets; a longer chain fails (RFC 8617, 5.1.1.2 allows 50 and nobody needs them)."""

MAX_SIGNATURE_FIELD_BYTES = 8 * KIB
"""One signature's field, which is parsed."""

MAX_SIGNED_FIELDS = 200
"""Names in one h= tag; each costs a search and a hash."""

MAX_SPF_RECORD_BYTES = 4 * KIB
"""One SPF record: pyspf's time grows with it. Longer ones are a permanent error."""

MAX_KEY_RECORD_BYTES = 4 * KIB
"""One DKIM key's record."""

MAX_DMARC_RECORD_BYTES = 4 * KIB
"""One DMARC record."""

MAX_QUESTIONS = 64
"""Questions to the domain name system: the author's policy 8, keys 48 at most, and SPF, of which
common records need 15. Beyond it SPF is a permanent error and any other unknown answer defers."""

MAX_TREE_STEPS = 8
"""Names asked by one walk up the tree of names (RFC 9989, 4.10)."""

MAX_FROM_BYTES = 8 * KIB
"""The From field; a longer one names no author that could be checked."""

MAX_RESULTS_BYTES = 4 * KIB
"""Authentication-Results as written into the trace block; signatures beyond it are left out."""

MAX_NAME_CHARS = 253
"""The author's domain (RFC 1035, 2.3.4); turning a longer one to ASCII takes quadratic time."""

BODY_PIECE_BYTES = 64 * KIB
"""Of a body that is brought into its canonical form at once: a millisecond, for which no other
thread runs."""
