"""The driver's protocol as a dialogue; and no line, whatever it holds, changes or ends anything."""

import io
import json
import random
import subprocess
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blackthorn.mls import limits
from blackthorn.mls.codepoints import MEMBER
from blackthorn.mls.driver.lines import answer, serve
from blackthorn.mls.driver.world import World
from blackthorn.mls.framing.framing import Sender
from blackthorn.mls.framing.key_package import create_key_package
from blackthorn.mls.framing.proposals import Remove
from blackthorn.mls.suites import SUITE_1, SUITE_XWING_AES256
from tests.support import runs
from tests.support.mls_forge import public
from tests.support.mls_people import NOW, Person

SEED = 20_261_123
FEATURES = {"propose", "export", "members", "group_info", "external_join", "psk", "discard"}
"""All that the protocol names but `auto_merge`: a Commit waits for `merge`."""


class Dialogue:
    """One driver, asked in Python."""

    def __init__(self, seed: int = SEED) -> None:
        print(f"seed {seed}")
        self.world = World(random.Random(seed).randbytes, lambda: NOW)

    def reply(self, command: str, **fields: object) -> dict[str, object]:
        """The reply, whatever it is."""
        line = json.dumps({"id": 7, "cmd": command, **fields}).encode()
        reply = json.loads(answer(self.world, line)[0])
        assert reply.pop("id") == 7
        return dict(reply)

    def ask(self, command: str, **fields: object) -> dict[str, object]:
        """The reply to what must succeed."""
        reply = self.reply(command, **fields)
        assert reply.pop("ok") is True, reply
        return reply

    def stored(self) -> dict[str, bytes]:
        """Every group, stored."""
        return {name: held.group.serialise() for name, held in self.world.groups.items()}


@pytest.fixture(params=[SUITE_1, SUITE_XWING_AES256])
def two(request: pytest.FixtureRequest) -> Iterator[Dialogue]:
    """A dialogue in which a and b are in one group, group-1 and group-2."""
    talk = Dialogue()
    for name in "abc":
        talk.ask("new_client", client=name, identity=name.encode().hex(), suite=request.param)
    assert talk.ask("create_group", client="a", group_id="abcd") == {"group": "group-1"}
    package = talk.ask("key_package", client="b")["key_package"]
    added = talk.ask("add", group="group-1", key_packages=[package])
    assert talk.ask("merge", group="group-1") == {"epoch": 1}
    (welcome,) = added["welcomes"]  # type: ignore[misc]
    assert talk.ask("join", client="b", welcome=welcome) == {"group": "group-2"}
    yield talk


def test_hello_says_what_there_is() -> None:
    hello = Dialogue().ask("hello")
    assert hello["protocol"] == 1
    assert hello["quirks"] == []
    assert {1, 0xF04E, 0xF04F} <= set(hello["suites"])  # type: ignore[call-overload]
    assert set(hello["features"]) == FEATURES  # type: ignore[call-overload]


def test_messages_go_both_ways_and_only_once(two: Dialogue) -> None:
    for sender, receiver in (("group-1", "group-2"), ("group-2", "group-1")):
        message = two.ask("encrypt", group=sender, plaintext="00ff")["message"]
        read = two.ask("process", group=receiver, message=message)
        assert read == {"kind": "application", "plaintext": "00ff"}
        assert not two.reply("decrypt", group=receiver, message=message)["ok"]


def test_both_are_in_the_same_state(two: Dialogue) -> None:
    states = [two.ask("state", group=group) for group in ("group-1", "group-2")]
    assert [state.pop("own_index") for state in states] == [0, 1]
    assert states[0] == states[1]
    assert states[0]["members"] == [
        {"index": 0, "identity": "61"},
        {"index": 1, "identity": "62"},
    ]
    secrets = [
        two.ask("export", group=group, label="héllo", context="01", length=40)["secret"]
        for group in ("group-1", "group-2")
    ]
    assert secrets[0] == secrets[1]
    assert len(str(secrets[0])) == 80


def test_a_commit_waits_for_merge_and_can_be_discarded(two: Dialogue) -> None:
    commit = two.ask("update", group="group-1")["commit"]
    assert two.ask("state", group="group-1")["epoch"] == 1
    assert not two.reply("update", group="group-1")["ok"]
    assert two.ask("discard", group="group-1") == {"epoch": 1}
    assert not two.reply("merge", group="group-1")["ok"]
    assert not two.reply("discard", group="group-1")["ok"]
    read = two.ask("process", group="group-2", message=commit)
    assert read == {"kind": "commit", "epoch": 2, "removed": False}


