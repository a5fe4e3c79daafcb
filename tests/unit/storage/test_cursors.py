"""What a loop over rows leaves behind when more is asked within it: nothing."""

import gc

import apsw


def test_a_loop_that_asks_more_keeps_neither_cursor_nor_connection() -> None:
    def cursors() -> int:
        gc.collect()
        return sum(type(each) is apsw.Cursor for each in gc.get_objects())

    connection = apsw.Connection(":memory:")
    before = cursors()
    for _ in connection.execute("VALUES (1), (2), (3)"):
        connection.execute("SELECT 1").fetchall()
    assert cursors() == before
