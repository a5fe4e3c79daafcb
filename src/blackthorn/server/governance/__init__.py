"""Decisions of officers: checked, stored, published in the ledger, and replayed at a start.

The rules of a case are `blackthorn.governance`'s; here is what only a server knows: who its users
and officers are, what is pending, and when a gag has ended. It decides nothing by itself.
No link frame: `server.handlers` translates.
"""
