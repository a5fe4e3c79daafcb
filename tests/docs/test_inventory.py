"""The inventory names every stored column; one that is not classified fails the build."""

import pytest

from tools.inventory import (
    UnclassifiedError,
    migrations,
    read_inventory,
    render_inventory,
)

CLASSIFIED = """
-- What waits for a device.
CREATE TABLE parcel (
    number INTEGER PRIMARY KEY,        -- row number | until acknowledged | producible: no
    sealed BLOB NOT NULL CHECK (length(sealed) > 0) -- bytes | until acknowledged | producible: yes
) STRICT;
"""


def test_columns_are_read_with_their_classification() -> None:
    (table,) = read_inventory([CLASSIFIED])
    assert (table.name, table.note) == ("parcel", "What waits for a device.")
    assert [(column.name, column.producible) for column in table.columns] == [
        ("number", False),
        ("sealed", True),
    ]
    assert "| `sealed` | bytes | until acknowledged | yes |" in render_inventory([table])


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE parcel ADD COLUMN sender BLOB;",
        "CREATE TABLE letter (sender BLOB);",
        "CREATE TABLE letter (\n    sender BLOB -- who sent it\n);",
        "CREATE TABLE letter (\n    sender BLOB -- who | for ever | producible: perhaps\n);",
        "CREATE TABLE letter AS SELECT sealed AS sender FROM parcel;",
        "CREATE VIRTUAL TABLE letter USING fts5(sender);",
    ],
)
def test_an_unclassified_column_fails_the_build(change: str) -> None:
    with pytest.raises(UnclassifiedError, match="sender"):
        read_inventory([CLASSIFIED, change])


def test_a_column_added_later_is_classified_where_it_is_added() -> None:
    later = "ALTER TABLE parcel ADD COLUMN size INTEGER; -- bytes | as sealed | producible: yes"
    (table,) = read_inventory([CLASSIFIED, later])
    assert table.columns[-1].name == "size"


def test_every_column_of_this_server_is_classified() -> None:
    tables = read_inventory(sql for _, sql in migrations())
    assert len(tables) >= 3
    assert all(table.note for table in tables), "a table needs a comment above it"
