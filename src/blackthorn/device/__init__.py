"""A person's device: what it keeps, sends, receives and believes, without a socket and a clock.

From the ground up: `mail` (keys), `core`, `transparency` (the ledger), `conversations` (MLS),
`operations` (sending), `account` (the user's own devices), `export`; `engine` joins them for one
connection. Programs and edges connect it. Nothing on the server's side may import any of it.
"""
