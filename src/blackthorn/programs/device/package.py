"""A directive's package and letter on an officer's device: fetch, check, seal, write."""

import base64
import binascii
import os
import re
from pathlib import Path
from typing import BinaryIO, Final

from blackthorn import errors
from blackthorn.crypto.openpgp_seal import parse_certificate, seal, seal_file
from blackthorn.device.transparency.decisions import VerifiedDecisions
from blackthorn.governance import directives, limits, transitions
from blackthorn.governance.package import check as package_check
from blackthorn.governance.package.check import PackageSummary
from blackthorn.governance.package.tar import read_tar
from blackthorn.link import frames as f
from blackthorn.programs.device import home, program, requests
from blackthorn.programs.event_loop import run
from blackthorn.storage.files import atomic

_ARMOR: Final = re.compile(
    rb"-----BEGIN PGP PUBLIC KEY BLOCK-----\s*?\n(?:[^\n]+:[^\n]*\n)*\s*\n(.*?)"
    rb"(?:\n=[A-Za-z0-9+/]{4})?\s*\n-----END PGP PUBLIC KEY BLOCK-----",
    re.DOTALL,
)


def parse_recipient(document: bytes, name: str) -> bytes:
    """The authority's OpenPGP certificate, binary; `document` may be armored.

    Raises UserError or CertificateError, before anything is signed, when it cannot be sealed to.
    """
    binary = document
    if document.lstrip().startswith(b"-----BEGIN"):
        found = _ARMOR.search(document.replace(b"\r\n", b"\n"))
        try:
            binary = base64.b64decode(b"".join(found[1].split()), validate=True) if found else b""
        except binascii.Error:
            binary = b""
        if not binary:
            raise errors.UserError(f"{name} is no armored OpenPGP certificate")
    seal(b"", parse_certificate(binary), now=home.wall_ms() // 1000)
    return binary


def fetch(device: program.DeviceProgram, case: str, path: Path) -> f.ProductionPart:
    """Write the package to the new file `path` (0600); its last part. Raises DiskError."""
    with errors.system_error(errors.DiskError, f"{path} cannot be written"):
        path.unlink(missing_ok=True)
        with atomic.new_file(path) as file:
            return run(_receive(device, case, file))


async def _receive(device: program.DeviceProgram, case: str, file: BinaryIO) -> f.ProductionPart:
    at = 0
    async with requests.connect(device) as ask:
        while True:
            part: f.ProductionPart = await ask(f.FetchProduction(3, case, at), f.ProductionPart)
            _check_part(part, at)
            file.write(part.data)
            at += len(part.data)
            if at >= part.total:
                return part


def _check_part(part: f.ProductionPart, at: int) -> None:
    if part.refusal:
        raise (errors.UnavailableError if part.later else errors.UserError)(part.refusal)
    if part.offset != at or part.total > limits.MAX_PACKAGE_BYTES:
        raise errors.SecurityError("the server sends another package than it should")
    if not part.data and at < part.total:
        raise errors.SecurityError("the server ends the package before its end")


def check(
    path: Path, case: transitions.Case, decisions: VerifiedDecisions, part: f.ProductionPart
) -> PackageSummary:
    """Verify all hashes and that the package has only the directive's accounts and categories.

    Raises VerificationError, SecurityError.
    """
    with errors.system_error(errors.DiskError, f"{path} cannot be read"), path.open("rb") as file:
        made = package_check.summarise(read_tar(file.read))
    if made.directive != case.id:
        raise errors.VerificationError(
            "P13", f"the package is of {made.directive}, not of {case.id}"
        )
    named = decisions.private.get((case.id, 1), {}).get("accounts")
    if named is not None and not set(made.accounts) <= set(named):
        raise errors.SecurityError("the package holds accounts that the directive does not name")
    if not set(made.categories) <= set(case.last("approve")["categories"]):
        raise errors.SecurityError("the package holds categories that were not approved")
    if (part.manifest, part.items, part.accounts_with_data) != (
        made.manifest_hash,
        made.files,
        made.with_data,
    ):
        raise errors.SecurityError("the package is not what the server says of it")
    if made.with_data > directives.facts(case)["accounts"]:
        raise errors.SecurityError("the package holds more accounts than the directive names")
    signed = case.last("produce").get("manifest")
    if signed is not None and made.manifest_hash != signed:
        raise errors.SecurityError("the package is another than the one that was signed for")
    return made


def keep(partial: Path, target: Path, recipient: bytes | None) -> None:
    """Give the package its final name, or only a copy sealed to the recipient."""
    try:
        if recipient is None:
            os.link(partial, target)
            return
        sealed = partial.with_name(target.name + ".new")
        sealed.unlink(missing_ok=True)
        try:
            os.close(os.open(sealed, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            now = home.wall_ms() // 1000
            seal_file(str(partial), str(sealed), parse_certificate(recipient), now=now)
            os.link(sealed, target)
        finally:
            sealed.unlink(missing_ok=True)
    except FileExistsError:
        raise errors.UserError(
            f"{target} is there already: nothing was written; give --out another name"
        ) from None
    except OSError as error:
        raise errors.DiskError(f"{target} cannot be written: {error.strerror}") from None


def write_letter(path: Path, text: bytes) -> None:
    """Write the letter to a new file; an identical file stays."""
    try:
        with path.open("xb") as file:
            file.write(text)
    except FileExistsError:
        if path.stat().st_size != len(text) or path.read_bytes() != text:
            raise errors.UserError(f"{path} is there already and is another letter") from None
    except OSError as error:
        raise errors.DiskError(f"{path} cannot be written: {error.strerror}") from None
