"""Every bound on input from outside: its name, its unit and its reason."""

KIB = 1024
MIB = 1024 * KIB

# --- Link ---------------------------------------------------------------------------------

MAX_PARCEL_BYTES = 4 * MIB
"""One sealed parcel. A Welcome for 1,000 devices under X-Wing is about 2.6 MB and must fit."""

MAX_FRAME_BYTES = 8 * MIB
"""One link frame: two of the largest parcels, so that a Commit travels with its Welcome."""

MAX_RECIPIENTS = 5_000
"""Devices behind one fan-out id: the largest conversation."""

MAX_POSTINGS_PER_FRAME = 4_096
"""Postings in one Send; a frame of 1 KiB parcels is full long before this."""

MAX_PARCELS_PER_POSTING = 8
"""A Commit, its Welcomes and a message are at most a handful of different sealed bytes."""

MAX_UNACKNOWLEDGED_PARCELS = 1_024
"""Parcels delivered to one device and not yet acknowledged; the rest waits on disk."""

MAX_UNACKNOWLEDGED_BYTES = 16 * MIB
"""Bytes delivered to one device and not yet acknowledged: bounds memory per slow reader."""

MAX_MAILBOX_PARCELS = 100_000
MAX_MAILBOX_BYTES = 256 * MIB
"""Parcels that wait for one device, those set aside not among them; beyond it it takes none."""

MAX_SET_ASIDE_PARCELS = 2_048
MAX_SET_ASIDE_BYTES = 64 * MIB
"""Parcels that one device has set aside; beyond it a quarter goes, the oldest first."""

MIN_CHARGED_BYTES = 256
"""What the smallest parcel or frame is counted as: about what it costs in memory besides."""

MAX_QUEUED_BYTES = 16 * MIB
"""Frames of one peer that came before it was made to wait; two full read buffers."""

MAX_LINKS_PER_DEVICE = 8
"""Open links of one device; the oldest is ended for a new one."""

MAX_OPENING_PER_CLIENT = 200
MAX_CONNECTIONS_PER_CLIENT = 5_000
"""Links from one address, before and after hello: a whole office may stand behind one."""

MAX_OPENING_FRAME_BYTES = 64 * KIB
"""One frame before the device is known, but for the payload of an activation."""

MAX_MISSING_NAMED = 20_000
"""Devices that do not exist, named over one link: each costs a look into the database."""

MAX_KEY_PACKAGES_PER_DEVICE = 200
"""Unclaimed key packages kept for one device: two weeks of new conversations off line."""

MAX_KEY_PACKAGE_BYTES = 16 * KIB
"""One key package: 2.7 kB under X-Wing, with room for ML-DSA leaves."""

MAX_CLAIM_ADDRESSES = 1_000
"""Addresses in one key package claim: a large group is made in a few rounds."""

MAX_DEVICES_PER_USER = 16
"""Devices of one user that a claim or a list of devices answers for."""

MAX_FANOUTS = 100_000
"""Fan-out lists the server keeps in memory before it forgets the least used."""

LINK_HELLO_SECONDS = 10
"""Time from connection to a valid hello; an anonymous peer may hold a socket no longer."""

LINK_IDLE_SECONDS = 300
"""Silence after which either side calls the link dead; a device pings at a third of it."""

MAX_CONNECTIONS = 20_000
"""Open link connections of one server."""

LINK_WRITE_SECONDS = 30
"""Time in which a peer must take what it was sent; one that stops reading is cut."""

MAX_WRITE_BUFFER_BYTES = 256 * KIB
"""Bytes queued for a peer that does not read, before the server stops serving it."""

MAX_DELIVER_BYTES = 1 * MIB
"""Parcels in one Deliver frame, and read from disk at once for one device; or one parcel."""

MAX_UNANSWERED_BYTES = 8 * MIB
"""Parcels of one device on their way to the disk; beyond it the server stops reading from it."""

MAX_UNSTORED_BYTES = 256 * MIB
"""Parcels of all devices on their way to the disk; beyond it whoever sends is made to wait."""

MAX_FANOUT_DEVICES = 2_000_000
"""Devices in all fan-out lists in memory, 8 bytes each."""

MAX_REMEMBERED_COMMITS = 256
"""Commits of one conversation whose tokens are kept, so that a late repetition is recognised."""

COMMIT_DAYS = 180
"""Days that the order of a Commit is kept. A device that was off line for longer, and changed a
conversation meanwhile, may have to join it anew; far beyond any leave from work."""

