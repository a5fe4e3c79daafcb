"""Messages as they travel (RFC 9420, 5, 6, 10 and 12): content, signatures, encryption, padding.

Wire types of proposals, Commits, Welcomes and key packages, and `protection`, which signs, seals
and opens framed content. Never here: a group's state, or whether a proposal is allowed in it.
"""
