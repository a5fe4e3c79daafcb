"""Bounds of `mail`: each with its name, its unit and its reason."""

from blackthorn.wire.units import KIB, MIB

MAX_MAIL_BYTES = 25 * MIB
"""One inbound e-mail (RFC 1870 SIZE); what large providers accept."""

MAX_MAIL_LINE_BYTES = 64 * KIB
"""One line: real mail exceeds RFC 5322's 998, so the bound is what memory bears."""

MAX_MAIL_HEADER_BYTES = 100 * KIB
"""All header fields of one part; Postfix's header_size_limit is 102,400."""

MAX_MAIL_HEADER_FIELDS = 1_000
"""Header fields of one part; parsers turn quadratic above it."""

MAX_MIME_DEPTH = 50
"""Nested multiparts and attached messages; the standard library recurses on each."""

MAX_MIME_PARTS = 1_000
"""Parts of one e-mail, all levels together."""

MAX_MIME_PARAMETERS = 64
"""Parameters of one header field; RFC 2231 continuations make parsers quadratic."""

MAX_ENCODED_WORDS = 500
"""Encoded words in one header field; the standard library is superlinear in them."""

MAX_HOPS = 50
"""Received fields before a message is called a loop (Postfix hopcount_limit)."""

MAX_MAIL_HEADER_LINES = 10_000
"""Header lines of one e-mail, all parts together: what the parser walks line by line."""

MAX_MIME_DASH_LINES = 50_000
"""Lines of one e-mail that begin with two dashes and so may be delimiters: each is looked up."""

MAX_MIME_BOUNDARY_BYTES = 256
"""One multipart boundary; RFC 2046 allows 70, Postfix 2,048 at most."""

MAX_BASE64_LINES = 1_000_000
"""Lines of one damaged base64 body that are judged one by one; a mail of 25 MiB has 345,000."""

MAX_BASE64_BLOCKS = 10_000
"""Padded blocks in one base64 body; above it padding is ignored."""

MAX_RENDERED_CHARS = 1_000_000
"""Characters of text that one mail shows on a terminal; the rest is cut and said so."""

MAX_RENDERED_HEADER_CHARS = 1_000
"""Characters shown of one header field."""

MAX_RENDERED_NAME_CHARS = 120
"""Characters shown of an attachment's name, and of a person's before their address."""

MAX_NAME_BYTES = 200
"""UTF-8 bytes of an attachment's name: file systems take 255, and a number may be added."""

MAX_TRACE_BLOCK_BYTES = 8 * KIB
"""Trace fields that a sealing server writes before a mail's own bytes."""

MAX_PATH_BYTES = 512
"""One path of an SMTP envelope: RFC 5321 says 256; a longer sender is only displayed, and cut."""

MAX_EXCERPT_BYTES = 4 * KIB
"""The beginning of a mail that cannot be parsed, shown instead of it."""

MAX_URL_BYTES = 500
"""A link's address as shown behind its text."""

MAX_SESSION_KEYS = 10_000
"""Recipients of one sealed mail, by its packets of session keys: more only costs time."""

MAX_AUTOCRYPT_CHARS = 96 * KIB
"""One Autocrypt field: the largest certificate that is sealed to, in base64."""
