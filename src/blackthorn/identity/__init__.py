"""Identity chains: a user's devices, keys and certificate, in statements that devices sign.

`statements` has bytes and bodies; `chain` verifies them `step` by step by numbered `rules` and
alone turns an `UnverifiedChain` into a `VerifiedChain`. Never here: storage, network, display.
"""
