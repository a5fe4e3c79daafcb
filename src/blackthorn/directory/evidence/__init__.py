"""Evidence files: proof, for anybody and without a network, that a log or a server misbehaved.

`file` is the form; `log` judges forks and bad epochs, `users` false answers about one user. What a
file says of itself is not believed: everything is verified again. Never here: collecting or
storing evidence, or raising an alarm.
"""
