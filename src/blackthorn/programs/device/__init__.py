"""The user's device as a program: home folder, link to the server, and whole tasks over it.

Each task is a function that returns a result or raises. `device` decides, `cli/device` prints, and
`prompt` asks the user; the clock, sockets and waiting are here.
"""
