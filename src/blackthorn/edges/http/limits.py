"""Bounds of `edges/http`."""

from blackthorn.wire.units import KIB, MIB

MAX_OPS_HEAD_BYTES = 8 * KIB
"""Request line and header fields of one probe."""

MAX_OPS_CONNECTIONS = 32
"""Probes answered at once, none of them charged to the strangers' bounds; the oldest gives way."""

OPS_SECONDS = 10
"""Time for one probe, from its connection to its answer."""

MAX_HTTP_HEAD_BYTES = 16 * KIB
"""Request line and header fields of one request."""

HTTP_REQUEST_SECONDS = 10
"""Time for the head of a request, from its first byte or from the connection."""

HTTP_ANSWER_SECONDS = 60
"""Time for one request from its head to the last byte read of its answer."""

WITNESS_RETRY_SECONDS = 0.25
WITNESS_RETRY_MOST_SECONDS = 5.0
"""First and longest pause before a witness that failed is asked again for the same checkpoint."""

WITNESS_PROBE_SECONDS = 5.0
"""How long an administrator's command waits for a witness at each step of one request."""

MAX_REPORT_CACHE_BYTES = 32 * MIB
"""Reports that a server keeps ready, made of the newest published ledger."""

WKD_SECONDS = 15
"""Time to ask another domain for a certificate: names, connections and redirects together."""

MAX_WKD_REDIRECTS = 3
"""Redirects that are followed for one certificate."""

MAX_WKD_ANSWER_BYTES = 128 * KIB
"""One answer about an address: two of the largest certificates."""
