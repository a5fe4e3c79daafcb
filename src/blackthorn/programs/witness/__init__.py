"""The witness's composition root: its process, its rounds as an auditor, its status.

A witness cosigns a checkpoint only after its database is durable, and as an auditor only after it
replayed the entries. Never here: whether a checkpoint may be signed (`tlog.witness`).
"""
