"""The production package of a directive: a deterministic BagIt bag (RFC 8493) in a tar file.

`build` makes it, `check` verifies it by numbered rules, `layout` is shared, `letters` has the
texts. Never here: reading the store, encryption, delivery, or data of anybody else.
"""
