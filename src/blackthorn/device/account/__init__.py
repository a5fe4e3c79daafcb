"""The user's account across their devices: pairing, recovery, and what follows from the own chain.

`reconciler` enqueues what the own chain makes necessary; `state_transfer` is for a new device;
`exit_notices` are what the server says of the user's market. Statements themselves are made by
`operations.change_chain`.
"""
