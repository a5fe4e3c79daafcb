"""Verification of the ledger: lookups, chains, gossip, replays and alarms.

Every answer of the server is verified before it is stored; a failed check raises an alarm, with
evidence where possible. `directory_client` and `replay` decide the questions.
"""
