"""A whole server and its devices in memory, on a virtual clock, for years at a time.

What runs here is the product: dispatcher, services, SQLite stores, ledger and witnesses, the
device engine with real MLS. Only sockets, disks and clocks are replaced. Everything follows from a
seed, a failure prints the schedule that reproduces it. Nothing here may change how the product
behaves; only the command line and tests import it.
"""
