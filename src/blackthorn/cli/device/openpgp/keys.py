"""Commands of the family `mail keys`: certificates of people outside."""

from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Typer

from blackthorn.cli import options, terminal, times
from blackthorn.ports.outside.keys import OutsideKeyRecord

keys = Typer(
    help="Certificates of people outside, as this device knows them.", no_args_is_help=True
)

AddressArgument = Annotated[str, Argument(metavar="ADDRESS", help="An address outside.")]


@keys.command("list")
@options.on_device
def list_keys(at: options.DeviceOptions, json: options.JsonOption = False) -> None:
    """List the certificates of people outside, and changes that wait for you.

    Source: wkd is the address's own domain, autocrypt a mail from it, person your own decision.
    """
    from blackthorn.programs.device.openpgp import outside_keys

    found = outside_keys.all_keys(options.program(at))
    if json:
        terminal.print_json([_document(key) for key in found])
        return
    for key in found:
        since = times.local_time(key.since_ms)
        terminal.say(f"{key.address}  {key.fingerprint}  {key.source}  since {since}")
        if key.offered:
            terminal.say(
                f"  changed: {key.offered_source} offers {key.offered_fingerprint}; compare it "
                f"with them, then `blackthorn mail keys accept {key.address}`"
            )
    if not found:
        terminal.say("No certificates of people outside.")


def _document(key: OutsideKeyRecord) -> dict[str, Any]:
    return {
        "address": key.address,
        "fingerprint": key.fingerprint,
        "source": key.source,
        "since": times.rfc3339(key.since_ms) if key.since_ms else None,
        "offered_fingerprint": key.offered_fingerprint or None,
        "offered_source": key.offered_source or None,
    }


@keys.command("add")
@options.on_device
def add(
    address: AddressArgument,
    file: Annotated[
        Path, Argument(metavar="FILE", help="Their certificate, as they gave it to you.")
    ],
    at: options.DeviceOptions,
    yes: options.AgreeOption = False,
) -> None:
    """Add the certificate of an address from a file, and seal mail to it from now on.

    For people whose domain publishes none. Compare the fingerprint with them; what was known of the
    address before counts no more.
    """
    from blackthorn.programs.device.openpgp import outside_keys

    (whose,) = options.parse_addresses([address])
    device = options.program(at)
    found = outside_keys.read_certificate(device, whose, file)
    if not found.post_quantum:
        terminal.note(
            "It is not post-quantum: recorded mail that is sealed to it can be opened by a quantum "
            "computer later."
        )
    terminal.note(f"{whose}: {found.fingerprint}")
    if not terminal.confirm(f"Has {whose} confirmed this fingerprint?", yes=yes):
        return
    outside_keys.add(device, whose, found)
    terminal.say(f"Mail to {whose} is now sealed to {found.fingerprint}.")


@keys.command("accept")
@options.on_device
def accept(
    address: AddressArgument, at: options.DeviceOptions, yes: options.AgreeOption = False
) -> None:
    """Accept the other certificate of an address, once its owner has confirmed the fingerprint."""
    from blackthorn.programs.device.openpgp import outside_keys

    (whose,) = options.parse_addresses([address])
    if not terminal.confirm(f"Has {whose} confirmed the new fingerprint?", yes=yes):
        return
    accepted = outside_keys.accept(options.program(at), whose)
    terminal.say(f"Mail to {whose} is now sealed to {accepted.fingerprint}.")


@keys.command("forget")
@options.on_device
def forget(address: AddressArgument, at: options.DeviceOptions) -> None:
    """Forget what is known of an address; the next mail to it asks its domain again."""
    from blackthorn.programs.device.openpgp import outside_keys

    (whose,) = options.parse_addresses([address])
    outside_keys.forget(options.program(at), whose)
    terminal.say(f"The certificate of {whose} is forgotten.")
