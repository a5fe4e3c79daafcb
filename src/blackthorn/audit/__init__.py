"""What an auditor runs, as a library: ledger, report, closures, packages, evidence, plaintext.

Each module recomputes from public bytes, or searches a server's files, and returns findings. It
takes nobody's word: what a file or a server claims is only where to look. Never here: printing,
options, or a change to what is audited.
"""
