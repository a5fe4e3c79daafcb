"""A witnessed transparency log: Merkle tree, tiles, checkpoints, cosignatures, trust policies.

The log uses `merkle`, `tiles`, `checkpoint` and `frontier`, a witness `witness`, readers `verify`
and `proof` under a `policy`; devices import `verify` alone. Checks name numbered `rules`. Never
here: the meaning of an entry, a clock, storage, a network.
"""
