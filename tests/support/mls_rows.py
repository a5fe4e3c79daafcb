"""The rows of a group as a store keeps them: they give the same group back."""

from blackthorn.mls.group.group import Group
from blackthorn.mls.group.state_rows import Changes, Key, Table
from tests.support.mls_people import Person


class RowStore:
    """Tables of rows in memory."""

    def __init__(self) -> None:
        self.head = b""
        self.tables: dict[str, dict[Key, bytes]] = {table: {} for table in Table}

    def write(self, changes: Changes) -> None:
        self.head = self.head if changes.head is None else changes.head
        for table, begin in changes.cleared:
            for key in self.read(table, begin):
                del self.tables[table][key]
        for name, rows in changes.rows.items():
            for key, value in rows.items():
                if value is None:
                    self.tables[name].pop(key, None)
                else:
                    self.tables[name][key] = value

    def read(self, table: Table, begin: Key) -> dict[Key, bytes]:
        rows = self.tables[table]
        return {key: rows[key] for key in rows if key[: len(begin)] == begin}

    def load(self, *past: int) -> Group:
        """The group, with these past epochs."""
        group = Group.load(self.head, self.read)
        for epoch in past:
            group.recall(epoch, self.read)
        return group

    def everything(self) -> bytes:
        """All that lies in the rows."""
        rows = (value for table in self.tables.values() for value in table.values())
        return b"".join((self.head, *rows))


def stored(person: Person) -> RowStore:
    """The rows of a person's group, brought up to date."""
    if person.rows is None or person.rows[0] is not person.at:
        person.rows = person.at, RowStore()
    store = person.rows[1]
    changes = person.at.take_changes()
    if changes is not None:
        store.write(changes)
    assert person.at.take_changes() is None
    return store


def again(person: Person) -> Group:
    """The group from its rows, which equals the present one with what they keep of its past."""
    store, past = stored(person), [epoch.context.epoch for epoch in person.at._state.past]
    group = store.load(*past)
    assert group.serialise() == person.at.serialise()
    assert group.take_changes() is None
    return group
