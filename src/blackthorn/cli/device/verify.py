"""`blackthorn verify`: two people compare their identities in person."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from blackthorn.cli import chains, options, terminal, times
from blackthorn.errors import DecodeError, UserError, VerificationError
from blackthorn.identity import fingerprint
from blackthorn.mail.render.text import safe_line
from blackthorn.wire.printable import bracketed

if TYPE_CHECKING:
    from blackthorn.identity.chain import VerifiedChain
    from blackthorn.ids import Address
    from blackthorn.programs.device.program import DeviceProgram


@options.on_device
def verify(
    address: Annotated[str, Argument(metavar="ADDRESS", help="The other person's address.")],
    at: options.DeviceOptions,
    scan: Annotated[
        str | None, Option(metavar="TEXT", help="The text of the other person's QR code.")
    ] = None,
    digits: Annotated[
        str | None, Option(metavar="DIGITS", help="The digits that the other person sees.")
    ] = None,
    confirm: Annotated[
        bool, Option("--confirm", help="Confirm that you compared in person and both match.")
    ] = False,
    json: options.JsonOption = False,
) -> None:
    """Show sixty digits and a QR code to compare identities with another person.

    --scan and --digits compare for you; exit code 4: they are not the same. Exit
    code 6: the server was not reached, and only stored data is shown. With --confirm the
    person counts as verified: if their identity is reset, nothing is sent to them until you accept
    that. --json prints {"address", "digits", "payload", "same", "verified", "devices"}.
    """
    from blackthorn.device.transparency import verified
    from blackthorn.programs.device.home import wall_ms

    _check_typed(scan, digits)
    (whose,) = options.parse_addresses([address])
    device = options.program(at)
    mine, theirs, unreached = _chains(device, whose)
    same: bool | None = None
    if scan is not None:
        _check_people(fingerprint.parse_payload(scan), mine.label, theirs.label)
        fingerprint.compare_payload(scan, mine, theirs)
        same = True
    if digits is not None:
        fingerprint.compare_digits(digits, mine, theirs)
        same = True
    with device.device.unit(wall_ms()) as unit:
        if confirm:
            verified.mark(unit, whose)
        counts = verified.is_verified(unit, whose)
    document = _document(mine, theirs, same, counts)
    if json:
        terminal.print_json(document)
    else:
        _show(document)
    options.require_reached(unreached)


def _check_typed(scan: str | None, digits: str | None) -> None:
    """Raises UserError for what is no code and not sixty digits: that is no alarm."""
    try:
        if digits is not None:
            fingerprint.parse_digits(digits)
        if scan is not None:
            fingerprint.parse_payload(scan)
    except DecodeError as error:
        raise UserError(f"--digits: {error}") from None
    except VerificationError as error:
        what = "scan the one that `blackthorn verify` shows on the other person's device"
        raise UserError(f"--scan: {error.text}: {what} [{error.rule}]") from None


def _check_people(shown: fingerprint.Payload, mine: str, theirs: str) -> None:
    """Raises UserError for a code of other people: that is no alarm either."""
    if (shown.shows.label, shown.to.label) != (theirs, mine):
        raise UserError(
            f"--scan: this code compares {safe_line(shown.shows.label)} with "
            f"{safe_line(shown.to.label)}: scan the one that `blackthorn verify {mine}` shows on a "
            f"device of {theirs}"
        )


def _chains(
    device: "DeviceProgram", whose: "Address"
) -> "tuple[VerifiedChain, VerifiedChain, str]":
    """Both identity chains, and why the ledger could not be asked, or "". Raises UserError."""
    from blackthorn.programs.device import chain_lookup

    if whose == device.opened.keys.address:
        raise UserError("this is your own address: give the address of another person")
    theirs, unreached = chains.chain_of(device, whose)
    return chain_lookup.own(device), theirs, unreached


def _document(
    mine: "VerifiedChain", theirs: "VerifiedChain", same: bool | None, counts: bool
) -> dict[str, Any]:
    return {
        "address": theirs.label,
        "digits": fingerprint.sixty_digits(mine, theirs),
        "payload": fingerprint.encode_payload(mine, theirs),
        "same": same,
        "verified": counts,
        "devices": [device.name for device in theirs.devices],
        "reset_waits_until": times.rfc3339(theirs.pending.effective_ms) if theirs.pending else None,
    }


def _show(document: dict[str, Any]) -> None:
    groups = str(document["digits"]).split(" ")
    terminal.say(f"You and {document['address']} both see:")
    for place in range(0, len(groups), 4):
        terminal.say("  " + "  ".join(groups[place : place + 4]))
    if sys.stdout.isatty():
        terminal.print_qr(str(document["payload"]))
    else:
        terminal.say(str(document["payload"]))
    names = ", ".join(bracketed(name) for name in document["devices"])
    terminal.say(f"Devices: {names}")
    if document["reset_waits_until"]:
        terminal.say(f"A reset of this identity waits until {document['reset_waits_until']}.")
    if document["same"]:
        terminal.say("What you compared is the same.")
    if document["verified"]:
        terminal.say("You have verified this person.")
    else:
        terminal.say("If you compared in person and it is the same, add --confirm.")
