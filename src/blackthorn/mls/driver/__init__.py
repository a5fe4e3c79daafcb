"""One small protocol to drive this MLS from outside: one JSON object a line, each way.

`python -m blackthorn.mls.driver` speaks it, so that other implementations can be run against
this one. Byte strings are hex, every MLS object is a whole MLSMessage. What goes in and out is
for tests: the driver believes every credential, lets anybody join who has a GroupInfo, and
keeps nothing. `new_client` takes one field more than other drivers do: `public_handshakes`,
true for a client that accepts proposals and Commits as PublicMessages.
"""
