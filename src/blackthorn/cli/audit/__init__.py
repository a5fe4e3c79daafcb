"""The commands of an auditor, who may be anyone: plaintext, ledger, evidence, report, closure.

What is checked is in `audit`, as a library; here are the options, the tables and the JSON. Nothing
here trusts the server that is audited.
"""
