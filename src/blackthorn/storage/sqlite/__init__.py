"""The server's stores in one SQLite file: SQL, migrations, one writer thread, one reader thread.

`stores` executes the ports' commands and queries, one module a port. Never here: decisions,
clocks, anything that opens what is sealed.
"""
