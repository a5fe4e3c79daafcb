"""The server's composition root: configuration, parts wired to each other, supervised tasks.

`server` starts and stops the process; beside it are the tasks that it supervises and the commands
of its host. Never here: decisions (`server`), SQL, the layout of files (`storage.files`).
"""
