"""What every part of a device stands on: its keys, and the unit of work over its store.

Beside them what a unit of work needs: the identity of an MLS leaf, the envelope, group metadata,
verified identity chains and the trusted configuration of the ledger. Nothing here decides what to
send, whom to ask or what to tell the person.
"""
