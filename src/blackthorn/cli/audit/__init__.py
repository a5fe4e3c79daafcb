"""Commands of auditors: plaintext search, ledger, evidence, report, closure. Anyone can run
them.
"""
