"""Messages between devices: submission, fan-out lists, mailboxes, delivery, key packages.

Sealed bytes come in, are stored by commands, and are pushed to the devices that receive. A
connection of a device is a `mailbox.DeviceConnection`, whatever protocol it speaks. No frame,
no code of a protocol, no SQL, and nothing that names on disk who writes to whom.
"""
