"""Officers' decisions: checked, stored, published in the ledger, and replayed at a start.

`blackthorn.governance` holds the rules of a case; here is what only a server knows: users,
officers, proposals, and the ends of gags. It decides nothing. No link frame: `server.handlers`.
"""
