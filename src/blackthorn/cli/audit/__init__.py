"""Commands of auditors, which anyone can run: plaintext search, ledger, evidence, package, report.

They print what `audit` finds and map it to an exit code. Never here: a check of its own, or
anything that needs an account or a secret.
"""
