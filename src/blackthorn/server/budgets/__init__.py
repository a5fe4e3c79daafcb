"""Work budgets: the loop's time is given in turn, and what a device stores is charged to it.

Charged to a device and its user is only what is kept (rows, bytes, copies, order rows), in token
buckets in memory. Nothing is given back and nothing stored: either would record who sent what. No
frame, no socket, no clock: the time is an argument.
"""
