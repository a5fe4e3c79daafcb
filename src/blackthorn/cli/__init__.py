"""The command `blackthorn`: one folder or module for each family of commands.

A command parses options, calls a program and prints the result. Shared options, times, consoles and
progress are in this folder. No other package imports it. Modules that do the work are imported when
a command runs.
"""
