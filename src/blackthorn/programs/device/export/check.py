"""`blackthorn export verify`: check that an export is complete, unchanged and signed.

Needs no server and no device. It reports all findings; reads are bounded by the manifest's sizes.
"""

import hashlib
import json
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from blackthorn.device.export import limits as export_limits
from blackthorn.device.export import manifest as manifests
from blackthorn.device.export import mbox, messages
from blackthorn.device.export.export import CHAIN, CONTACTS, KEYS, MBOX, mail_paths
from blackthorn.errors import DecodeError, SecurityError, UserError
from blackthorn.mail.render.text import safe_line
from blackthorn.programs.device.export import limits

_PIECE: Final = 1024 * 1024


@dataclass(slots=True)
class ExportCheck:
    """The result: `findings` are sentences that begin with the file; empty when all is well.

    `manifest` is None when it cannot be read; `device` is the signer's name.
    """

    findings: list[str] = field(default_factory=list)
    manifest: manifests.Manifest | None = None
    device: str = ""
    statements: int = 0

    def found(self, path: str, what: str) -> None:
        self.findings.append(f"{safe_line(path)}: {what}")


def verify_export(folder: Path) -> ExportCheck:
    """Check everything. Raises UserError when there is no such folder, or no export in it."""
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder")
    names = (manifests.MANIFEST, manifests.SIGNATURE, CHAIN)
    if not any(os.path.lexists(folder / name) for name in names):
        missing = ", ".join(names)
        raise UserError(f"{folder} is no export: none of its files {missing} is there")
    check = ExportCheck()
    encoded = _small(folder, manifests.MANIFEST, limits.MAX_EXPORT_MANIFEST_BYTES, check)
    if encoded is None:
        return check
    try:
        manifest = check.manifest = manifests.decode_manifest(encoded)
    except DecodeError as error:
        check.findings.append(str(error))
        return check
    _check_signature(folder, encoded, manifest, check)
    good = _check_files(folder, manifest, check)
    _check_counts(folder, manifest, good, check)
    return check


def _small(folder: Path, path: str, most: int, check: ExportCheck) -> bytes | None:
    try:
        with _open(folder, path) as file:
            data = file.read(most + 1)
    except OSError as error:
        check.found(path, error.strerror or "cannot be read")
        return None
    if len(data) > most:
        check.found(path, "is too large")
        return None
    return data


