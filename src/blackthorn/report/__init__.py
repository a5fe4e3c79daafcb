"""The transparency report as JSON, CSV, HTML and Atom: a pure function of the ledger and a period.

`history` and `counting` read the register, `figures` counts, one module per file format writes.
Never here: the server's database, or a number that the ledger does not give.
"""
