"""One epoch and the way to the next: proposal rules, Commits' effects, what an application allows.

Functions take an epoch and return a new one or a staged Commit; nothing here changes a group.
Never here: reading or making whole messages (`group/`).
"""
