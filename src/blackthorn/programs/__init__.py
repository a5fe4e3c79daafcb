"""Composition roots: what runs as a process or for one command, built from the parts below.

A program reads configuration, opens storage, connects edges with services or a device's engine,
and supervises tasks. It returns values, raises, or asks through a port that it is handed; it knows
no command-line library, and what it composes decides without it. Errors become exit codes in
`entry`.
"""
