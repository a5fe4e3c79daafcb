"""A witnessed transparency log: Merkle tree, tiles, checkpoints, cosignatures, trust policies.

The log's side is `merkle`, `tiles`, `checkpoint` and `frontier`; a witness's `witness`; a reader's
`verify` and `proof`, under a `policy` of logs and witnesses. A device imports `verify` alone. Each
check names its rule (`rules`). Never here: what an entry holds, a clock, storage, a network.
"""
