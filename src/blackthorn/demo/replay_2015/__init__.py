"""The year 2015 on a clock of its own: demands, an exit that is closed, and one that is taken back.

It runs the server's real services, stores, keys and sealed mail in memory and on disk, and holds
every number against the published ledger. It adds no rule of its own; a replay that cannot go on
is a defect. Only `cli/replay` runs it.
"""
