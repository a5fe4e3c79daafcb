#!/usr/bin/env bash
# uvloop 0.23.0: a descriptor that was watched by add_reader stays non-blocking after remove_reader.
#
# asyncio's own loop leaves the descriptor as it was. With uvloop the flag stays on the open file,
# which for standard input is shared with every other program of that terminal. A prompt that comes
# after the loop has ended, such as getpass for a passphrase, then finds "nothing there" at once:
# it reads an end of file, or raises BlockingIOError, instead of waiting for the person.
# Remedy: os.set_blocking(descriptor, True) before the next plain read.
#
# Output seen:
#   asyncio: read b'code\n', blocking before True, after True
#   uvloop: read b'code\n', blocking before True, after False; next read BlockingIOError
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check uvloop==0.23.0
"$folder/venv/bin/python" - > "$folder/seen" <<'PY'
import asyncio
import os

import uvloop


async def first_line(descriptor: int) -> bytes:
    loop = asyncio.get_running_loop()
    readable = loop.create_future()
    loop.add_reader(descriptor, lambda: readable.done() or readable.set_result(None))
    await readable
    loop.remove_reader(descriptor)
    return os.read(descriptor, 100)


for name, run in (("asyncio", asyncio.run), ("uvloop", uvloop.run)):
    reading, writing = os.pipe()
    before = os.get_blocking(reading)
    os.write(writing, b"code\n")
    line = run(first_line(reading))
    after = os.get_blocking(reading)
    text = f"{name}: read {line!r}, blocking before {before}, after {after}"
    if not after:
        try:
            os.read(reading, 100)
        except BlockingIOError as error:
            text += f"; next read {type(error).__name__}"
    print(text)
PY
cat "$folder/seen"
diff "$folder/seen" - <<'SEEN'
asyncio: read b'code\n', blocking before True, after True
uvloop: read b'code\n', blocking before True, after False; next read BlockingIOError
SEEN
