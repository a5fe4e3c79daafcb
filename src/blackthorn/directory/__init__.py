"""The verifiable map of users to identity chains, and the entries of its log.

The server uses `entries`, `prefix_tree` and `commitment`; a device `lookup` and `checks` (through
`verify`); an auditor `audit`; `evidence/` proves misbehaviour. Each check names its rule (`rules`).
Never here: storage, a network, a clock.
"""
