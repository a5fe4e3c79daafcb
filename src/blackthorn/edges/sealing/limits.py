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

LOOK_AHEAD_SECONDS = 1.0
"""How long the questions of a sender's last mail delay the next one: most answers are in the cache,
and who names slow names delays no mail of others for longer."""

MAX_QUESTIONS_AT_ONCE = 8
"""Questions to the domain name system of one mail at a time, of the resolver's 200 places."""

MAX_REMEMBERED_SENDERS = 1_000
"""Domains whose last mail's questions are remembered, in memory."""

MAX_REMEMBERED_QUESTIONS = 32
"""Questions remembered of a domain's last mail: SPF, keys and policies of a common mail."""

MAX_JUDGED_RECORDS = 50
"""Records of one answer that a verdict looks at."""

MAX_JUDGED_HEADER_BYTES = 128 * 1_024
"""What is handed over to learn a header's questions: more than the largest header allowed."""
