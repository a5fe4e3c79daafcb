"""Conversations that heal: the states of a conversation, and how a device finds its way back.

`states` is the law as a table; `docs/specs/conversations.md` is made from it. Detection never
trusts the server: its word leads to questions to members only. Below `conversations`, which asks
here what a standing permits; what is sent is made in `operations`.
"""
