"""What the server counts of itself: plain numbers, never names, addresses or sizes of one mail.

Exported for Prometheus as `blackthorn_<name>`.
"""

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
    key_packages_claimed: int = 0
    """Key packages handed out."""
    storage_failures: int = 0
    """Groups of work that the database refused; nothing in them was acknowledged."""
