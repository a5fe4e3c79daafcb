"""MLS (RFC 9420): end-to-end encrypted groups. Pure: state and bytes in, state and bytes out.

Entry points: `group.group`, `framing.key_package`, `credential`, `suites`, `errors`,
`epoch.policy`; `successors` re-initialises and branches, `framing.external_proposing` proposes
from outside.

- `codec codepoints credential extension suites`: shared by all wire types
- `tree/`: the ratchet tree and TreeKEM
- `schedule/`: the secrets of an epoch
- `framing/`: wire messages, signing, encryption
- `epoch/`: proposals, Commits, the next epoch
- `group/`: one member's group, and its stored form
- `driver/`: a line protocol for interoperability tests; imported by nothing

In a wire type `encoded` or `encode()` is the wire form, `unsigned` that without the signature,
`body()` that of a proposal after its type. Each refusal is one of `errors` with its rule from
`rules`. Never here: a clock, a file, a socket, or trust in an identity (the caller validates).
"""
