"""Commands of the family `recovery`."""

from collections.abc import Sequence
from typing import Annotated

from typer import Argument, Option, Typer

from blackthorn.cli import options, terminal
from blackthorn.cli.device.prompts import LinePrompt
from blackthorn.programs.event_loop import run

recovery = Typer(
    help="The recovery key: 24 words to use when no device is left.", no_args_is_help=True
)

ASKED_AGAIN = 4
"""Words asked for again to check the paper."""


@recovery.command("create")
@options.on_device
def create(
    at: options.DeviceOptions,
    every_word: Annotated[bool, Option("--all", help="Ask for all words again.")] = False,
    json: options.JsonOption = False,
) -> None:
    """Create a recovery key: 24 words and a check, shown once, to be written on paper.

    Some words are asked for again, one line of standard input each, and a wrong one twice more;
    then the key is stated in your
    identity chain. It replaces an earlier recovery key. --json prints {"words", "check", "ask"}
    first: the numbers of the words asked for.
    """
    from blackthorn.cli.device.outcomes import report
    from blackthorn.device.operations import change_chain
    from blackthorn.identity.recovery import new_seed, recovery_keys, to_words
    from blackthorn.identity.statements import SetRecovery
    from blackthorn.programs.device.home import random
    from blackthorn.programs.device.recovery import ask_again, check_of, pick

    device = options.program(at)
    seed = new_seed(random)
    words, check = to_words(seed), check_of(device)
    asked = pick(len(words), len(words) if every_word else ASKED_AGAIN, random)
    if json:
        terminal.print_json({"words": list(words), "check": check, "ask": asked})
    else:
        _show(words, check)
    run(ask_again(words, asked, LinePrompt()))
    body = SetRecovery(recovery_keys(seed).public)
    number = device.enqueue(lambda unit: change_chain.enqueue(unit, "the recovery key", body))
    report(device, {number: ("the recovery key", "stated in your identity chain")}, json)


def _show(words: Sequence[str], check: str) -> None:
    """On a separate screen that is cleared afterwards, or into a pipe."""
    lines = [
        "Write this down on paper. Anyone who has it can add a device to your identity.",
        "",
        *(f"{place:3}  {word}" for place, word in enumerate(words, 1)),
        "",
        f"check  {check}   (it names the server, the same on all papers; needed with the words)",
    ]
    terminal.show_apart(lines, "Press Enter when it is written down: ")


@recovery.command("use")
def use(
    address: Annotated[str, Argument(metavar="ADDRESS", help="Your address.")],
    home: options.HomeOption = options.DEFAULT_HOME,
    server: options.OnlyServerOption = None,
    key_file: options.KeyFileOption = None,
    name: options.NameOption = None,
    json: options.JsonOption = False,
) -> None:
    """Add this device to your identity by your recovery key, when no other device is left.

    Asks for the 24 words in one line, and then for the check below them on your paper. Your
    contacts see that a device was added with the recovery key. Old messages and mail are not on
    this device; revoke your lost devices.
    """
    from blackthorn.cli.device.published import wait_published
    from blackthorn.programs.device import recovery as steps

    (whose,) = options.parse_addresses([address])
    place = options.home_of(home, key_file)
    with options.reaching(server) as (host, port):
        wanted = steps.Recovery(whose, host, port, options.device_name(name, home))
        opened = run(steps.use(place, wanted, LinePrompt()))
    if not json:
        terminal.say(f"This device is {whose}'s.")
    published = wait_published(place, opened, quiet=json)
    if json:
        terminal.print_json({"recovered": whose, "published": published})
    else:
        terminal.say(
            "Now revoke what you have lost: blackthorn device list names your devices, and "
            "blackthorn device revoke NAME revokes one."
        )
