"""Bounds of `edges`."""

from blackthorn.wire.units import MIB

CLIENT_SOCKETS = 64
"""Sockets of one client (an IPv4 address or an IPv6 /56) over all listeners, of peers whose
device is not known; `gate.client_sockets` in the settings."""

CLIENT_HANDSHAKES = 10
"""TLS handshakes a second of one client, 0.3 ms each; `gate.client_handshakes` in the settings."""

SHORTEST_DELAY_SECONDS = 0.001
"""Shorter delays of a handshake are no delay: the loop's timers count milliseconds."""

DEVICE_SOCKETS = 2
"""Sockets that each device authenticated at an address adds there; it adds one handshake a
second too: a whole office may be behind one address."""

SEEN_SECONDS = 24 * 3600
MAX_SEEN_DEVICES = 100_000
"""How long, and how many, devices authenticated at an address are remembered; in memory only."""

GRACE_SECONDS = 1.0
"""Time in which a stranger is not dropped for another of the same client."""

MAX_STRANGERS = 4_096
"""Sockets of peers whose device is not known, over all listeners and clients: half for the link,
a quarter each for SMTP and HTTP. Fewer with few descriptors."""

RESERVED_DESCRIPTORS = 256
"""Descriptors kept for the database, files, sealing processes, witnesses and operations."""

HANDSHAKE_SECONDS = 10
"""Time for a TLS handshake; an anonymous peer may hold a socket no longer."""

SHUTDOWN_SECONDS = 2.0
"""How long a peer may take to read the last bytes over TLS."""

LISTEN_BACKLOG = 1_024
"""Connections that the system keeps until they are accepted."""

MAX_MAIL_BYTES_IN_MEMORY = 64 * MIB
"""Unsealed mail held in memory at once over all connections; beyond it 452."""

MAX_MAIL_BYTES_IN_MEMORY_PER_CLIENT = 32 * MIB
"""The part of MAX_MAIL_BYTES_IN_MEMORY that one network (an IPv4 /24, an IPv6 /56) may hold: the
largest mail fits."""

PROXY_SECONDS = 5.0
"""Time for a proxy of ours to send its header; it sends it at once."""

MAX_PROXY_HEADER_BYTES = 2_048
"""One read of a PROXY header, version 2: addresses and what a proxy adds about TLS."""
