"""verify.py of a package: the program that its reader can run with nothing but Python 3.

It is text here, put into the package as it stands; the tests run it. Standard library only, and
it opens what lies below its own folder and nothing else.
"""

from typing import Final

SCRIPT: Final = '''#!/usr/bin/env python3
"""Check this package off line: python3 verify.py [FOLDER]

Recomputes every hash and the chain of the custody log. Prints a line for each problem; exits
with 0 when there is none, with 1 otherwise. It does not check the signature and the ledger's
proof, which take more than Python brings: `blackthorn audit package FOLDER` does.
"""

import hashlib
import json
import pathlib
import sys

UNLISTED = {
    "tagmanifest-sha256.txt", "signature.txt", "proof/checkpoint", "proof/entry",
    "proof/opening", "proof/policy.txt", "proof/register.vkey", "proof/tlog-proof.txt",
}


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for piece in iter(lambda: file.read(1 << 20), b""):
            digest.update(piece)
    return digest.hexdigest()


def read_manifest(root, name, problems):
    listed = {}
    for number, line in enumerate((root / name).read_text("utf-8").splitlines(), 1):
        digest, divider, path = line.partition("  ")
        if len(digest) != 64 or not divider or path.startswith("/") or ".." in path.split("/"):
            problems.append(f"{name}, line {number}: not a hash and a name")
        elif path in listed:
            problems.append(f"{name}, line {number}: {path} is listed twice")
        else:
            listed[path] = digest
    return listed


def check_custody(root, problems):
    before = "0" * 64
    lines = (root / "custody.jsonl").read_bytes().split(b"\\n")
    if lines.pop() != b"":
        problems.append("custody.jsonl: the last line does not end")
    for number, line in enumerate(lines):
        entry = json.loads(line)
        if entry.get("number") != number or entry.get("previous") != before:
            problems.append(f"custody.jsonl, line {number + 1}: does not follow the line before")
        before = hashlib.sha256(line).hexdigest()
    said = json.loads((root / "provenance.json").read_bytes())["custody"]
    if said != {"lines": len(lines), "last": before}:
        problems.append("custody.jsonl: provenance.json tells of another log")


def check(root):
    problems = []
    there = set()
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_symlink():
            problems.append(f"{name}: a link")
        elif path.is_file():
            there.add(name)
    payload = read_manifest(root, "manifest-sha256.txt", problems)
    tags = read_manifest(root, "tagmanifest-sha256.txt", problems)
    for name, digest in sorted({**payload, **tags}.items()):
        if name not in there:
            problems.append(f"{name}: missing")
        elif sha256(root / name) != digest:
            problems.append(f"{name}: changed")
    for name in sorted(there - set(payload) - set(tags) - UNLISTED):
        problems.append(f"{name}: not listed")
    check_custody(root, problems)
    return problems


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
    try:
        problems = check(root)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        problems = [f"the package cannot be read: {error}"]
    for problem in problems:
        print(problem)
    if not problems:
        print("all hashes and the custody log hold; tag manifest", end=" ")
        print(sha256(root / "tagmanifest-sha256.txt"))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
'''
"""The bytes of verify.py, in ASCII."""