SET_ASIDE_DAYS = 30
"""Days that a parcel is kept which its device could not open."""

MAX_CLAIM_BYTES = 6 * MIB
"""Key packages in one answer, which must fit a frame; the device asks again for the rest."""

# --- Activation ---------------------------------------------------------------------------

ACTIVATION_TRIES = 5
"""Wrong tries that burn an activation code: five guesses at 64 bits tell nothing."""

ACTIVATION_SECONDS_MIN = 60
ACTIVATION_SECONDS_MAX = 30 * 24 * 3600
ACTIVATION_SECONDS_DEFAULT = 24 * 3600
"""Life of an activation code, the range that BES administrators know."""

MAX_ACTIVATION_PAYLOAD_BYTES = 512 * KIB
"""What a new device hands over: keys, OpenPGP certificate (22.6 kB with ML-DSA), key packages."""

MAX_DEVICE_NAME_CHARACTERS = 64
"""What a person calls a device; shown in lists."""

MAX_CACHED_DEVICES = 50_000
"""Device records that the server keeps in memory: more than can be connected at once."""

MAX_CACHED_USERS = 2_000
"""User records kept in memory; each holds an OpenPGP certificate, 44 MiB in all at the worst."""

# --- Mail ---------------------------------------------------------------------------------

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

MAX_SMTP_RECIPIENTS = 100
"""RCPT commands a transaction (RFC 5321, 4.5.3.1.8 asks for at least 100)."""

MAX_SMTP_CONNECTIONS = 200
MAX_SMTP_CONNECTIONS_PER_CLIENT = 50
"""Open SMTP connections, in all and from one address (Postfix's default for one)."""

SMTP_TIMEOUT_SECONDS = 300
"""Silence on an SMTP connection (RFC 5321, 4.5.3.2)."""

MAX_MAIL_BYTES_IN_MEMORY = 64 * MIB
"""Unsealed mail held in memory at once over all connections; beyond it 452."""

MAX_MAIL_CHUNK_BYTES = 4 * MIB
"""Sealed mail in one MailChunk frame."""

MAX_MAIL_LISTING = 1_000
"""Entries in one MailListing frame."""

MAX_CERTIFICATE_BYTES = 64 * KIB
"""One OpenPGP certificate: 22.6 kB with ML-DSA, with room for user ids and renewals."""

MAX_CACHED_CERTIFICATES = 1_000
"""Parsed certificates kept for the answers to RCPT; parsing one takes 0.1 ms."""

MAX_SESSION_KEY_PACKETS = 64
"""Session key packets of one sealed mail; a device tries its key on each."""

MAX_MAIL_HEADER_LINES = 10_000
"""Header lines of one e-mail, all parts together: what the parser walks line by line."""

MAX_MIME_DASH_LINES = 50_000
"""Lines of one e-mail that begin with two dashes and so may be delimiters: each is looked up."""

MAX_MIME_BOUNDARY_BYTES = 256
"""One multipart boundary; RFC 2046 allows 70, Postfix 2,048 at most."""

LARGE_MAIL_BYTES = 4 * MIB
"""From this size on mails are sealed and stored one at a time: each is held several times over."""

MAX_SEALED_BATCH_BYTES = 32 * MIB
"""Mail times recipients that is sealed and stored as one; more recipients come in turns."""

MAX_MAIL_BYTES_IN_MEMORY_PER_CLIENT = 32 * MIB
"""The part of MAX_MAIL_BYTES_IN_MEMORY that one address may hold: the largest mail fits."""

MIN_SMTP_BYTES_PER_SECOND = 500
"""Slowest mail data; Postfix's smtpd_min_data_rate, against connections held by a trickle."""

MAX_SMTP_COMMAND_BYTES = 1_024
"""One SMTP command line: RFC 5321's 512 and what SMTPUTF8 and SIZE add."""

MAX_SMTP_ERRORS = 20
"""Refused commands on one connection before it is closed (Postfix's hard error limit)."""

MAX_SMTP_JUNK_COMMANDS = 100
"""NOOP, RSET, VRFY and their like on one connection (Postfix's junk command limit)."""

MAX_SEALING_WORKERS = 4
"""Sealing processes of one server, or one per core when there are fewer; 30 MB each."""

SEALING_SECONDS = 60
"""Time one mail may take in a sealing worker before the worker is ended and the mail put off."""

