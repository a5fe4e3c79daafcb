"""Decisions that two officers sign: directives, exits, officers, the warrant canary.

`transitions` is the form of the tables that say what may follow what; `cases` applies them for the
server, a device and an auditor alike; `register` replays them from the log. `package/` and
`closure/` are what is published of them. Never here: storage, a network, a clock.
"""
