"""The verifiable map of users to identity chains, and the entries of its log.

The server's side is `entries`, `prefix_tree` and `commitment`; a device's `lookup` and `checks`
(by way of `verify`); an auditor's `audit`; `evidence/` proves misbehaviour to others. Each check
names its rule (`rules`). Never here: storage, a network, a clock.
"""