MAX_SEALING_WORKER_BYTES = 2048 * MIB
"""Address space of one sealing worker; a mail that needs more ends the worker, not the server."""

MAX_SEALING_ATTEMPTS = 3
"""Deaths of a worker over the same mail before that mail is refused for good."""

MAX_MAILS_PER_SEALING_WORKER = 5_000
"""Mails until a sealing worker ends and another takes over: its memory held them in the clear."""

SEALING_IDLE_SECONDS = 5
"""A sealing worker without a mail for so long ends, and its memory with what it held."""

MAX_SEALING_DEPTH = 4
"""Mails handed to one sealing worker at once, so that it never waits for the next."""

MAX_RENDERED_CHARS = 1_000_000
"""Characters of text that one mail shows on a terminal; the rest is cut and said so."""

MAX_RENDERED_HTML_BYTES = 2 * MIB
"""HTML that is turned to text for a terminal; the rest is cut and said so."""

MAX_HTML_TAGS = 100_000
"""Tags of one HTML part that are walked before the rest is cut."""

MAX_RENDERED_HEADER_CHARS = 1_000
"""Characters shown of one header field."""

MAX_RENDERED_NAME_CHARS = 120
"""Characters shown of an attachment's name."""

# --- Messages -----------------------------------------------------------------------------

MAX_MESSAGE_BYTES = 1 * MIB
"""Text of one message before sealing; larger things are attachments."""

MAX_GROUP_NAME_BYTES = 256
"""UTF-8 bytes of a conversation's name."""

# --- MLS ----------------------------------------------------------------------------------

MLS_MAX_LEAVES = 8_192
"""Leaves of one ratchet tree, a power of two: MAX_RECIPIENTS members fit."""

MLS_MAX_MESSAGE_BYTES = 16 * MIB
"""One MLS message: a Commit that adds 5,000 devices under X-Wing; the link carries less."""

TLS_MAX_ITEMS = 2 * MLS_MAX_LEAVES
"""Items of one vector: the nodes of the largest ratchet tree."""

MLS_LIFETIME_SECONDS = 90 * 24 * 3600
"""Life of a key package by default; past it nobody adds its owner by it."""

MLS_MAX_LIFETIME_SECONDS = 400 * 24 * 3600
"""The longest lifetime a key package may claim (RFC 9420, 7.2): a year and its margins."""

MLS_CLOCK_SKEW_SECONDS = 3600
"""How far `not_before` lies back, so that a peer whose clock is late accepts it at once."""

MLS_MAX_FORWARD = 2_048
"""Generations a sender may be ahead in one step: bounds the work of one message."""

MLS_MAX_SKIPPED = 2_048
"""Keys kept for messages that were overtaken, per sender and kind; the oldest go first."""

MLS_PAST_EPOCHS = 5
"""Epochs behind the present one whose application messages can still be read."""

MLS_MAX_PROPOSALS = 1_024
"""Proposals that wait for a Commit in one epoch, and proposals of one Commit by reference."""

MLS_DRIVER_MAX_LINE_BYTES = 64 * MIB
"""One line of the driver's protocol: the largest MLS message in hex, and as much again."""

# --- Device -------------------------------------------------------------------------------

MAX_CONTENT_BYTES = MAX_MESSAGE_BYTES + 8 * KIB
"""The MIMI content of one message: the largest text and what stands round it."""

MAX_CONTENT_DEPTH = 8
"""Nested containers in MIMI content; a plain text needs three."""

MAX_HELD_PARCELS = 1_024
MAX_HELD_BYTES = 32 * MIB
"""Parcels that could not be opened, kept in memory to try again when a conversation moves."""

SEEN_PARCEL_SECONDS = 90 * 24 * 3600
"""How long a device knows a parcel again: three times what the server keeps one set aside."""

SET_ASIDE_SECONDS = 30 * 24 * 3600
"""How long the server keeps a parcel that was set aside; after it the device counts it lost."""

FAILURE_SECONDS = 30 * 24 * 3600
"""How long a device keeps why a wish was given up, unless its person has seen it earlier."""

MAX_FAILURES = 1_000
"""Given-up wishes that a device keeps for its person to see; beyond them the oldest go."""

MAX_FAILURE_TEXT_CHARS = 80
"""Characters of a message that are kept with why it was given up, to know it again."""

KEY_PACKAGE_STOCK = 100
"""One-time key packages that a device publishes: so many new conversations while off line."""

