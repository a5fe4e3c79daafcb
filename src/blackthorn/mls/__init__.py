"""MLS (RFC 9420): end-to-end encrypted groups. Pure: state and bytes in, state and bytes out.

`group` is the way in; `key_package`, `credential`, `suites` and `errors` are what its callers
need beside it. Under it, from the bytes upwards:

- wire types: `codec codepoints credential extension leaf_node key_package psk update_path
  proposals group_context welcome_types framing`
- the tree: `treemath ratchet_tree tree_hash tree_validation leaf_validation treekem`
- secrets: `suites key_schedule secret_tree transcript`
- messages: `protection padding`
- decisions: `proposal_list creation committing processing joining next_epoch`, which change
  nothing, and `group`, which puts in place what they return
- what is kept: `epoch staged state state_codec`

Nothing here reads a clock, a file or a socket; time and randomness are arguments.
"""
