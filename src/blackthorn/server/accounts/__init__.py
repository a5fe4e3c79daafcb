"""Accounts: users, activation codes, enrolment of devices, pairing, recovery by the printed key.

Tries are counted durably before they are answered. No link frame: handlers translate.
"""
