"""HTTP: the ledger's tiles and reports, operations (health, metrics), and both sides of witnesses.

Public data is served with bounds on connections and time, and without an access log. Never here:
the content of the ledger or a report, or whether a witness signs.
"""
