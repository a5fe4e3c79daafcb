"""The commands of the server's administrator: folder, users, settings, and the ledger's policy.

They work on the server's folder, beside a server that runs or without one. What they do is in
`programs/server`, which is imported when a command runs, so that `serve` starts quickly.
"""
