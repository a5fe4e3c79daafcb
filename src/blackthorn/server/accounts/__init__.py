"""Accounts: users, activation codes, enrolment of devices, pairing, recovery by the printed key.

Tries of strangers are bounded by client and in all. No link frame: handlers translate.
"""
