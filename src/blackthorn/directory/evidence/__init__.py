"""Evidence files prove to anybody, without a network, that a log or a server misbehaved.

`file` is the form; `log` checks forks and bad epochs, `users` false answers about a user. Every
file is verified anew. Never here: collecting or storing evidence, or raising an alarm.
"""
