"""A witnessed transparency log: Merkle tree, tiles, checkpoints, cosignatures, policies. Pure."""
