"""Bounds of `crypto`: each with its name, its unit and its reason."""

from blackthorn.wire.units import KIB

MAX_CERTIFICATE_BYTES = 64 * KIB
"""One OpenPGP certificate: 22.6 kB with ML-DSA, with room for user ids and renewals."""

MAX_SESSION_KEY_PACKETS = 64
"""Session key packets of one sealed mail; a device tries its key on each."""

MAX_OPENPGP_PROOF_BYTES = 8 * KIB
"""A detached OpenPGP signature; with ML-DSA-87 and Ed448 it has 4.8 kB."""

MAX_CHAIN_CERTIFICATES = 16
"""Certificates of one TLS chain; public authorities use two or three."""

MIN_DKIM_RSA_BITS = 1_024
MAX_DKIM_RSA_BITS = 4_096
"""RSA keys of mail's signatures (RFC 8301, 3.2): shorter ones can be broken, longer ones cost us
time."""
