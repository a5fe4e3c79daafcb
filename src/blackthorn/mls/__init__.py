"""MLS (RFC 9420): end-to-end encrypted groups. Pure: state and bytes in, state and bytes out.

`group.group` is the way in, with `framing.key_package`, `credential`, `suites`, `errors` and
`epoch.policy`; `successors` re-initialises and branches groups, `framing.external_proposing` makes
proposals from outside. From the bytes upwards:

- `codec codepoints credential extension suites`: what all wire types share
- `tree/`: the ratchet tree and TreeKEM
- `schedule/`: the secrets of an epoch
- `framing/`: messages as they travel, signed and sealed
- `epoch/`: proposals, Commits, the next epoch
- `group/`: one member's group, and its stored form
- `driver/`: a line protocol for tests with other implementations; imported by nothing

In a wire type `encoded` or `encode()` is the wire form, `unsigned` that without the signature,
`body()` that of a proposal after its type. Every refusal is one of `errors`, with its rule of RFC
9420 from `rules`. Never here: a clock, a file, a socket, or whom to believe (the caller's
credential validator says).
"""
