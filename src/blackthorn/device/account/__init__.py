"""The user's account across their devices: pairing, recovery and follow-up of chain changes.

`reconciler` enqueues the follow-up; `exit_notices` stores notices about the user's market.
"""
