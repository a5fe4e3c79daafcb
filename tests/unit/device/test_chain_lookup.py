"""A command's lookup of one user: asked again after a refusal, and why it was not answered."""

import asyncio
from types import SimpleNamespace

import pytest

from blackthorn.device.transparency.directory_client import DirectoryClient
from blackthorn.ids import Address
from blackthorn.programs.device import activation, chain_lookup, home
from tests.support.chain_ledger import ChainLedger, Teller, look

ME, BOB = Address("me@acme.example"), Address("bob@acme.example")


@pytest.mark.parametrize("answered", [True, False])
def test_a_refused_answer_is_asked_for_again_and_its_reason_is_kept(
    monkeypatch: pytest.MonkeyPatch, answered: bool
) -> None:
    ledger = ChainLedger()
    me = Teller(ledger, ME, ledger.begin(ME))
    ledger.begin(BOB)
    ledger.publish()
    client = DirectoryClient()
    device = SimpleNamespace(directory=client, unit=lambda now_ms: me.unit())
    monkeypatch.setattr(home, "wall_ms", lambda: me.now_ms)

    async def until(program: object, seconds: float, true: object) -> str:
        assert client.queue.wanted == {BOB} and not true()
        client.queue.wanted.clear()
        client.refused[BOB] = "an epoch came between answer and chain"
        assert not true() and not client.queue.wanted, "not asked for again at once"
        ledger.unix_ms += chain_lookup.AGAIN_MS
        assert not true() and client.queue.wanted == {BOB}
        if answered:
            look(me, client, BOB)
        return "" if true() else "no answer"

    monkeypatch.setattr(activation, "until", until)
    reason = asyncio.run(chain_lookup.look_up(SimpleNamespace(device=device), BOB))
    assert ("" if answered else "an epoch came between answer and chain") in reason
    assert bool(reason) is not answered


def test_the_ledgers_time_is_looked_up_whatever_the_clock_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ledger = ChainLedger()
    me = Teller(ledger, ME, ledger.begin(ME))
    ledger.publish()
    client = DirectoryClient()
    look(me, client, ME)
    fast_ms = me.now_ms + 40 * 86_400_000
    device = SimpleNamespace(directory=client, unit=lambda now_ms: me.unit())
    opened = SimpleNamespace(keys=me.keys)
    monkeypatch.setattr(home, "wall_ms", lambda: fast_ms)
    answers = True

    async def until(program: object, seconds: float, true: object) -> str:
        if answers:
            ledger.unix_ms += 7_200_000
            ledger.publish()
            look(me, client, ME)
        return ""

    monkeypatch.setattr(activation, "until", until)
    program = SimpleNamespace(device=device, opened=opened)
    found_ms = asyncio.run(chain_lookup.ledger_ms(program))
    assert 0 <= ledger.unix_ms - found_ms < 60_000
    answers = False
    assert asyncio.run(chain_lookup.ledger_ms(program)) == found_ms
