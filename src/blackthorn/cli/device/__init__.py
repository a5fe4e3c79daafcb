"""The commands of a user's device: activate, send, inbox, groups, mail, devices, alarms, export.

Each calls functions of `programs/device` and prints what they return; text of others is made safe
before it is printed. Nothing here decides, stores or waits for the server by itself.
"""
