"""Bounds of `edges/sealing`."""

from blackthorn.wire.units import MIB

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

JUDGING_SECONDS = 20.0
"""Time in which the domain name system answers all that one mail's verdict needs; then 451."""

MAX_JUDGING_ROUNDS = 24
"""How often one mail's verdict may ask for more: SPF's ten nested records, one after the other."""

MAX_REMEMBERED_SENDERS = 1_000
"""Domains whose last mail's questions are remembered, in memory, 64 names each at most."""

MAX_JUDGED_RECORDS = 50
"""Records of one answer that a verdict looks at."""

MAX_JUDGED_HEADER_BYTES = 128 * 1_024
"""What is handed over to learn a header's questions: more than the largest header allowed."""
