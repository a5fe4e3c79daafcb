"""`ports.parcels` in memory."""

from blackthorn.link.limits import MAX_MISSED_DIGESTS
from blackthorn.ports.parcels import (
    CommitOutcome,
    CommitPosition,
    ExpireCommits,
    ExpireUndecryptable,
    ForgetMissed,
    MailboxTallies,
    MarkUndecryptable,
    Missed,
    MissedCommits,
    OrderedCommit,
    Parcels,
    Removal,
    RemoveOldestUndecryptable,
    RemoveParcels,
    RemoveUndecryptable,
    StoreParcels,
    TakenHandles,
    Tally,
    TallyPage,
    WaitingParcel,
    WaitingParcels,
)
from blackthorn.storage.limits import MAX_REMEMBERED_COMMITS
from tests.support.memory_store.state import Parcel, State


def store(state: State, command: StoreParcels) -> list[OrderedCommit]:
    insert(state, command.free)
    return [order(state, *entry, command.day) for entry in command.ordered]


def insert(state: State, parcels: Parcels) -> None:
    rows = list(parcels.single)
    rows += [
        (*place, each.sealed, sender)
        for each in parcels.shared
        for place, sender in zip(each.places, each.senders, strict=True)
    ]
    for device, seq, sealed, sender in rows:
        known = state.devices.get(device)
        if known is not None and state.users[known.user].market not in state.destroyed:
            assert (device, seq) not in state.parcels
            state.parcels[device, seq] = Parcel(sealed, sender)
    for device, digest in parcels.missed:
        known = state.devices.get(device)
        if known is not None and state.users[known.user].market not in state.destroyed:
            state.missed.setdefault(device, []).insert(0, digest)


def order(
    state: State, position: CommitPosition, parcels: Parcels | None, day: int
) -> OrderedCommit:
    handle, epoch, token, digest = position
    taken, _, winner = state.commits.get((handle, epoch), (None, 0, b""))
    if taken == token:
        epochs = [known for other, known in state.commits if other == handle]
        if parcels is None or epoch <= max(epochs):
            return OrderedCommit(CommitOutcome.REPEATED)
    if parcels is None:
        return OrderedCommit(CommitOutcome.NEW)
    epochs = [known for other, known in state.commits if other == handle]
    if epochs and epoch != max(epochs) + 1:
        if epoch > max(epochs):
            return OrderedCommit(CommitOutcome.AHEAD)
        return OrderedCommit(CommitOutcome.LATE, winner)
    state.commits[handle, epoch] = (token, day, digest)
    for known in epochs:
        if known <= epoch - MAX_REMEMBERED_COMMITS:
            del state.commits[handle, known]
    insert(state, parcels)
    return OrderedCommit(CommitOutcome.STORED)


def taken(state: State, handle: bytes) -> bytes | None:
    found = [
        (epoch, commit[2]) for (other, epoch), commit in state.commits.items() if other == handle
    ]
    return max(found)[1] if found else None


def remove(state: State, command: RemoveParcels) -> None:
    for place in command.places:
        state.parcels.pop(place, None)


def drop(state: State, places: list[tuple[int, int]]) -> list[Removal]:
    return [Removal(place[0], len(state.parcels.pop(place).sealed)) for place in places]


def remove_undecryptable(state: State, command: RemoveUndecryptable) -> list[Removal]:
    return drop(state, [place for place in command.places if place in state.parcels])


def mark(state: State, command: MarkUndecryptable) -> None:
    for place in command.places:
        parcel = state.parcels.get(place)
        if parcel is not None and parcel.undecryptable_day is None:
            parcel.undecryptable_day = command.day


def remove_oldest(state: State, command: RemoveOldestUndecryptable) -> list[Removal]:
    kept = {
        place: parcel
        for place, parcel in sorted(state.parcels.items())
        if place[0] == command.device and parcel.undecryptable_day is not None
    }
    gone: list[tuple[int, int]] = []

    def size() -> int:
        return sum(len(parcel.sealed) for parcel in kept.values())

    def weight(place: tuple[int, int]) -> int:
        own = [len(one.sealed) for one in kept.values() if one.sender == kept[place].sender]
        return len(own) * command.size + sum(own) * command.parcels

    while (len(kept) > command.parcels or size() > command.size) and len(gone) < command.limit:
        gone.append(max(kept, key=weight))  # the first of the heaviest
        del kept[gone[-1]]
    return drop(state, gone)


def expire(state: State, command: ExpireUndecryptable) -> list[Removal]:
    old = [
        place
        for place, parcel in state.parcels.items()
        if parcel.undecryptable_day is not None and parcel.undecryptable_day < command.before_day
    ]
    return drop(state, old[: command.limit])


def expire_commits(state: State, command: ExpireCommits) -> int:
    old = [place for place, (_, day, _) in state.commits.items() if day < command.before_day]
    for place in old[: command.limit]:
        del state.commits[place]
    return len(old[: command.limit])


def missed(state: State, query: MissedCommits) -> Missed:
    digests = state.missed.get(query.device, [])
    return Missed(len(digests), b"".join(digests[:MAX_MISSED_DIGESTS]))


def forget_missed(state: State, command: ForgetMissed) -> int:
    known = state.missed.pop(command.device, [])
    later = max(0, len(known) - command.count)
    if later:
        state.missed[command.device] = known[:later]
    return later


def tallies(state: State, query: MailboxTallies) -> TallyPage:
    found: list[Tally] = []
    keys = [device.to_bytes(16, "big") for device in query.devices]
    room, after = query.limit, query.after
    for device in query.devices:
        places = sorted(place for place in state.parcels if place[0] == device)
        page = [place for place in places if place[1] > after][:room]
        parcels = [state.parcels[place] for place in page]
        waiting = [len(p.sealed) for p in parcels if p.undecryptable_day is None]
        others = [len(p.sealed) for p in parcels if p.undecryptable_day is not None]
        newest = page[-1][1] if page else 0
        sizes = len(waiting), sum(waiting), len(others), sum(others)
        senders: dict[int, list[int]] = {}
        for one in parcels:
            if one.sender and one.undecryptable_day is None:
                senders.setdefault(one.sender, []).append(len(one.sealed))
        held = tuple((sender, len(own), sum(own)) for sender, own in senders.items())
        found.append(Tally(*sizes, newest, len(state.missed.get(device, ())), held))
        room, after = room - len(page), 0
        if room == 0:
            return TallyPage(found, page[-1][1], keys[: len(found)])
    return TallyPage(found, 0, keys)


def waiting_parcels(state: State, query: WaitingParcels) -> list[WaitingParcel]:
    found: list[WaitingParcel] = []
    room = query.max_bytes
    for (device, seq), parcel in sorted(state.parcels.items()):
        undecryptable = parcel.undecryptable_day is not None
        if device != query.device or seq <= query.after or undecryptable > query.undecryptable:
            continue
        if len(found) == query.max_parcels or room <= 0:
            break
        found.append(WaitingParcel(seq, parcel.sealed, undecryptable, parcel.sender))
        room -= len(parcel.sealed)
    return found


COMMANDS = {
    StoreParcels: store,
    RemoveParcels: remove,
    RemoveUndecryptable: remove_undecryptable,
    MarkUndecryptable: mark,
    RemoveOldestUndecryptable: remove_oldest,
    ExpireUndecryptable: expire,
    ExpireCommits: expire_commits,
    ForgetMissed: forget_missed,
}
QUERIES = {
    TakenHandles: lambda state, query: [taken(state, handle) for handle in query.handles],
    MailboxTallies: tallies,
    MissedCommits: missed,
    WaitingParcels: waiting_parcels,
}
