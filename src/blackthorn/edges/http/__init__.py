"""HTTP: the ledger's tiles and reports, operations (health, metrics), and both sides of witnesses.

What is public is served as it stands, with bounds on connections and time, and no access log.
Never here: what is in the ledger or a report, or whether a witness signs.
"""