def test_what_was_proposed_is_committed(two: Dialogue) -> None:
    package = two.ask("key_package", client="c")["key_package"]
    (proposal,) = two.ask("propose_add", group="group-2", key_packages=[package])["proposals"]  # type: ignore[misc]
    assert two.ask("process", group="group-1", message=proposal) == {"kind": "proposal"}
    made = two.ask("commit", group="group-1")
    two.ask("process", group="group-2", message=made["commit"])
    two.ask("merge", group="group-1")
    two.ask("join", client="c", welcome=made["welcomes"][0])  # type: ignore[index]
    (proposal,) = two.ask("propose_remove", group="group-3", identities=["62"])["proposals"]  # type: ignore[misc]
    for group in ("group-1", "group-2"):
        two.ask("process", group=group, message=proposal)
    made = two.ask("commit", group="group-1")
    two.ask("process", group="group-3", message=made["commit"])
    left = two.ask("process", group="group-2", message=made["commit"])
    assert left == {"kind": "commit", "epoch": 3, "removed": True}
    assert not two.reply("encrypt", group="group-2", plaintext="")["ok"]


@pytest.mark.parametrize("closed", [False, True])
def test_public_handshakes_are_opened_unless_the_client_refuses_them(closed: bool) -> None:
    """RFC 9420, 6.2: other implementations send proposals and Commits as PublicMessages."""
    talk = Dialogue()
    option = {"public_handshakes": False} if closed else {}
    talk.ask("new_client", client="a", identity="61", suite=SUITE_1, **option)
    talk.ask("new_client", client="b", identity="62", suite=SUITE_1)
    talk.ask("create_group", client="a")
    added = talk.ask(
        "add", group="group-1", key_packages=[talk.ask("key_package", client="b")["key_package"]]
    )
    talk.ask("merge", group="group-1")
    talk.ask("join", client="b", welcome=added["welcomes"][0])  # type: ignore[index]
    bob = Person("b", random.Random(1), SUITE_1)
    bob.group = talk.world.groups["group-2"].group
    proposal = public(bob, Sender(MEMBER, 1), Remove(1), bob.at._state.signature_private).hex()
    reply = talk.reply("process", group="group-1", message=proposal)
    if closed:
        assert not reply["ok"] and "private" in str(reply["error"])
        return
    assert reply == {"ok": True, "kind": "proposal"}
    talk.ask("commit", group="group-1")
    talk.ask("merge", group="group-1")
    assert talk.ask("state", group="group-1")["members"] == [{"index": 0, "identity": "61"}]


def test_members_are_removed_by_index_or_identity(two: Dialogue) -> None:
    assert not two.reply("remove", group="group-1", identities=["63"])["ok"]
    assert not two.reply("remove", group="group-1", identities=["62"], indices=[9])["ok"]
    made = two.ask("remove", group="group-1", identities=["62"], indices=[1])
    assert made["welcomes"] == []
    assert two.ask("process", group="group-2", message=made["commit"])["removed"] is True


def test_a_pre_shared_key_must_be_known_to_both(two: Dialogue) -> None:
    two.ask("add_psk", group="group-1", psk_id="aa", psk="bb" * 32)
    made = two.ask("commit", group="group-1", psk_ids=["aa"])
    assert not two.reply("process", group="group-2", message=made["commit"])["ok"]
    two.ask("add_psk", client="b", psk_id="aa", psk="bb" * 32)
    assert two.ask("process", group="group-2", message=made["commit"])["epoch"] == 2


def test_a_welcome_leads_in_once(two: Dialogue) -> None:
    package = two.ask("key_package", client="c")["key_package"]
    made = two.ask("add", group="group-1", key_packages=[package])
    (welcome,) = made["welcomes"]  # type: ignore[misc]
    assert not two.reply("join", client="b", welcome=welcome)["ok"]
    two.ask("join", client="c", welcome=welcome)
    assert not two.reply("join", client="c", welcome=welcome)["ok"]


def test_proposals_are_made_all_or_none(two: Dialogue) -> None:
    before = two.stored()
    package = two.ask("key_package", client="c")["key_package"]
    assert not two.reply("propose_add", group="group-1", key_packages=[package, "00"])["ok"]
    assert not two.reply("propose_remove", group="group-1", indices=[1, 5])["ok"]
    assert two.stored() == before


@pytest.mark.parametrize("resync", [False, True])
def test_somebody_joins_from_outside(two: Dialogue, resync: bool) -> None:
    info = two.ask("group_info", group="group-1")["group_info"]
    comer = "b" if resync else "c"
    came = two.ask("external_join", client=comer, group_info=info, resync=resync)
    assert two.ask("process", group="group-1", message=came["commit"])["epoch"] == 2
    removed = two.ask("process", group="group-2", message=came["commit"])["removed"]
    assert removed is resync
    states = [two.ask("state", group=group) for group in ("group-1", came["group"])]
    assert [state.pop("own_index") for state in states] == [0, 1 if resync else 2]
    assert states[0] == states[1]


