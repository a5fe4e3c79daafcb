"""What a device sends: one module per kind of operation, and the outbox that persists them.

A kind's module holds its stored form, how it is enqueued, prepared, accepted, refused and worded;
`table` lists the kinds. A new kind of message is one new module and one line there. `outbox`,
`sender` and `failures` work on any kind by the methods of `operation.Operation`. No socket and no
clock here, and nothing that receives messages.
"""
