"""Auditors' checks as a library: ledger, report, closures, packages, evidence, plaintext.

Each module recomputes from public bytes, or searches a server's files, and returns findings; claims
of a file or server only say where to look. Never here: printing, options, changes to the audited.
"""
