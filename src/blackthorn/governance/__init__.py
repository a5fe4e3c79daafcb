"""Decisions that two officers sign: directives, exits, officers, the warrant canary.

`transitions` defines tables of allowed steps, `cases` applies them on server, device and auditor,
`register` replays them from the log; `package/` and `closure/` are published results. Never here:
storage, a network, a clock.
"""
