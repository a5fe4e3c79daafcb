"""Bounds of `edges/dns`."""

from blackthorn.wire.units import KIB

QUESTION_SECONDS = 8.0
"""Time for one question with all its tries, the wait for a place included."""

TRY_SECONDS = 2.0
"""Time for one server to answer before the next is asked."""

MAX_QUESTIONS = 200
"""Questions asked at once, a socket each; more wait."""

MAX_WAITING_QUESTIONS = 2_000
"""Questions that wait for a place; more are refused as if timed out."""

MAX_CACHED_ANSWERS = 10_000
"""Answers kept, 2 KiB each at most."""

MAX_CACHED_ANSWER_BYTES = 2 * KIB
"""Text of an answer that is kept; a larger one is asked for again."""

MAX_TTL_SECONDS = 3_600
"""How long an answer is kept, even if it says longer: a changed record counts within an hour."""

MAX_ABSENT_SECONDS = 300
"""How long it is kept that there is no such name or record (RFC 2308 allows more)."""

MAX_RECORDS = 200
"""Records of one answer that are read; more are left out."""
