"""Counters of the server, exported for Prometheus as `blackthorn_<name>`: no names or addresses."""

import time
from bisect import bisect_left
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

_SECONDS: Final = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
_COMMANDS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 1024)


class Histogram:
    """How many observed values were at most as large as each of `bounds`, and their sum."""

    __slots__ = ("_bounds", "_counts", "sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count one value. Only one thread may call it."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self.sum += value

    def since(self, begun: float) -> None:
        """Count the seconds since the `time.monotonic()` of `begun`."""
        self.observe(time.monotonic() - begun)

    def buckets(self) -> list[tuple[str, int]]:
        """Prometheus' cumulative buckets: the bound as text, and how many were not above it."""
        total, found = 0, []
        for bound, count in zip((*map(str, self._bounds), "+Inf"), self._counts, strict=True):
            total += count
            found.append((bound, total))
        return found


def counter(meaning: str) -> Any:
    """A number that counts up from the start of the process."""
    return field(default=0, metadata={"kind": "counter", "meaning": meaning})


def gauge(meaning: str) -> Any:
    """A number that is so now."""
    return field(default=0, metadata={"kind": "gauge", "meaning": meaning})


def histogram(meaning: str, bounds: tuple[float, ...] = _SECONDS) -> Any:
    """A distribution; of durations in seconds if no `bounds` are given."""
    metadata = {"kind": "histogram", "meaning": meaning}
    return field(default_factory=partial(Histogram, bounds), metadata=metadata)


@dataclass(slots=True)
class Counters:
    """The declarations are the only list of these metrics."""

    connections: int = gauge("Link connections open now.")
    connections_total: int = counter("Link connections that were opened.")
    connections_refused: int = counter("Link connections refused because too many were open.")
    sockets_of_strangers: int = gauge(
        "Sockets open now whose peer is no device that is known, over all listeners."
    )
    sockets_dropped: int = counter(
        "Sockets of strangers ended because their client, or all, opened too many."
    )
    link_sockets_refused: int = counter("Sockets to the link closed at accept: too many are open.")
    http_sockets_refused: int = counter(
        "Sockets to the ledger's HTTPS closed at accept: too many are open."
    )
    operations_sockets_refused: int = counter(
        "Sockets to operations HTTP closed at accept: too many are open."
    )
    accepts_failed: int = counter(
        "Times that the system gave a listener no socket: no descriptor or memory was left."
    )
    proxies_refused: int = counter(
        "Connections of a named proxy without a valid PROXY header, which were closed."
    )
    handshakes_delayed: int = counter(
        "TLS handshakes that waited because their client started too many in a second."
    )
    handshakes_failed: int = counter("TLS handshakes that failed or took too long.")
    certificates_refused: int = counter(
        "Certificates of HTTPS and SMTP that were not taken: unreadable, ended, of other names."
    )
    certificate_renewals_failed: int = counter(
        "Certificates that the ACME authority did not issue or renew."
    )
    opening_frames_refused: int = counter(
        "Links ended because a stranger's frame was too large, or unfinished ones took too much "
        "memory."
    )
    hellos_refused: int = counter("Hellos of unknown devices, or not signed over their connection.")
    links_cut: int = counter(
        "Links that the server ended: malformed or disallowed frames, silence, not reading."
    )
    postings_accepted: int = counter("Postings made durable.")
    postings_refused: int = counter("Postings refused.")
    frames_waited: int = counter("Frames that waited because their user's turn was over.")
    throttled_rows: int = counter("Send frames not served: rows of mailboxes overdrawn.")
    throttled_bytes: int = counter("Send frames not served: stored bytes overdrawn.")
    throttled_copied: int = counter("Send frames not served: bytes times recipients overdrawn.")
    throttled_orders: int = counter("Send frames not served: order rows of Commits overdrawn.")
    throttled_shut: int = counter("Send frames not served: the administrator stopped the device.")
    parcels_accepted: int = counter("Parcels made durable; one for several devices counts once.")
    parcels_delivered: int = counter(
        "Parcels given to a device; one that is delivered again counts again."
    )
    parcels_acknowledged: int = counter("Parcels that a device acknowledged, durably deleted.")
    parcels_set_aside: int = counter("Parcels that a device could not open.")
    parcels_dropped: int = counter(
        "Parcels set aside that were deleted because their device had set aside too many."
    )
    key_packages_claimed: int = counter("Key packages handed out.")
    mail_accepted: int = counter("Sealed mails made durable; one mail for two users counts twice.")
    mail_refused: int = counter("Mails whose data was refused for good (5xx).")
    mail_deferred: int = counter("Mails whose data was put off (4xx).")
    mail_chunks_sent: int = counter("Pieces of sealed mail that devices fetched.")
    smtp_connections: int = gauge("SMTP connections open now.")
    smtp_connections_refused: int = counter("Sockets to SMTP closed at accept: too many are open.")
    smtp_mails_dropped: int = counter(
        "Mails whose connection was closed for others, as they came slowest while the memory for "
        "mail was full."
    )
    outbound_queued: int = counter("Sealed mails of users accepted into the outbound queue.")
    outbound_waiting: int = gauge("Deliveries in the outbound queue: a mail for one domain each.")
    outbound_delivered: int = counter("Recipients whose server, or mailbox here, took a mail.")
    outbound_deferred: int = counter("Attempts for a recipient that are repeated later (4xx).")
    outbound_failed: int = counter("Recipients whose server refused a mail for good (5xx).")
    outbound_reports: int = counter("Reports of failed or delayed mail, sealed to its sender.")
    outbound_reports_lost: int = counter("Reports whose user has no certificate to seal to.")
    outbound_passed_on: int = counter("Unsealed mails passed on to others, and never stored.")
    logins_refused: int = counter("Logins of mail programs with a wrong name or app password.")
    outbound_tls_verified: int = counter(
        "Connections to others whose certificate was checked (MTA-STS, DANE or a smarthost)."
    )
    outbound_tls_unverified: int = counter("Connections to others with TLS, unchecked.")
    outbound_plain: int = counter("Connections to others that offered no TLS.")
    outbound_tls_failed: int = counter("Connections to others that failed over a policy of TLS.")
    submissions_refused: int = counter("Mails of users refused: not sealed, or not theirs to send.")
    sealing_workers_died: int = counter("Sealing workers that ended over a mail and were replaced.")
    storage_failures: int = counter(
        "Groups of work that the database refused; nothing in them was acknowledged."
    )
    defects: int = counter(
        "Programming errors that were caught, each logged once as `fault` or `defect`."
    )
    activation_tries: int = counter("Activation attempts that were challenged.")
    activations_refused: int = counter(
        "Activation attempts refused: expired, used or wrong codes, or too many tries."
    )
    devices_activated: int = counter("Devices enrolled.")
    ledger_epochs: int = counter("Epochs of the ledger made durable.")
    statements_stored: int = counter("Statements of identity chains that were stored.")
    statements_refused: int = counter("Statements of identity chains that were refused.")
    cosignatures_refused: int = counter("Signature lines that were no witness's, or false.")
    commit_seconds: Histogram = histogram(
        "Seconds of one group commit, from its begin until it is durable."
    )
    commit_commands: Histogram = histogram("Commands in one group commit.", _COMMANDS)
    delivery_seconds: Histogram = histogram(
        "Seconds from the oldest posting of a group until the group is durable and handed to "
        "the devices on line."
    )
    sealing_seconds: Histogram = histogram(
        "Seconds in which one mail was sealed, with its wait for a worker."
    )
    http_seconds: Histogram = histogram("Seconds of one HTTPS request to the ledger.")

    def throttled(self, budget: str) -> None:
        """A Send frame was not served because of this budget (`server.budgets`)."""
        name = f"throttled_{budget}"
        setattr(self, name, getattr(self, name) + 1)

    def committed(self, seconds: float, commands: int) -> None:
        """A group of so many commands was committed, or failed, in so many seconds."""
        self.commit_seconds.observe(seconds)
        self.commit_commands.observe(commands)
