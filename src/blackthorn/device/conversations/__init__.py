"""Conversations as MLS groups: their members, their content, and the parcels that arrive for them.

`inbox` opens one parcel, `receiver` acknowledges and retries them; `conversations` has the rules by
which members may change; `self_group` is the group of a user's own devices. What is sent, and when,
is for `operations`.
"""
