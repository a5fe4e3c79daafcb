"""`blackthorn directive produce`: fetch, check, list and sign the package."""

from pathlib import Path
from typing import Any, Final

from blackthorn.cli import terminal
from blackthorn.cli.officer import decide, fields, options, show
from blackthorn.device.transparency.decisions import VerifiedDecisions
from blackthorn.errors import UserError
from blackthorn.governance import directive_requests, transitions
from blackthorn.governance.package.check import PackageSummary
from blackthorn.programs.device import package, program
from blackthorn.wire.words import count

_LISTED: Final = 40
"""Payload files listed one by one; the rest are counted."""


def produce(
    device: program.DeviceProgram,
    decisions: VerifiedDecisions,
    case: transitions.Case,
    to: Path | None,
    out: Path | None,
    output: options.OutputOptions,
) -> None:
    """Fetch and check the package; sign it unless it was already produced."""
    recipient = package.parse_recipient(fields.read_file(to), str(to)) if to is not None else None
    target = out or Path(f"{case.id}.tar" if to is None else f"{case.id}.tar.pgp")
    if target.exists():
        raise UserError(f"{target} is there already: nothing was written; give --out another name")
    if case.state == "delivered":
        raise UserError(f"{case.id} is delivered: the server keeps no copy of its package any more")
    if case.state not in ("approved", "produced"):
        raise UserError(f"{case.id} is {case.state}: there is a package once it is approved")
    partial = target.with_name(target.name + ".part")
    signed = bool(case.last("produce"))
    try:
        part = package.fetch(device, case.id, partial)
        made = package.check(partial, case, decisions, part)
        _print(made, to_err=output.json)
        if not signed:
            _decide(device, decisions, case, made, recipient, output)
        if not output.dry_run:
            package.keep(partial, target, recipient)
            show.say(f"{target}: written. {_state(made)}", to_err=output.json)
        if signed and output.json:
            terminal.print_json(_document(made, target))
    finally:
        partial.unlink(missing_ok=True)


def _decide(
    device: program.DeviceProgram,
    decisions: VerifiedDecisions,
    case: transitions.Case,
    made: PackageSummary,
    recipient: bytes | None,
    output: options.OutputOptions,
) -> None:
    measured = {
        "manifest": made.manifest_hash,
        "items": made.files,
        "accounts_with_data": made.with_data,
    }
    context = decide.context(device, decisions, case, measured)
    request = directive_requests.FORMS["produce"].request(context, {"to": recipient})
    decide.decide(device, decisions, request, output)


def _print(made: PackageSummary, *, to_err: bool) -> None:
    show.say(f"Package of {made.directive}: every hash holds.", to_err=to_err)
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
        show.say_field(name, value, to_err=to_err)
    for name, size in made.payload[:_LISTED]:
        show.say_field(f"  {size:,} bytes", name, to_err=to_err)
    if len(made.payload) > _LISTED:
        show.say(f"and {count(len(made.payload) - _LISTED, 'more file')}", to_err=to_err)


def _state(made: PackageSummary) -> str:
    if made.finished:
        return "It has its signature and the ledger's proof."
    return "It has no proof yet: fetch it again once both have signed and the ledger shows it."


def _document(made: PackageSummary, target: Path) -> dict[str, Any]:
    return {
        "directive": made.directive,
        "manifest": made.manifest_hash.hex(),
        "files": made.files,
        "bytes": made.payload_bytes,
        "finished": made.finished,
        "file": str(target),
    }
