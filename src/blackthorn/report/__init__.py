"""The transparency report, a function of the ledger and a period, as JSON, CSV, HTML and Atom.

`history` and `counting` read the register, `figures` counts, a module per file format writes.
Whoever has the ledger gets the same bytes. Never here: facts from anywhere else, a clock.
"""
