"""Commands of a user's device: activate, send, inbox, groups, mail, devices, alarms, export.

They call `programs/device` and print the result, with foreign text made safe. Never here: keys,
protocol, the vault.
"""
