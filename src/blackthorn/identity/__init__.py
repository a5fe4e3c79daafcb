"""Identity chains: a user's devices, keys and certificate, in statements that the devices sign.

`statements` are bytes and bodies, `chain` verifies them one `step` at a time, each refusal by its
rule (`rules`). `UnverifiedChain` and `VerifiedChain` are two types; only `chain` leads from one to
the other. Never here: where a chain is stored, whom to ask for it, what a person is shown.
"""
