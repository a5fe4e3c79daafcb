"""docs/specs/decisions.md: its vector and its table of signers are the program's."""

import re
from pathlib import Path

from blackthorn.crypto.secret import Secret
from blackthorn.device.transparency.decisions import DecisionDigest
from blackthorn.governance import directives, exits, officers, statements, warrant_canary
from blackthorn.governance.statements import Signed, Statement
from blackthorn.governance.transitions import CUSTODIAN
from blackthorn.identity.keys import SigningKeys
from blackthorn.link.frames.decisions import Decision

SPEC = Path(__file__).resolve().parents[3] / "docs" / "specs" / "decisions.md"
TEXT = SPEC.read_text(encoding="utf-8")
VECTOR = dict(re.findall(r"^ {4}(\w+) +([0-9a-f]{64,})$", TEXT, re.MULTILINE))

HOLD = Statement("X-PK-1", 2, bytes(range(32)), "hold", {"reason": "A court."})
NAMED_BY_MOVE = {
    **{move.action: len(move.signers) for move in (*directives.TRANSITIONS, *officers.TRANSITIONS)},
    **{move.action: len(move.signers) for move in warrant_canary.TRANSITIONS},
}


def test_the_vector_is_what_the_program_computes():
    keys = SigningKeys(Secret(b"\1" * 32), Secret(b"\2" * 32))
    (approval,) = statements.approve(
        Signed(HOLD, ()), "O-0a1b2c3d", 1_437_696_000_000, keys
    ).approvals
    alone = Signed(HOLD, ()).encode()
    kept = statements.seal_private({"contact": "c", "source": "s"}, lambda size: b"\7" * size)
    seen = DecisionDigest().after(Decision(1, alone, b"", 1_437_696_000_000))
    computed = {
        "statement": HOLD.encoded,
        "hash": HOLD.hash,
        "public": keys.public.ed25519,
        "signature": approval.signature.ed25519,
        "commitment": statements.commitment(b"\x09" * 32 + alone),
        "seen": seen.digest,
        "private": statements.private_hash(kept),
    }
    assert {name: value.hex() for name, value in computed.items()} == VECTOR


def test_every_action_stands_in_the_table_of_signers():
    table = TEXT[TEXT.index("| action | signed by |") : TEXT.index("A person with two roles")]
    named = set(re.findall(r"`([a-z-]+)`", table))
    assert set(NAMED_BY_MOVE) <= named
    assert [action for action, count in NAMED_BY_MOVE.items() if count == 1] == ["receive"]
    two_custodians = [each.action for each in exits.TRANSITIONS if set(each.signers) == {CUSTODIAN}]
    assert two_custodians == ["destroy", "close"]
