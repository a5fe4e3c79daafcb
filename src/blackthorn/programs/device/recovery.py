"""Recovery as the device's program does it: from 24 words to a device in the user's chain.

The statement is stored before it is submitted, so that the same command with the same words can
repeat it after a lost answer. See docs/specs/pairing.md.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from blackthorn.device.account import recovery as recovering
from blackthorn.device.account.recovery import RecoveryAttempt
from blackthorn.device.core import anchors
from blackthorn.device.core import keys as device_keys
from blackthorn.device.transparency import ledger_state
from blackthorn.edges.link.client import LinkConnection
from blackthorn.errors import ProtocolError, UserError
from blackthorn.identity.recovery import from_words, recovery_keys
from blackthorn.ids import Address
from blackthorn.link import frames as f
from blackthorn.link.codes import Code
from blackthorn.programs.device.activation import begin, receive, remember, unpinned
from blackthorn.programs.device.home import Home, Opened, opened, random, wall_ms
from blackthorn.programs.device.limits import MAX_WORD_ATTEMPTS
from blackthorn.programs.device.program import DeviceProgram
from blackthorn.programs.device.prompt import Prompt
from blackthorn.storage.device.vault import Vault


@dataclass(frozen=True, slots=True)
class Recovery:
    """The arguments of `use`: user, server, and this device's name."""

    address: Address
    host: str
    port: int
    name: str


def check_of(program: DeviceProgram) -> str:
    """The check below the words, which identifies this server and its ledger."""
    with program.opened.vault.transaction() as records:
        config = anchors.pinned(records.settings).config
    return recovering.check(program.opened.server.pin, config)


def pick(count: int, wanted: int, chance: Callable[[int], bytes]) -> list[int]:
    """`wanted` random numbers from 1 to `count`, sorted."""
    places = list(range(1, count + 1))
    while len(places) > wanted:
        del places[int.from_bytes(chance(4), "big") % len(places)]
    return places


async def ask_again(words: Sequence[str], places: Sequence[int], prompt: Prompt) -> None:
    """Ask for these words again, each at most `MAX_WORD_ATTEMPTS` times.

    Raises UserError for one that stays wrong: then no key is created.
    """
    for place in places:
        question = f"Word {place}:"
        for _ in range(MAX_WORD_ATTEMPTS):
            if (await prompt.ask(question)).casefold() == words[place - 1]:
                break
            question = f"That is not word {place}: look at the paper. Word {place}:"
        else:
            raise UserError(
                f"word {place} is not the one shown: this key was not created, and its words are "
                "void. Destroy that paper and run the command again: it shows new words. A "
                "recovery key of yours from before still holds"
            )


async def use(home: Home, wanted: Recovery, prompt: Prompt) -> Opened:
    """Make this home's device one of that user's, once the server has answered.

    Asks for a passphrase, and then for words and check.

    Raises UserError, SecurityError (another server than on the paper), UnavailableError.
    """
    async with unpinned(wanted.host, wanted.port):
        pass  # nobody types 24 words to be told that the server is away
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
        connection.trust()
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
    """Submit the stored statement of an earlier attempt, or a new one."""
    with vault.transaction() as records:
        signing = device_keys.begin(records.settings, random)
        device_keys.belongs_to(records.settings, wanted.address)
        name = device_keys.own_name(records.settings, wanted.name)
        device_keys.put_name(records.settings, name)
        info = device_keys.info_of(signing, name)
        ledger_state.claim_time(records.settings, recognised.time_ms)
        earlier = recovering.kept(records.settings)
    refusal = "" if earlier else "nothing was made yet"
    if earlier:
        refusal = await _submit(connection, earlier)
    if refusal:
        with vault.transaction() as records:
            made = step.statement(recognised, info, signing, recognised.time_ms or wall_ms())
            recovering.keep(records.settings, made, wall_ms())
        refusal = await _submit(connection, made)
    if refusal:
        raise UserError(f"the server refused the recovery: {refusal}")


async def _submit(connection: LinkConnection, statement: bytes) -> str:
    connection.send(f.SubmitStatement(1, statement))
    answer = await receive(connection, Code.RECOVERY_REFUSED)
    if not isinstance(answer, f.StatementStored):
        raise ProtocolError("the server did not answer the statement as it should")
    return answer.refusal
