"""MLS (RFC 9420): end-to-end encrypted groups. Pure: state and bytes in, state and bytes out.

`group` is the way in; `key_package`, `credential`, `suites`, `errors`, `policy` and `results` are
what its callers need beside it; `successors` re-initialises and branches groups, and
`external_proposing` makes proposals from outside. Under it, from the bytes upwards:

- wire types: `codec codepoints credential extension leaf_node key_package psk update_path
  proposals group_context welcome_types framing`
- the tree: `treemath ratchet_tree tree_hash tree_validation leaf_validation treekem`
- secrets: `suites key_schedule secret_tree transcript`
- messages: `protection padding public_messages receiving`
- decisions: `proposal_list external_commit succession creation committing processing joining
  external_joining group_info next_epoch`, which change nothing, and `group`, which puts in
  place what they return
- every refusal: `errors`, each with its rule of RFC 9420 from `rules`
- what is kept: `epoch staged state state_codec`, of which `group_view` shows what is no secret

Nothing here reads a clock, a file or a socket; time and randomness are arguments.
"""