KEY_PACKAGE_STOCK_LOW = 50
"""Unclaimed key packages below which a device publishes more."""

MAX_CLOCK_AHEAD_SECONDS = 24 * 3600
"""How far ahead the time on a message may lie; a later one is shown as this."""

MAX_ALARMS_PER_CODE = 200
"""Alarms of one code that a device keeps: a server that lies to it cannot fill its disk."""

MAX_WAITING_GOSSIP = 64
"""Checkpoints of others that wait to be compared; the oldest go."""

KEPT_CHECKPOINTS = 512
"""Accepted checkpoints that a device keeps: three and a half days of heartbeats."""

LOOKUP_FRESH_SECONDS = 3600
"""Age of a lookup before a first message, by the device's clock and by the witnesses'."""

DIRECTORY_STALE_SECONDS = 24 * 3600
"""Age of the newest cosignatures when only known people are looked up again."""

OWN_CHECK_SECONDS = 6 * 3600
"""How often a connected device looks at its own user's entry in the ledger."""

OWN_CHANGE_SECONDS = 60
"""Time in which the ledger shows a change of one's own, unless witnesses are silent."""

PENDING_USER_SECONDS = 2
"""After this time a user who is known and not yet in the ledger is looked up again."""

MAX_REPLAY_USERS = 20_000
REPLAY_SECONDS = 3600
REPLAY_ANSWER_SECONDS = 60
"""Users of a directory whose log each device replays by itself (55 kB a day), how often it does,
and how long it waits for an answer."""

MAX_KEPT_LOG_BYTES = 3_000_000
"""Entries of the log that a device keeps after replaying: in base64 they fit a file of evidence."""

MAX_CHAIN_TRIES = 3
"""Lookups of one user in a row whose chain was overtaken by the next epoch."""

MAX_STRANGERS = 2 * MAX_RECIPIENTS
"""Devices never met of which a device remembers that it must ask the server for them."""

MAX_COUNTED_GAP = 1_000
"""Missing messages of one sender that are counted one by one; a larger jump counts as this."""

MAX_CONVERSATIONS = 2_000
"""Conversations of one device; a parcel that fits none costs a hash for each of their epochs."""

OUTBOX_HANDOVER_SECONDS = 10
"""After this time whoever receives also sends what another process left in the outbox."""

# --- Ledger and identity ------------------------------------------------------------------

MAX_NOTE_BYTES = 64 * KIB
"""One signed note: a checkpoint with sixteen ML-DSA-44 signatures fits."""

MAX_LEDGER_ENTRY_BYTES = 16 * KIB
"""One entry of the log: a mutation has 77 bytes, a record of a directive some kilobytes."""

MAX_ENTRIES_PER_FRAME = 8_192
"""Entries in one answer to a device that replays the log: 0.7 MB of mutations and heads."""

MAX_REPLAY_STATE_BYTES = 256 * MIB
"""What an auditor keeps between two looks: 68 bytes a user, for three million users."""

MAX_EVIDENCE_BYTES = 4 * MIB
"""One file of evidence: two notes and the statements of the longest chain."""

MAX_HEAD_AHEAD_SECONDS = 3600
"""How far the time of a head may lie ahead of the witnesses': a clock an hour off is a mistake,
more would cut the delay of resets."""

MAX_LOOKUP_ADDRESSES = 256
"""Users in one lookup: the answers come to about 0.2 MB."""

MAX_MAP_PROOF_BYTES = 9 * KIB
"""A proof in the map: 256 levels of 32 bytes, which only a broken hash could bring about."""

MAX_STATEMENT_BYTES = 64 * KIB
"""One statement of an identity chain: two keys and at most four signatures of 3.4 kB each."""

MAX_CHAIN_STATEMENTS = 256
"""Statements of one chain: five devices a year for a working life, and their replacements."""

MAX_CHAIN_RECEIPTS = 32
"""Resets and cancels of one chain whose logging is proved."""

MAX_CHAIN_PART_BYTES = 2 * MIB
"""Statements in one ChainPart; the device asks again for the rest."""

MAX_PAIRING_BYTES = 4 * MIB
"""One sealed message from device to device while they are paired: keys, contacts, history."""

MAX_PAIRINGS = 1_000
"""Pairings open at once on one server; each holds two links."""

PAIRING_SECONDS = 600
"""Life of a pairing: time to walk to the other device, type eight words and compare six digits."""

