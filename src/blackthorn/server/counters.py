"""Counters of the server, exported for Prometheus as `blackthorn_<name>`: no names or addresses."""

from dataclasses import dataclass


@dataclass(slots=True)
class Counters:
    """Each field counts up from the start of the process, unless its comment says `now`."""

    connections: int = 0
    """Link connections open now."""
    connections_total: int = 0
    """Link connections that were opened."""
    connections_refused: int = 0
    """Link connections refused because too many were open."""
    hellos_refused: int = 0
    """Hellos of unknown devices, or not signed over their connection."""
    links_cut: int = 0
    """Links that the server ended: malformed or disallowed frames, silence, not reading."""
    postings_accepted: int = 0
    """Postings made durable."""
    postings_refused: int = 0
    """Postings refused."""
    parcels_accepted: int = 0
    """Parcels made durable; one for several devices counts once."""
    parcels_delivered: int = 0
    """Parcels given to a device; one that is delivered again counts again."""
    parcels_acknowledged: int = 0
    """Parcels that a device acknowledged, durably deleted."""
    parcels_set_aside: int = 0
    """Parcels that a device could not open."""
    parcels_dropped: int = 0
    """Parcels set aside that were deleted because their device had set aside too many."""
    key_packages_claimed: int = 0
    """Key packages handed out."""
    mail_accepted: int = 0
    """Sealed mails made durable; one mail for two users counts twice."""
    mail_refused: int = 0
    """Mails whose data was refused for good (5xx)."""
    mail_deferred: int = 0
    """Mails whose data was put off (4xx)."""
    mail_chunks_sent: int = 0
    """Pieces of sealed mail that devices fetched."""
    smtp_connections: int = 0
    """SMTP connections open now."""
    smtp_connections_refused: int = 0
    """SMTP connections refused because too many were open."""
    sealing_workers_died: int = 0
    """Sealing workers that ended over a mail and were replaced."""
    storage_failures: int = 0
    """Groups of work that the database refused; nothing in them was acknowledged."""
    defects: int = 0
    """Programming errors that were caught, each logged once as `fault` or `defect`."""
    activation_tries: int = 0
    """Activation attempts that were challenged."""
    activations_refused: int = 0
    """Activation attempts refused: unknown, expired, burnt or wrong codes."""
    devices_activated: int = 0
    """Devices enrolled."""
    ledger_epochs: int = 0
    """Epochs of the ledger made durable."""
    statements_stored: int = 0
    """Statements of identity chains that were stored."""
    statements_refused: int = 0
    """Statements of identity chains that were refused."""
    cosignatures_refused: int = 0
    """Signature lines that were no witness's, or false."""
