"""The year 2015 on a simulated clock: demands, a completed market exit, and a rescinded one.

Runs the server's real services, stores, keys and sealed mail, and compares all numbers with the
published ledger. Only `cli/replay` runs it.
"""
