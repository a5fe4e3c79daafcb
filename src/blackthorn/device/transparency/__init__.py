"""What a device verifies of the ledger: lookups, chains, gossip, replays, and the alarms from them.

Each answer of the server is verified before it is kept; a failed check becomes an alarm with
evidence, if the server or a peer may be at fault. `directory_client` and `replay` decide what to
ask. Nothing here sends a message or opens one.
"""
