"""The command `blackthorn`: each family of commands is a folder or module here.

A command parses its options, calls a program and prints what that returns, as text or as JSON.
What several families share is directly here: options, times, consoles, progress. Nothing here
decides, loops over a link or opens a file of ours, and nothing outside imports this. Modules that
do the work are imported when a command runs: a server must not load what it never uses.
"""
