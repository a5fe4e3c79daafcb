"""Work budgets: what a device stores is charged to it and to its user.

Charged is only what is kept (rows, bytes, bytes of all recipients, order rows), once per frame, in
token buckets in memory. Time is scheduled, not charged. Nothing is given back and nothing stored:
either would record who sent what. No frame, no socket, no clock: the time is an argument.
"""