def _open(folder: Path, path: str) -> BinaryIO:
    return os.fdopen(os.open(folder / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb")


def _check_signature(
    folder: Path, encoded: bytes, manifest: manifests.Manifest, check: ExportCheck
) -> None:
    signature = _small(folder, manifests.SIGNATURE, _PIECE, check)
    data = _small(folder, CHAIN, export_limits.MAX_EXPORT_CHAIN_BYTES, check)
    if signature is None or data is None:
        return
    try:
        chain = manifests.decode_chain(data)
    except SecurityError as error:
        check.found(CHAIN, str(error))
        return
    if chain.label != manifest.address:
        check.found(CHAIN, "is of another user than the manifest")
    check.statements = chain.seq
    try:
        check.device = manifests.verify_signature(encoded, signature, chain)
    except SecurityError as error:
        check.findings.append(str(error))


def _check_files(folder: Path, manifest: manifests.Manifest, check: ExportCheck) -> set[str]:
    """Compare files and manifest; the paths of unchanged files."""
    there = set(_walk(folder, "", check))
    listed: dict[str, manifests.FileEntry] = {}
    for entry in manifest.files:
        if entry.path in listed:
            check.found(entry.path, "is listed twice")
        listed[entry.path] = entry
    for path in sorted(there - listed.keys() - {manifests.MANIFEST, manifests.SIGNATURE}):
        check.found(path, "was added: the manifest does not have it")
    good = set()
    for path, entry in listed.items():
        if path not in there:
            check.found(path, "is missing")
        elif _is_unchanged(folder, entry, check):
            good.add(path)
    return good


def _walk(folder: Path, below: str, check: ExportCheck) -> Iterator[str]:
    """All files; empty folders and special files are findings."""
    with os.scandir(folder / below) as entries:
        found = list(entries)
    if below and not found:
        check.found(below, "is an empty folder that does not belong here")
    for entry in found:
        path = f"{below}/{entry.name}" if below else entry.name
        mode = entry.stat(follow_symlinks=False).st_mode
        if stat.S_ISDIR(mode):
            yield from _walk(folder, path, check)
        elif stat.S_ISREG(mode):
            yield path
        else:
            check.found(path, "is neither a file nor a folder")


def _is_unchanged(folder: Path, entry: manifests.FileEntry, check: ExportCheck) -> bool:
    digest, size = hashlib.sha256(), 0
    try:
        with _open(folder, entry.path) as file:
            while size <= entry.bytes and (piece := file.read(_PIECE)):
                digest.update(piece)
                size += len(piece)
    except OSError as error:
        check.found(entry.path, error.strerror or "cannot be read")
        return False
    if size != entry.bytes:
        check.found(entry.path, f"has another size than the {entry.bytes} bytes of the manifest")
        return False
    if digest.hexdigest() != entry.sha256:
        check.found(entry.path, "was changed: its hash is another than the manifest's")
        return False
    return True


def _check_counts(
    folder: Path, manifest: manifests.Manifest, good: set[str], check: ExportCheck
) -> None:
    """Compare the manifest's counts with the files, if all files are unchanged."""
    if good != {entry.path for entry in manifest.files}:
        return
    documents = [path for path in good if path.startswith("messages/") and path.endswith(".json")]
    counted = {
        "mails": sum(1 for _ in mail_paths(good)),
        "conversations": len(documents),
        "messages": sum(_messages(folder, path, check) for path in sorted(documents)),
        "contacts": _contacts(folder) if CONTACTS in good else 0,
        "problems": len(manifest.problems),
    }
    if f"{KEYS}.asc" not in good:  # of an earlier version: all keys in one locked file
        counted["keys"] = sum(path.startswith(f"{KEYS}-") for path in good)
    for what, count in counted.items():
        stated = getattr(manifest.counts, what)
        if count != stated:
            check.found(manifests.MANIFEST, f"says {stated} {what}, and there are {count}")
    if MBOX in good:
        _check_mbox(folder, mail_paths(good), check)
    else:
        check.found(MBOX, "is missing")


def _messages(folder: Path, path: str, check: ExportCheck) -> int:
    try:
        with _open(folder, path) as file:
            document = json.load(file)
        if document["format"] == messages.CONVERSATION_FORMAT:
            return len(document["messages"])
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    check.found(path, "is not a conversation of a format that is known here")
    return 0


def _contacts(folder: Path) -> int:
    with _open(folder, CONTACTS) as file:
        return sum(line == b"BEGIN:VCARD\r\n" for line in file)


def _check_mbox(folder: Path, paths: Iterable[str], check: ExportCheck) -> None:
    """Check that the mbox has the same mails in the same order."""
    with _open(folder, MBOX) as file:
        mails = mbox.mails(file)
        for path in paths:
            with _open(folder, path) as single:
                expected = mbox.normal(single.read())
            mail = next(mails, None)
            if mail != expected:
                what = "ends before" if mail is None else "has another mail than"
                check.found(MBOX, f"{what} {path}")
                return
        if next(mails, None) is not None:
            check.found(MBOX, "has a mail that no file has")


def require_whole(check: ExportCheck) -> None:
    """Raises SecurityError with the first finding and the number of others."""
    if check.findings:
        more = f" (and {len(check.findings) - 1} more)" if len(check.findings) > 1 else ""
        raise SecurityError(f"the export is not as it was made: {check.findings[0]}{more}")
