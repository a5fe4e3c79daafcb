"""Attacks on a real server by a process of their own, and honest traffic beside them.

`table` declares an attack; `devices`, `strangers` and `mails` are the attacks; `attacker` runs one
in a process; `ground` is the server with honest people, and measures what they notice. Everything
is on loopback and bounded in count and time.
"""