# --- The devices of one user --------------------------------------------------------------

PAIRING_TRIES = 3
"""Wrong tries that burn a pairing code: three guesses at 64 bits tell nothing."""

MAX_RECOVERY_TRIES = 10
"""Tries at a recovery from one address in ten minutes; each reads a chain."""

MAX_PAIRING_RELAYED_BYTES = 64 * MIB
MAX_PAIRING_RELAYED = 4_096
"""What the server relays in one pairing, both ways: a bounded history, contacts, keys."""

MAX_PAIRING_BATCH_BYTES = 256 * KIB
"""Items in one batch of a handover; the next one follows when it is stored on the other side."""

MAX_MAIL_KEYS = 64
"""OpenPGP keys that a user's devices tell each other of: one more for each device revoked."""

MAX_COMPARED = 2_000
"""People compared in person whom a user's devices tell each other of, about 60 bytes each."""

MAX_STATEMENT_TRIES = 8
"""How often a statement is made again because the user's chain has moved on meanwhile."""

GONE_DEVICE_SECONDS = 120
"""How long a wish waits until the ledger shows that a device which the server lacks was revoked."""

UPKEEP_SECONDS = 30
UPKEEP_OTHERS_SECONDS = 600
"""The longest time between two looks of a device whether its conversations follow its user's chain,
and how long it leaves that to the device that has changed the chain."""

MAX_HANDED_LINES = 20_000
MAX_HANDED_HISTORY_BYTES = 16 * MIB
"""Lines of history that a new device is given, the newest first."""

MAX_HANDED_ITEM_BYTES = 3 * MIB
"""One thing that a new device is given, so that it fits a message; it looks up a larger chain."""

MAX_HANDED_CONTACTS = 1_000
"""Contacts with their chains, 10 to 30 kB each, that a new device is given; it looks up others."""

# --- Operations ---------------------------------------------------------------------------

MAX_OPS_HEAD_BYTES = 8 * KIB
"""Request line and header fields of one probe."""

MAX_OPS_CONNECTIONS = 32
"""Probes answered at once; further ones are closed."""

OPS_SECONDS = 10
"""Time for one probe, from its connection to its answer."""

# --- Transparency log ---------------------------------------------------------------------

MAX_NOTE_BYTES = 64 * KIB
"""One signed note: a checkpoint with 16 post-quantum signatures, base64 included, fits."""

MAX_NOTE_SIGNATURES = 64
"""Signature lines of one note; the signed-note specification asks for at least 16."""

MAX_KEY_NAME_BYTES = 255
"""UTF-8 bytes of the name of a log or witness key; the bound of tlog-cosignature."""

MAX_VKEY_CHARS = 8 * KIB
"""One verifier key in text; the largest post-quantum keys have 2.6 kB."""

MAX_TREE_SIZE = 2**63 - 1
"""Entries of one log, so that every index fits a signed integer of a database."""

MAX_PROOF_HASHES = 63
"""Hashes of one inclusion or consistency proof: the height of the largest tree."""

MAX_COSIGNATURE_SECONDS = 2**63 - 1
"""The largest time of a cosignature; the bound of tlog-cosignature."""

MAX_LOG_ENTRY_BYTES = 2**16 - 1
"""One entry of the log: its length has two bytes in an entry bundle."""

MAX_TILE_HASHES = 256
"""Hashes of one tile and entries of one bundle; fixed by tlog-tiles."""

MAX_TILE_PATH_CHARS = 64
"""A path of a tile or an entry bundle; the longest has 52."""

MAX_POLICY_BYTES = 64 * KIB
"""One trust policy: three times what the most Ed25519 keys and their addresses take."""

MAX_POLICY_LINES = 512
"""Lines of one trust policy, remarks and empty ones included."""

MAX_POLICY_LOGS = 32
MAX_POLICY_WITNESSES = 32
MAX_POLICY_GROUPS = 32
"""Logs, witnesses and groups of one policy: what tlog-policy asks implementations to bear."""

MAX_TLOG_PROOF_EXTRA_BYTES = 16 * KIB
"""Extra data in one proof of logging, such as a VRF proof and an opening."""

MAX_TLOG_PROOF_BYTES = 96 * KIB
"""One proof of logging: the largest note, the extra data in base64, 63 hashes."""

MAX_ADD_CHECKPOINT_BYTES = 68 * KIB
"""One request to a witness: the largest note and 63 hashes in base64."""

