"""Composition roots: what runs as a process or for one command.

A program reads configuration, opens storage, connects edges with services or a device's engine, and
supervises tasks. It returns values, raises, or asks through a port; it knows no command-line
library. `entry` maps errors to exit codes.
"""
