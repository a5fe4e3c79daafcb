"""Commands of the family `mail certificate`: the user's own OpenPGP certificates."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option, Typer

from blackthorn.cli import options, terminal, times
from blackthorn.crypto.secret import Secret
from blackthorn.errors import UserError

certificate = Typer(
    help="Your OpenPGP certificates, to which mail is sealed.", no_args_is_help=True
)

COST = (
    "It is not post-quantum: recorded mail that is sealed to it can be opened by a quantum "
    "computer later. Update all your devices first: older programs refuse your identity then."
)


@certificate.command("add")
@options.on_device
def add(
    at: options.DeviceOptions,
    compatible: Annotated[
        bool, Option("--compatible", help="For programs that know no newer OpenPGP than RFC 4880.")
    ] = False,
    copies: Annotated[
        bool,
        Option("--copies", help="A program reads it: seal copies of mail from outside to it."),
    ] = False,
    yes: options.AgreeOption = False,
    json: options.JsonOption = False,
) -> None:
    """Make a certificate for GnuPG, Thunderbird, neomutt or K-9, stated in your identity.

    People outside find it by your address and seal to it. It is not post-quantum. Your devices open
    both kinds; revoking one of your devices ends it. With --copies the server keeps a second copy
    of each mail from outside, which counts, for a program that reads it; without --copies none. Say
    it again to change that.
    """
    from blackthorn.cli.device.outcomes import report
    from blackthorn.programs.device.openpgp import certificate as own

    if not compatible:
        raise UserError("your first certificate is made by itself; say --compatible for the other")
    terminal.note(COST)
    if not terminal.confirm("Make it?", yes=yes):
        return
    device = options.program(at)
    numbers, fingerprint = own.add(device, copies=copies)
    stated = ("the certificate for other programs", "stated in your identity chain")
    shared = ("its key", "told to your other devices")
    about = dict.fromkeys(numbers[:-1], shared) | {numbers[-1]: stated}
    report(device, about, json)
    if not json:
        terminal.say(f"Fingerprint {fingerprint}")
        terminal.say("Now: blackthorn mail certificate export FILE, and import it there.")


@certificate.command("export")
@options.on_device
def export(
    file: Annotated[Path, Argument(metavar="FILE", help="A new file.")],
    at: options.DeviceOptions,
    passphrase_file: Annotated[
        Path | None, Option(help="A file whose first line is the passphrase for the secret key.")
    ] = None,
    public: Annotated[
        bool, Option("--public", help="The certificate alone, for people outside who ask for it.")
    ] = False,
) -> None:
    """Write the secret key for other programs, under a passphrase, to import it there.

    For example: gpg --import FILE. Thunderbird: Account Settings, End-to-End Encryption, Add Key.
    FILE and the passphrase together open what is sealed to it. --public gives the certificate
    alone, with its revocation if revoked; without one for other programs, your first, post-quantum
    one.
    """
    from blackthorn.cli.device.export import ask_passphrase
    from blackthorn.programs.device.openpgp import certificate as own

    if public:
        options.write_new(file, own.export_public(options.program(at)))
        terminal.say(f"{file}: your certificate, without its secret")
        return
    passphrase: Secret = ask_passphrase(passphrase_file)
    options.write_new(file, own.export_secret(options.program(at), passphrase))
    terminal.say(f"{file}: your secret key for other programs, under the passphrase")


@certificate.command("revoke")
@options.on_device
def revoke(
    at: options.DeviceOptions, yes: options.AgreeOption = False, json: options.JsonOption = False
) -> None:
    """Revoke the certificate for other programs; mail is sealed to the other one alone.

    What was sealed to it stays readable with its key. People outside who have it learn of the end
    from `export --public`, which you may send them.
    """
    from blackthorn.cli.device.outcomes import report
    from blackthorn.programs.device.openpgp import certificate as own

    if not terminal.confirm("Revoke the certificate for other programs?", yes=yes):
        return
    device = options.program(at)
    number = own.revoke(device)
    report(device, {number: ("the certificate for other programs", "revoked")}, json)


@certificate.command("list")
@options.on_device
def list_certificates(at: options.DeviceOptions, json: options.JsonOption = False) -> None:
    """List your certificates: fingerprint, kind, and whether mail is sealed to them."""
    from blackthorn.programs.device.openpgp import certificate as own

    found = own.list_certificates(options.program(at))
    if json:
        terminal.print_json(
            [
                {
                    "fingerprint": each.fingerprint,
                    "post_quantum": each.post_quantum,
                    "state": each.state,
                    "copies": each.copies,
                    "made": times.rfc3339(each.since_ms) if each.since_ms else None,
                }
                for each in found
            ]
        )
        return
    for each in found:
        kind = "post-quantum" if each.post_quantum else "for other programs, not post-quantum"
        copies = "" if each.post_quantum else f", {'with' if each.copies else 'without'} copies"
        terminal.say(f"{each.fingerprint}  {each.state}  {kind}{copies}")
    if not found:
        terminal.say("No certificate yet.")