MAX_WITNESS_ANSWER_BYTES = 64 * KIB
"""One answer of a witness, which the log reads: as much as a note."""

# --- Ledger server ------------------------------------------------------------------------

MAX_ACTIVATION_STATEMENTS = 2
"""Statements that a new device brings: its genesis and its certificate, or a reset."""

MAX_STATEMENTS_PER_HOUR = 30
"""Statements of one user in an hour; by what takes rights back it may be passed."""

MAX_SUBMISSIONS_PER_HOUR = 120
"""Statements that one device submits in an hour, refused ones too: each costs a millisecond."""

RESERVED_STATEMENTS = 16
"""The last places of a chain, kept for cancels, revocations, resets and recovery."""

MAX_CACHED_CHAINS = 2_000
"""Verified chains that the server keeps in memory, 10 to 30 kB each."""

MAX_EPOCH_CHANGES = 2_000
"""Statements and typed entries in one epoch; more wait for the next. About 0.2 s of work."""

MAX_ENTRIES_BYTES = 2 * MIB
"""Entries of the log in one answer to a device; it asks again for the rest."""

LEDGER_RETRY_MS = 1_000
"""Pause before an epoch that the disk refused is stored again, as it was made."""

WITNESS_SILENT_MS = 60_000
"""A checkpoint that waits for its witnesses for longer makes the server not ready."""

LOOKUP_WORK = 8_192
LOOKUP_WORK_PER_SECOND = 256
"""Work that one device may ask of the directory at once, and how much of it comes back each
second: an answer is 1 (0.1 ms), who does not exist 8 (a VRF proof, 0.5 ms), a statement 1."""

MAX_CACHED_ABSENCES = 10_000
"""Addresses of no user whose place in the map is remembered, 200 bytes each."""

# --- Identity chains ----------------------------------------------------------------------

MAX_STATEMENT_DEPTH = 8
"""Nested arrays in a statement; a device with its suites needs five."""

MAX_STATEMENT_SIGNATURES = 3
"""Signatures of one statement; a revocation by two devices has two, no kind needs more."""

MAX_DEVICE_SUITES = 16
"""MLS suites that a device insists on; we know fewer."""

MAX_REVOKE_REASON_CHARACTERS = 128
"""Why a device was revoked, in its owner's words; shown in lists."""

MAX_OPENPGP_PROOF_BYTES = 8 * KIB
"""A detached OpenPGP signature; with ML-DSA-87 and Ed448 it has 4.8 kB."""

MAX_STATEMENT_TIME_MS = 2**53 - 1
"""The latest claimed time, Unix milliseconds, which every JSON reader holds exactly."""

MAX_VERIFY_PAYLOAD_CHARACTERS = 1_024
"""The text in a QR code for comparing: two addresses, percent-encoded, and two hashes."""

# --- Ledger and witnesses over HTTP -------------------------------------------------------

MAX_HTTP_CONNECTIONS = 256
"""Connections to one HTTP edge at once; further ones are closed."""

MAX_HTTP_CONNECTIONS_PER_CLIENT = 64
"""Of these, from one client: several auditors behind one address, or one reverse proxy."""

MAX_HTTP_HEAD_BYTES = 16 * KIB
"""Request line and header fields of one request."""

HTTP_REQUEST_SECONDS = 10
"""Time for the head of a request, from its first byte or from the connection."""

HTTP_ANSWER_SECONDS = 60
"""Time for one request from its head to the last byte read of its answer."""

MAX_COSIGNED_HISTORY = 4_096
"""Checkpoints of one log that a witness remembers, to know a fork when it is shown one."""

MAX_WITNESSED_LOGS = 1_024
"""Logs that one witness serves; the state of each is about 1 kB, its history 2 MB at most."""

MAX_EVIDENCE_FILES = 1_024
"""Evidence files that a witness keeps; only a log's own signatures make one."""

WITNESS_RETRY_SECONDS = 0.25
WITNESS_RETRY_MOST_SECONDS = 5.0
"""First and longest pause before a witness that failed is asked again for the same checkpoint."""

MAX_AUDIT_ANSWER_BYTES = 32 * MIB
"""One answer that an auditor reads: a bundle of 256 entries of the largest size is half of it."""

# --- Decisions: directives, exits, officers --------------------------------------------------

MAX_DECISION_BYTES = 15 * KIB
"""One decision with its approvals: it fits an entry of the ledger; two signatures are 6.8 kB."""

