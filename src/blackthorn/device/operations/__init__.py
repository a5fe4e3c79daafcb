"""Outgoing operations: one module per kind, and the outbox that stores them.

A kind's module has its stored form and all its steps; `table` lists the kinds. `outbox`, `sender`
and `failures` use only the methods of `operation.Operation`.
"""
