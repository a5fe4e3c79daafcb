"""A directive's package on an officer's device: fetched, checked, listed, sealed, signed for."""

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from blackthorn.cli import terminal
from blackthorn.cli.officer import decide as offices
from blackthorn.cli.officer import directive_forms, show
from blackthorn.cli.officer.fields import certificate
from blackthorn.device.transparency.decisions import VerifiedDecisions
from blackthorn.errors import DiskError, SecurityError, UserError, VerificationError
from blackthorn.governance import directives, limits
from blackthorn.governance.package import check as bag_check
from blackthorn.governance.package.tar import read_tar
from blackthorn.governance.transitions import Case
from blackthorn.link import frames as f
from blackthorn.programs.device import requests
from blackthorn.programs.device.home import wall_ms
from blackthorn.programs.device.program import DeviceProgram
from blackthorn.programs.event_loop import run
from blackthorn.storage.files import atomic

if TYPE_CHECKING:
    from blackthorn.governance.package.check import PackageSummary

_LISTED: Final = 40
"""Files of the payload that are listed one by one; the rest are counted."""


def produce(
    device: DeviceProgram,
    office: VerifiedDecisions,
    case: Case,
    to: Path | None,
    out: Path | None,
    output: offices.OutputOptions,
) -> None:
    """Fetch and check the package; sign for it when it was not produced yet."""
    signed = bytes(case.last("produce").get("manifest", b""))
    binary = _recipient(to) if to is not None else None
    target = out or Path(f"{case.id}.tar" if to is None else f"{case.id}.tar.pgp")
    if target.exists():
        raise UserError(f"{target} is there already: nothing was written")
    if case.state not in ("approved", "produced", "delivered"):
        raise UserError(f"{case.id} is {case.state}: there is a package once it is approved")
    partial = target.with_name(target.name + ".part")
    try:
        part = fetch(device, case.id, partial)
        made = check(partial, case, office, part)
        if signed and made.manifest_hash != signed:
            raise SecurityError("the package is another than the one that was signed for")
        _tell(made, json=output.json)
        if not signed:
            recipient = hashlib.sha256(binary).digest() if binary is not None else None
            form = directive_forms.produce(
                case, made.manifest_hash, made.files, made.with_data, recipient
            )
            offices.decide(device, office, form, output)
        if not output.dry_run:
            _keep(partial, target, binary)
            show.say(f"{target}: written. {_state(made)}", to_err=output.json)
        if signed and output.json:
            terminal.print_json(_document(made, target))
    finally:
        partial.unlink(missing_ok=True)


def _recipient(path: Path) -> bytes:
    """The authority's certificate, binary. Raises before anything is signed if it seals nothing."""
    from blackthorn.crypto.openpgp_seal import parse_certificate, seal

    binary = certificate(path)
    seal(b"", parse_certificate(binary), now=wall_ms() // 1000)
    return binary


def fetch(device: DeviceProgram, case: str, path: Path) -> f.ProductionPart:
    """Write the package to the new file `path` (0600); the last part. Raises DiskError."""

    async def parts() -> f.ProductionPart:
        async with requests.connect(device) as ask:
            at = 0
            while True:
                part: f.ProductionPart = await ask(f.FetchProduction(3, case, at), f.ProductionPart)
                if part.refusal:
                    raise UserError(part.refusal)
                if part.offset != at or part.total > limits.MAX_PACKAGE_BYTES:
                    raise SecurityError("the server sends another package than it should")
                file.write(part.data)
                at += len(part.data)
                if at >= part.total:
                    return part
                if not part.data:
                    raise SecurityError("the server ends the package before its end")

    try:
        path.unlink(missing_ok=True)
        with atomic.new_file(path) as file:
            last = run(parts())
    except OSError as error:
        raise DiskError(f"{path} cannot be written: {error.strerror}") from None
    return last


def check(
    path: Path, case: Case, office: VerifiedDecisions, part: f.ProductionPart
) -> "PackageSummary":
    """Every hash holds, and it is of this directive, of its accounts and categories only.

    Raises VerificationError and SecurityError.
    """
    try:
        with path.open("rb") as file:
            made = bag_check.summarise(read_tar(file.read))
    except OSError as error:
        raise DiskError(f"{path} cannot be read: {error.strerror}") from None
    if made.directive != case.id:
        raise VerificationError("P13", f"the package is of {made.directive}, not of {case.id}")
    named = office.private.get((case.id, 1), {}).get("accounts")
    if named is not None and not set(made.accounts) <= set(named):
        raise SecurityError("the package holds accounts that the directive does not name")
    if not set(made.categories) <= set(case.last("approve")["categories"]):
        raise SecurityError("the package holds categories that were not approved")
    if (part.manifest, part.items, part.accounts_with_data) != (
        made.manifest_hash,
        made.files,
        made.with_data,
    ):
        raise SecurityError("the package is not what the server says of it")
    if made.with_data > directives.facts(case)["accounts"]:
        raise SecurityError("the package holds more accounts than the directive names")
    return made


def _tell(made: "PackageSummary", *, json: bool) -> None:
    show.say(f"Package of {made.directive}: every hash holds.", to_err=json)
    for name, value in (
        ("accounts", ", ".join(made.accounts)),
        ("with data", str(made.with_data)),
        ("categories", ", ".join(made.categories)),
        (
            "files",
            f"{made.files}, {made.payload_bytes} bytes, {made.sealed} of them ciphertext only",
        ),
        ("manifest", made.manifest_hash.hex()),
    ):
        show.say_field(name, value, to_err=json)
    for name, size in made.payload[:_LISTED]:
        show.say_field(f"  {size:,} bytes", name, to_err=json)
    if len(made.payload) > _LISTED:
        show.say(f"and {len(made.payload) - _LISTED} more files", to_err=json)


def _state(made: "PackageSummary") -> str:
    if made.finished:
        return "It has its signature and the ledger's proof."
    return "It has no proof yet: fetch it again once both have signed and the ledger shows it."


def _document(made: "PackageSummary", target: Path) -> dict[str, Any]:
    return {
        "directive": made.directive,
        "manifest": made.manifest_hash.hex(),
        "files": made.files,
        "bytes": made.payload_bytes,
        "finished": made.finished,
        "file": str(target),
    }


def _keep(partial: Path, target: Path, binary: bytes | None) -> None:
    """The package under its name, or only what is sealed of it."""
    try:
        if binary is not None:
            from blackthorn.crypto.openpgp_seal import parse_certificate, seal_file

            sealed = partial.with_name(target.name + ".new")
            sealed.unlink(missing_ok=True)
            try:
                os.close(os.open(sealed, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
                now = wall_ms() // 1000
                seal_file(str(partial), str(sealed), parse_certificate(binary), now=now)
                os.link(sealed, target)
            finally:
                sealed.unlink(missing_ok=True)
        else:
            os.link(partial, target)
    except FileExistsError:
        raise UserError(f"{target} is there already: nothing was written") from None
    except OSError as error:
        raise DiskError(f"{target} cannot be written: {error.strerror}") from None


def write_letter(path: Path, text: bytes, *, json: bool) -> None:
    """The letter into a new file; the same letter that is there already is left."""
    try:
        with path.open("xb") as file:
            file.write(text)
    except FileExistsError:
        if path.stat().st_size != len(text) or path.read_bytes() != text:
            raise UserError(f"{path} is there already and is another letter") from None
    except OSError as error:
        raise DiskError(f"{path} cannot be written: {error.strerror}") from None
    show.say(f"{path}: the letter. Read it before you sign.", to_err=json)