MAX_APPROVALS = 3
"""Officers that approve one decision: two are asked for; room for one more."""

MAX_PRIVATE_BYTES = 64 * KIB
"""The private part of a decision: account names, a case number, contacts."""

MAX_CASE_STATEMENTS = 256
"""Decisions in one case; a gag that is extended monthly for ten years makes 120."""

MAX_DIRECTIVE_ACCOUNTS = 25
"""Accounts that one directive may name, whatever the settings say: a person reads each name."""

MAX_OFFICERS = 64
"""Officers of one enterprise at a time."""

MAX_GAG_MS = 366 * 24 * 3_600_000
"""The longest gag without a new decision, in milliseconds: a year."""

MAX_CANARY_MS = 400 * 24 * 3_600_000
"""The longest that a statement of what was never done holds, in milliseconds."""

MAX_DECISIONS_PER_FRAME = 64
"""Decisions in one answer: 64 of them, without long private parts, are 1 MB."""

MAX_PENDING_DECISIONS = 64
"""Decisions that wait for approvers at a time, over all cases."""

MAX_RECEIPT_BYTES = 4 * KIB
"""One person's receipt of a closure, with the path of 24 hashes that a million people need."""

MAX_PACKAGE_FILES = 250_000
"""Files of one production package: their names and hashes are in memory, about 300 bytes each."""

MAX_PACKAGE_BYTES = 64 * 1024 * MIB
"""All files of one production package; a check that reads more is being kept busy."""

MAX_PACKAGE_TAG_BYTES = 64 * MIB
"""One file of a package beside its payload: the lines of 250,000 names and hashes."""

MAX_PACKAGE_NAME_BYTES = 240
"""A name in a package, without its top folder: what a ustar header holds, and file systems take."""

# --- The transparency report -----------------------------------------------------------------

MAX_REPORT_HALF_YEARS = 12
"""Half years in the chart of a report: six years fit a telephone."""

MAX_REPORT_CARDS = 500
"""Directives that the page shows one by one, the newest ones; the table file has all."""

MAX_FEED_ENTRIES = 256
"""Decisions in the feed, the newest ones: about 250 kB."""

MAX_REPORT_BYTES = 64 * MIB
"""One file of a report that is checked; 10,000 directives are 10 MB of JSON."""

MAX_REPORT_FILES = 1_024
"""Files of a folder of reports that are checked at a time: those of a century and more."""

MAX_REPORT_CACHE_BYTES = 32 * MIB
"""Reports that a server keeps ready, made of the newest published ledger."""

# --- Exports ------------------------------------------------------------------------------

MAX_EXPORT_MANIFEST_BYTES = 256 * MIB
"""The manifest of an export that is checked: a million files are 130 MB."""

MAX_EXPORT_CHAIN_BYTES = 8 * MIB
"""An exported identity chain: 256 statements with three signatures each are 2.6 MB."""

MAX_EXPORT_MESSAGES = 5_000_000
"""Messages of one export; a text of 200 characters each is 2 GB of memory."""

MIN_EXPORT_PASSPHRASE_CHARACTERS = 12
"""Of the passphrase for exported keys: whoever finds the file may try as long as he likes."""

# --- Officers' commands -----------------------------------------------------------------------

MAX_OFFICE_DOCUMENT_BYTES = 64 * MIB
"""A document that an officer hands in to be hashed, such as a scanned demand; it is in memory."""

MAX_DECISIONS = 131_072
"""Decisions that a device replays: 10,000 directives are 70,000 of them, about 8 kB each."""

# --- The closure of a market ------------------------------------------------------------------

MAX_CLOSURE_BYTES = 128 * MIB
"""A closure's published statement: a line of 77 bytes for each person, of a million at most."""

MAX_CLOSURE_SAMPLES = 8
"""Wrapped mails that a closure keeps to show that nothing opens them any more."""

MAX_CLOSURE_SAMPLE_BYTES = 64 * KIB
"""One of them; larger mails are not set apart, so that a statement stays small."""

CLOSURE_PERSONS = 100
"""Persons in one step of a closure, whose receipts are made between two other commits."""

CLOSURE_ROWS = 50
"""Rows that one step of a closure deletes and overwrites; others' commits wait for it."""

MAX_KEPT_NOTICES = 16
"""Notices of exits and directives that a device keeps: a user is of one market at a time."""
