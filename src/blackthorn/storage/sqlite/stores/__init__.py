"""The SQL of each store: the functions by which the engine executes commands and queries.

One module for each port, over a connection that the engine hands in, inside its transaction. Never
here: beginning or committing one, threads, decisions.
"""
