"""Bounds of `link`."""

from blackthorn.wire.units import KIB, MIB

MAX_PARCEL_BYTES = 4 * MIB
"""One sealed parcel: a Commit that adds 1,400 devices under X-Wing has 3.9 MB and must fit."""

MAX_FRAME_BYTES = 8 * MIB
"""One link frame: two of the largest parcels, so that a Commit travels with its Welcome."""

MAX_RECIPIENTS = 5_000
"""Devices behind one fan-out id: the largest conversation."""

MAX_POSTINGS_PER_FRAME = 4_096
"""Postings in one Send; a frame of 1 KiB parcels is full long before this."""

MAX_PARCELS_PER_POSTING = 8
"""A Commit, its Welcomes and a message are at most a handful of different sealed bytes."""

MAX_MISSED_DIGESTS = 64
MISSED_DIGEST_BYTES = 8
"""Commits that the marker in a full mailbox names, and bytes of each, by which a device knows those
that came another way."""

MAX_UNACKNOWLEDGED_PARCELS = 1_024
"""Parcels delivered to one device and not yet acknowledged; the rest waits on disk."""

MAX_UNACKNOWLEDGED_BYTES = 16 * MIB
"""Bytes delivered to one device and not yet acknowledged: bounds memory per slow reader."""

MAX_KEY_PACKAGES_PER_DEVICE = 200
"""Unclaimed key packages kept for one device: two weeks of new conversations off line."""

MAX_CLAIM_ADDRESSES = 1_000
"""Addresses in one key package claim: a large group is made in a few rounds."""

ORDERS_PER_FRAME = 256
"""Handles in one AskOrders, random ones included: their number tells nothing."""

LINK_HELLO_SECONDS = 10
"""Time from connection to a valid hello; an anonymous peer may hold a socket no longer."""

LINK_IDLE_SECONDS = 300
"""Silence after which either side calls the link dead; a device pings at a third of it."""

MAX_ACTIVATION_PAYLOAD_BYTES = 512 * KIB
"""What a new device hands over: keys, OpenPGP certificate (22.6 kB with ML-DSA), key packages."""

PADDED_OWNER_BYTES = 496
"""An activation challenge's payload before it is sealed, padded so that its size tells no address,
nor whether there is one: 512 sealed, the most that a device takes."""

MAX_MAIL_CHUNK_BYTES = 4 * MIB
"""Sealed mail in one MailChunk frame."""

MAX_FOUND_CERTIFICATE_BYTES = 128 * KIB
"""Certificates of one address outside, as its domain gives them."""

MAX_MAIL_LISTING = 1_000
"""Entries in one MailListing frame."""

MAX_SUBMITTED_BYTES = 25 * MIB
"""One sealed mail that a device sends, as large as one that comes in."""

MAX_SUBMITTED_PIECE_BYTES = 256 * KIB
"""Sealed bytes in one SubmitMailPiece, so that messages go between the pieces of a large mail."""

MAX_MAIL_RECIPIENTS = 100
"""Recipients of one mail that a device sends: RFC 5321 asks servers to take 100."""

MAX_ENTRIES_PER_FRAME = 8_192
"""Entries in one answer to a device that replays the log: 0.7 MB of mutations and heads."""

MAX_LOOKUP_ADDRESSES = 256
"""Users in one lookup: the answers come to about 0.2 MB."""

MAX_PUSHED_PREFIXES = 4_096
"""Changed entries that one EpochPushed names, 41 kB; beyond it devices look up all contacts."""

MAX_PAIRING_BYTES = 4 * MIB
"""One sealed message from device to device while they are paired: keys, contacts, history."""

PAIRING_SECONDS = 600
"""Life of a pairing: time to walk to the other device, type eight words and compare six digits."""

PAIRING_TRIES = 3
"""Wrong tries that burn a pairing code: three guesses at 64 bits tell nothing."""

MAX_ACTIVATION_STATEMENTS = 2
"""Statements that a new device brings: its genesis and its certificate, or a reset."""

MAX_DECISION_BYTES = 15 * KIB
"""One decision with its approvals: it fits an entry of the ledger; two signatures are 6.8 kB."""

MAX_APPROVALS = 3
"""Officers that approve one decision: two are asked for; room for one more."""

MAX_PRIVATE_BYTES = 64 * KIB
"""The private part of a decision: account names, a case number, contacts."""

MAX_DECISIONS_PER_FRAME = 64
"""Decisions in one answer: 64 of them, without long private parts, are 1 MB."""

MAX_PENDING_DECISIONS = 64
"""Decisions that wait for approvers at a time, over all cases."""

MAX_RECEIPT_BYTES = 4 * KIB
"""One person's receipt of a closure, with the path of 24 hashes that a million people need."""
