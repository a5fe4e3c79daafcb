"""Recovery as the device's program does it: from 24 words to a device that its chain has.

Specified in docs/specs/pairing.md. The statement is in the vault before it is submitted, so that a
lost answer is got again by the same command with the same words.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from blackthorn.device.account import recovery as recovering
from blackthorn.device.account.recovery import RecoveryAttempt
from blackthorn.device.core import anchors
from blackthorn.device.core import keys as device_keys
from blackthorn.edges.link.client import LinkConnection
from blackthorn.errors import ProtocolError, UserError
from blackthorn.identity.recovery import from_words, recovery_keys
from blackthorn.ids import Address
from blackthorn.link import frames as f
from blackthorn.link.codes import Code
from blackthorn.programs.device.activation import begin, receive, remember, unpinned
from blackthorn.programs.device.home import Home, Opened, opened, random, wall_ms
from blackthorn.programs.device.program import DeviceProgram
from blackthorn.programs.device.prompt import Prompt
from blackthorn.storage.device.vault import Vault


@dataclass(frozen=True, slots=True)
class Recovery:
    """What is asked for: whose device this is to be, where their server is, what to call it."""

    address: Address
    host: str
    port: int
    name: str


def check_of(program: DeviceProgram) -> str:
    """What is written below the words: it stands for this server and its ledger."""
    with program.opened.vault.transaction() as records:
        config = anchors.pinned(records.settings).config
    return recovering.check(program.opened.server.pin, config)


def pick(count: int, wanted: int, chance: Callable[[int], bytes]) -> list[int]:
    """So many different numbers from 1 to `count`, in their order."""
    places = list(range(1, count + 1))
    while len(places) > wanted:
        del places[int.from_bytes(chance(4), "big") % len(places)]
    return places


async def ask_again(words: Sequence[str], places: Sequence[int], prompt: Prompt) -> None:
    """The person types these words again. Raises UserError for a wrong one: nothing was changed."""
    for place in places:
        typed = (await prompt.ask(f"Word {place}:")).casefold()
        if typed != words[place - 1]:
            raise UserError(
                f"word {place} is another one on your paper; nothing was changed, begin again"
            )


async def use(home: Home, wanted: Recovery, prompt: Prompt) -> Opened:
    """Make this home's device one of that user's; it is open. Asks for passphrase, words and check.

    Raises UserError, SecurityError (another server than that of the paper), UnavailableError.
    """
    vault, method, secret = begin(home)
    seed = from_words(await prompt.ask("The 24 words of your recovery key:"))
    check = await prompt.ask("The check below them:")
    async with unpinned(wanted.host, wanted.port) as connection:
        step = RecoveryAttempt(recovery_keys(seed), wanted.address, check)
        connection.send(step.recover(connection.binding))
        recognised = await receive(connection, Code.RECOVERY_REFUSED)
        if not isinstance(recognised, f.Recognised):
            raise ProtocolError("the server did not answer the recovery as it should")
        step.trust(connection.fingerprint, recognised)
        if vault is None:
            vault = home.create(method, secret)
        await _state(connection, vault, step, recognised, wanted)
        with vault.transaction() as records:
            anchors.pin(records.settings, recognised.config, recognised.policy)
            server = f"{wanted.host}:{wanted.port}"
            pin, domain = recognised.pin, recognised.domain
            remember(records, server, connection.fingerprint, pin, domain)
        return opened(vault)


async def _state(
    connection: LinkConnection,
    vault: Vault,
    step: RecoveryAttempt,
    recognised: f.Recognised,
    wanted: Recovery,
) -> None:
    """Submit the statement of an earlier attempt, if there is one, and else a new one."""
    with vault.transaction() as records:
        signing = device_keys.begin(records.settings, random)
        device_keys.belongs_to(records.settings, wanted.address)
        name = device_keys.own_name(records.settings, wanted.name)
        device_keys.put_name(records.settings, name)
        info = device_keys.info_of(signing, name)
        earlier = recovering.kept(records.settings)
    refusal = "" if earlier else "nothing was made yet"
    if earlier:
        refusal = await _submit(connection, earlier)
    if refusal:
        with vault.transaction() as records:
            made = step.statement(recognised, info, signing, wall_ms())
            recovering.keep(records.settings, made)
        refusal = await _submit(connection, made)
    if refusal:
        raise UserError(f"the server refused the recovery: {refusal}")


async def _submit(connection: LinkConnection, statement: bytes) -> str:
    connection.send(f.SubmitStatement(1, statement))
    answer = await receive(connection, Code.RECOVERY_REFUSED)
    if not isinstance(answer, f.StatementStored):
        raise ProtocolError("the server did not answer the statement as it should")
    return answer.refusal
