"""The ratchet tree (RFC 9420, 4 and 7): nodes, hashes, validation, and TreeKEM's path secrets.

`leaf_node` and `update_path` are wire types, `ratchet_tree` and `treemath` the structure,
`tree_validation` and `leaf_validation` the rules. Never here: proposals, epochs, messages.
"""
