"""The model of the past with the device's own judgement in it (`device.conversations.judging`)."""

from blackthorn.device.conversations.judging import Change, Judgement, Notes, judge
from blackthorn.device.core.members import Identity
from blackthorn.ids import Address, DeviceId
from tests.models.past import USER, Past, Settlement, State, View, bits


def identity(device: int) -> Identity:
    return Identity(Address(f"{USER[device]}@acme.example"), DeviceId(device.to_bytes(16, "big")))


def identities(devices: int) -> list[Identity]:
    return [identity(device) for device in bits(devices)]


def devices(found: list[Identity]) -> int:
    return sum(int.from_bytes(one.device, "big") for one in found)


class Judged(Past):
    """What the reader trusts, and whom its Commit takes out and back, is what the code says."""

    def judgement(self, state: State, view: View) -> tuple[Judgement, list[int]]:
        """By a lookup that ends now, and the Commits that are judged."""
        notes = Notes()
        branch = self.branch(state, view.base, view.head)
        for epoch, place in enumerate(branch, 1):
            commit = state.commits[place]
            committer = identity(commit.committer)
            notes = notes.with_heard(committer, epoch - 1, 1)
            notes = notes.with_change(
                Change(epoch, 1, [committer], identities(commit.adds), identities(commit.removes))
            )
        for sender in bits(view.heard):
            notes = notes.with_heard(identity(sender), len(branch), 1)

        def seen(one: Identity, moment: int) -> bool:
            return bool(devices([one]) & state.listed)

        return judge(notes, identities(self.tree(state, view.head)), seen), branch

    def judged(self, state: State, view: View) -> View:
        found, branch = self.judgement(state, view)
        trusted = len(branch) - len(found.notes.changes)
        base = branch[trusted - 1] if trusted else view.base
        return view._replace(base=base, heard=0)

    def settles(self, state: State, view: View, *, looked: bool) -> Settlement | None:
        if not looked:
            return super().settles(state, view, looked=False)
        found, _ = self.judgement(state, view)
        return Settlement(devices(found.out), devices(found.back)) if found.noted else None
