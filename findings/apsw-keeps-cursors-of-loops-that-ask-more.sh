#!/usr/bin/env bash
# apsw 3.54.0.0: a loop over a query keeps its cursor for ever if another statement runs within it.
#
# Connection.execute gives a cursor, and it is usual to go through its rows and to ask something
# else of the same connection for each. In 3.54.0.0 the outer cursor of every such loop gets one
# reference too many for each row; it is never freed, nor is the connection that it belongs to, so
# that a database in memory stays whole. No warning and no error comes, and gc sees no cycle.
# 3.53.4.0 and 3.54.1.0 do not do it. One would look for the reference in one's own code, but
# gc.get_referrers names nobody, since it is held by nothing.
#
# Of apsw-sqlite3mc, the build of apsw with SQLite3 Multiple Ciphers, 3.54.0.0 is the newest release
# (November 2026), so that who takes the newest has the fault. Reading all rows before asking more
# (fetchall) avoids it.
#
# Output seen:
#   apsw 3.53.4.0: 0 of 20 cursors kept; 0 when all rows are read first
#   apsw 3.54.0.0: 20 of 20 cursors kept; 0 when all rows are read first
#   apsw 3.54.1.0: 0 of 20 cursors kept; 0 when all rows are read first
#   apsw-sqlite3mc 3.53.4.0: 0 of 20 cursors kept; 0 when all rows are read first
#   apsw-sqlite3mc 3.54.0.0: 20 of 20 cursors kept; 0 when all rows are read first
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/look.py" <<'PY'
import gc
import sys

import apsw

connection = apsw.Connection(":memory:")
connection.execute("CREATE TABLE numbers (number)")
connection.executemany("INSERT INTO numbers VALUES (?)", [(number,) for number in range(5)])


def kept(rows):
    """Cursors that are left of 20 loops."""
    gc.collect()
    before = sum(type(each) is apsw.Cursor for each in gc.get_objects())
    for _ in range(20):
        for (number,) in rows():
            connection.execute("SELECT number + 1 FROM numbers WHERE number = ?", (number,)).fetchall()
    gc.collect()
    return sum(type(each) is apsw.Cursor for each in gc.get_objects()) - before


def one_by_one():
    return connection.execute("SELECT number FROM numbers")


looped = kept(one_by_one)
whole = kept(lambda: one_by_one().fetchall())
print(f"{sys.argv[1]}: {looped} of 20 cursors kept; {whole} when all rows are read first")
PY
for package in apsw==3.53.4.0 apsw==3.54.0.0 apsw==3.54.1.0 apsw-sqlite3mc==3.53.4.0 \
    apsw-sqlite3mc==3.54.0.0; do
    python3 -m venv --clear "$folder/venv"
    "$folder/venv/bin/pip" install -q --disable-pip-version-check "$package"
    "$folder/venv/bin/python" "$folder/look.py" "${package/==/ }"
done > "$folder/seen"
cat "$folder/seen"
diff "$folder/seen" - <<'SEEN'
apsw 3.53.4.0: 0 of 20 cursors kept; 0 when all rows are read first
apsw 3.54.0.0: 20 of 20 cursors kept; 0 when all rows are read first
apsw 3.54.1.0: 0 of 20 cursors kept; 0 when all rows are read first
apsw-sqlite3mc 3.53.4.0: 0 of 20 cursors kept; 0 when all rows are read first
apsw-sqlite3mc 3.54.0.0: 20 of 20 cursors kept; 0 when all rows are read first
SEEN