WRONG = [
    b"x",
    b"[]",
    b"null",
    b"{}",
    b"\xff\xfe{}",
    b"[" * 100_000,
    b'{"id":' * 100_000,
    b"1" * 10_000,
    b'{"cmd":7}',
    b'{"cmd":"no such"}',
    b'{"cmd":"group_info","group":"group-7"}',
    b'{"cmd":"state"}',
    b'{"cmd":"state","group":[]}',
    b'{"cmd":"state","group":"group-9"}',
    b'{"cmd":"new_client","client":"d","identity":"00","suite":4660}',
    b'{"cmd":"new_client","client":"d","identity":"00","suite":true}',
    b'{"cmd":"new_client","client":"d","identity":"0","suite":1}',
    b'{"cmd":"new_client","client":"d","identity":"0 0 ","suite":1}',
    b'{"cmd":"key_package","client":"z"}',
    b'{"cmd":"add","group":"group-1","key_packages":[]}',
    b'{"cmd":"add","group":"group-1","key_packages":"00"}',
    b'{"cmd":"add","group":"group-1","key_packages":["00"]}',
    b'{"cmd":"remove","group":"group-1","identities":[]}',
    b'{"cmd":"remove","group":"group-1","indices":[-1]}',
    b'{"cmd":"remove","group":"group-1","indices":[0]}',
    b'{"cmd":"remove","group":"group-1","indices":[18446744073709551616]}',
    b'{"cmd":"commit","group":"group-1","psk_ids":["77"]}',
    b'{"cmd":"process","group":"group-1","message":""}',
    b'{"cmd":"decrypt","group":"group-1","message":"0001000200"}',
    b'{"cmd":"export","group":"group-1","label":"\\ud800","context":"","length":1}',
    b'{"cmd":"export","group":"group-1","label":"","context":"","length":1e3}',
    b'{"cmd":"export","group":"group-1","label":"","context":"","length":99999999999999}',
    b'{"cmd":"external_join","client":"a","group_info":"00"}',
    b" " * (limits.MLS_DRIVER_MAX_LINE_BYTES + 9) + b'{"cmd":"update","group":"group-1"}',
]


@pytest.mark.parametrize("line", WRONG, ids=lambda line: line[:60].decode(errors="replace"))
def test_a_refusal_changes_nothing(two: Dialogue, line: bytes) -> None:
    before = two.stored()
    reply, last = answer(two.world, line)
    told = json.loads(reply)
    assert told["ok"] is False
    assert not told["error"].startswith("internal")
    assert not last
    assert two.stored() == before


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
NAMES = ("client", "group", "message", "identities", "length", "label", "welcome", "id", "suite")


@settings(max_examples=runs.many(300), deadline=None)
@given(
    st.sampled_from(["process", "add", "remove", "export", "join", "new_client", "decrypt"]),
    st.dictionaries(st.sampled_from(NAMES), VALUES | st.lists(VALUES)),
    st.binary(max_size=40),
)
def test_any_line_gets_one_reply(command: str, fields: dict[str, object], noise: bytes) -> None:
    talk = Dialogue(0)
    lines = (json.dumps({"cmd": command, **fields}).encode(), noise.replace(b"\n", b""))
    for line in lines:
        told = json.loads(answer(talk.world, line)[0], parse_constant=pytest.fail)
        assert not told.get("error", "").startswith("internal")


def test_key_packages_of_others_live_as_long_as_they_like(two: Dialogue) -> None:
    client = two.world.client("c")
    message, private = create_key_package(
        client.suite,
        client.credential,
        client.signature_private,
        client.signature_public,
        random=two.world.random,
        now=NOW,
        lifetime_seconds=2**63,
    )
    client.key_packages[private.reference] = private
    (proposal,) = two.ask("propose_add", group="group-1", key_packages=[message.hex()])["proposals"]  # type: ignore[misc]
    two.ask("process", group="group-2", message=proposal)
    made = two.ask("commit", group="group-2")
    assert two.ask("process", group="group-1", message=made["commit"])["epoch"] == 2
    two.ask("join", client="c", welcome=made["welcomes"][0])  # type: ignore[index]


def test_a_line_that_is_too_long_is_one_line() -> None:
    long = b"x" * (2 * limits.MLS_DRIVER_MAX_LINE_BYTES + 99)
    replies = io.BytesIO()
    serve(Dialogue().world, io.BytesIO(long + b'\n\n{"id":1,"cmd":"quit"}\nnot read'), replies)
    first, last = (json.loads(line) for line in replies.getvalue().splitlines())
    assert (first["ok"], last) == (False, {"id": 1, "ok": True})


def test_the_program_answers_and_ends() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "blackthorn.mls.driver"],
        input=b'{"id":"a","cmd":"hello"}\nnonsense\n{"id":2,"cmd":"quit"}\n',
        capture_output=True,
        check=True,
        timeout=60,
    )
    replies = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(reply["id"], reply["ok"]) for reply in replies] == [
        ("a", True),
        (None, False),
        (2, True),
    ]
    assert done.stderr == b""
