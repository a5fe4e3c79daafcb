"""A user's device as a program: its home folder, its link to the server, and whole tasks over it.

Each task is a function that returns what happened or raises: activate, pair, recover, fetch, read
mail, replay the ledger, sign as an officer. What is decided is in `device`; what is printed is in
`cli/device`, and a person is asked through `prompt`. Here are the clock, sockets and waiting.
"""
