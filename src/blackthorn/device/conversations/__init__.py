"""Conversations as MLS groups: members, content and inbound parcels.

`inbox` opens a parcel, `receiver` acknowledges and retries, `conversations` has the membership
rules, `self_group` connects a user's own devices. Sending is in `operations`.
"""
