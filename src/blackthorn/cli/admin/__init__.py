"""Commands of the server's administrator: folder, users, settings, and the ledger's policy.

They work on the server's folder, whether the server runs or not; `programs/server` does the work.
Never here: decisions, which officers sign on their devices.
"""
