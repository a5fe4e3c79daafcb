"""The witness's composition root: its process, its auditor, its status.

A witness cosigns only after its database is durable, and as an auditor after a replay of the
entries. `tlog.witness` decides whether a checkpoint may be signed.
"""
