"""How clients of mls-rs are configured here: suite 1, and storage in memory."""

import mls_rs_uniffi as mls

SUITE = mls.CipherSuite.CURVE25519_AES128


class Storage(mls.GroupStateStorage):
    """The storage that mls-rs asks for, in memory."""

    def __init__(self) -> None:
        self.states: dict[bytes, bytes] = {}
        self.epochs: dict[bytes, dict[int, bytes]] = {}

    def state(self, group_id: bytes) -> bytes | None:
        return self.states.get(group_id)

    def epoch(self, group_id: bytes, epoch_id: int) -> bytes | None:
        return self.epochs.get(group_id, {}).get(epoch_id)

    def write(self, group_id, group_state, epoch_inserts, epoch_updates) -> None:  # type: ignore[no-untyped-def]
        self.states[group_id] = group_state
        kept = self.epochs.setdefault(group_id, {})
        kept.update({each.id: each.data for each in [*epoch_inserts, *epoch_updates]})

    def max_epoch_id(self, group_id: bytes) -> int | None:
        return max(self.epochs.get(group_id, {}), default=None)


def config() -> mls.ClientConfig:
    """Ratchet trees travel in Welcomes."""
    return mls.ClientConfig(group_state_storage=Storage(), use_ratchet_tree_extension=True)
