"""The ledger's files: keys that come back as they were, and policies that gain witnesses."""

import json
import random
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from blackthorn.cli.admin import ledger as ledger_cli
from blackthorn.crypto.secret import Secret
from blackthorn.errors import StorageError, UserError
from blackthorn.programs.server.ledger_status import unreachable
from blackthorn.programs.server.witness_policy import add_witness, has_witness
from blackthorn.storage.files import ledger, witness
from blackthorn.storage.files.ledger import EMBEDDED, LedgerFiles
from blackthorn.tlog.cosignature import Cosigner
from blackthorn.tlog.policy import Policy, format_policy, parse_policy
from blackthorn.wire.note import VerifierKey

URL = "https://witness.example/"


def key(number: int) -> VerifierKey:
    return Cosigner(f"witness{number}.example", Secret(bytes([number]) * 32)).vkey


def made(folder: Path, embedded: bool = True) -> LedgerFiles:
    random_bytes = random.Random(3).randbytes
    ledger.initialise(folder, "acme.example", embedded=embedded, random=random_bytes)
    return LedgerFiles(folder)


def last_lines(policy: Policy) -> list[str]:
    """What stands behind the log and the witnesses."""
    lines = format_policy(policy).splitlines()
    return [line for line in lines if not line.startswith(("log ", "witness "))]


def test_keys_come_back_as_they_were_made(tmp_path: Path) -> None:
    files = made(tmp_path)
    keys = files.read_keys()
    document = json.loads(files.keys.read_bytes())
    assert keys.origin == document["origin"] == "acme.example/ledger"
    assert keys.log.expose().hex() == document["log"]
    assert len({document[name] for name in document}) == 6, "no two keys are one"
    assert files.read_policy().log.name == keys.origin
    assert files.keys.stat().st_mode & 0o777 == 0o600
    with pytest.raises(UserError, match="exists already"):
        made(tmp_path)


def test_what_an_earlier_try_left_is_used(tmp_path: Path) -> None:
    files = made(tmp_path)
    witness = files.witness.cosigner().vkey
    files.keys.unlink()
    again = made(tmp_path)
    assert again.witness.cosigner().vkey == witness
    assert again.read_policy().witnesses[0].key == witness


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"log": "00" * 31}, "damaged"),
        ({"vrf": "zz" * 32}, "damaged"),
        ({"origin": None}, "damaged"),
        ({"opening": 7}, "damaged"),
    ],
)
def test_damaged_keys_are_refused(tmp_path: Path, change: dict[str, object], error: str) -> None:
    files = made(tmp_path)
    document = json.loads(files.keys.read_bytes()) | change
    files.keys.write_text(json.dumps(document))
    with pytest.raises(StorageError, match=error):
        files.read_keys()


def test_a_policy_that_breaks_a_rule_is_refused(tmp_path: Path) -> None:
    files = made(tmp_path)
    files.policy.write_text("quorum nobody\n")
    with pytest.raises(StorageError, match=r"policy.txt: .* \[T27\]"):
        files.read_policy()


def test_the_number_of_witnesses_that_must_cosign_stays_unless_it_is_given(tmp_path: Path) -> None:
    policy = made(tmp_path).read_policy()
    assert last_lines(policy) == [f"quorum {EMBEDDED}"]
    policy = add_witness(policy, key(1), URL, None)
    assert last_lines(policy) == ["group witnesses 1 embedded witness1.example", "quorum witnesses"]
    policy = add_witness(policy, key(2), URL, 2)
    names = "embedded witness1.example witness2.example"
    assert last_lines(policy) == [f"group witnesses 2 {names}", "quorum witnesses"]
    assert [(w.name, w.key, w.url) for w in policy.witnesses if w.url] == [
        (each.name, each, URL) for each in (key(1), key(2))
    ]
    assert parse_policy(format_policy(policy)) == policy


def test_a_policy_that_asks_for_none_goes_on_so_until_a_number_is_given(tmp_path: Path) -> None:
    policy = made(tmp_path, embedded=False).read_policy()
    policy = add_witness(policy, key(1), URL, None)
    assert last_lines(policy) == ["quorum none"]
    assert last_lines(add_witness(policy, key(2), URL, 1)) == [
        "group witnesses 1 witness1.example witness2.example",
        "quorum witnesses",
    ]


def test_groups_made_by_hand_are_left_alone(tmp_path: Path) -> None:
    text = format_policy(add_witness(made(tmp_path).read_policy(), key(1), URL, None))
    policy = parse_policy(text.replace("witnesses", "mine"))
    added = add_witness(policy, key(2), URL, None)
    assert last_lines(added) == last_lines(policy) and len(added.witnesses) == 3
    with pytest.raises(UserError, match="groups of its own"):
        add_witness(policy, key(2), URL, 2)


@pytest.mark.parametrize(
    ("number", "url", "quorum", "error"),
    [
        (9, URL, None, r"\[T26\]"),
        (2, "witness.example", None, "not a witness.s address"),
        (2, "https://a b/", None, r"\[T23\]"),
        (2, URL, 4, "from 1 to 3"),
    ],
)
def test_what_cannot_be_added_is_told(
    tmp_path: Path, number: int, url: str, quorum: int | None, error: str
) -> None:
    policy = add_witness(made(tmp_path).read_policy(), key(1), URL, None)
    added = replace(key(number), name=key(1).name) if number == 9 else key(number)
    with pytest.raises(UserError, match=error):
        add_witness(policy, added, url, quorum)


def test_the_address_of_a_witness_is_corrected_and_the_quorum_lowered(tmp_path: Path) -> None:
    policy = add_witness(made(tmp_path).read_policy(), key(1), URL, 2)
    moved = add_witness(policy, key(1), "https://moved.example/", None)
    assert [each.url for each in moved.witnesses] == [None, "https://moved.example/"]
    assert last_lines(moved) == last_lines(policy)
    assert last_lines(add_witness(moved, key(1), URL, 1))[0].startswith("group witnesses 1 ")
    assert has_witness(moved, key(1), "https://moved.example/")
    assert not has_witness(moved, key(1), URL) and not has_witness(moved, key(2), URL)


def test_a_witness_whose_name_has_a_scheme_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has a scheme: leave it out, as in witness\.example"):
        witness.initialise(tmp_path / "w", "https://witness.example", bytes)
    assert not (tmp_path / "w").exists()


def test_lost_keys_are_to_be_restored_first_of_all(tmp_path: Path) -> None:
    files = made(tmp_path)
    files.keys.unlink()
    with pytest.raises(UserError, match=r"ledger.keys is missing: restore it from a backup\."):
        files.read_keys()


@pytest.mark.parametrize("kind", ["nothing", "website", "witness"])
def test_a_witness_is_asked_at_its_address_before_it_is_added(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url == "https://witness.example/add-checkpoint" and not request.content
        if kind == "nothing":
            raise httpx.ConnectError("refused")
        return httpx.Response(404 if kind == "website" else 400)

    client = httpx.Client(transport=httpx.MockTransport(answer))
    monkeypatch.setattr(
        httpx, "stream", lambda verb, url, content, **_: client.stream(verb, url, content=content)
    )
    before = made(tmp_path).read_policy()
    if kind == "witness":
        ledger_cli.add_witness(tmp_path, str(key(1)), URL)
        assert len(LedgerFiles(tmp_path).read_policy().witnesses) == 2
    else:
        with pytest.raises(UserError, match="nothing was changed; check the address"):
            ledger_cli.add_witness(tmp_path, str(key(1)), URL)
        assert LedgerFiles(tmp_path).read_policy() == before
        ledger_cli.add_witness(tmp_path, str(key(1)), URL, offline=True)
    policy = LedgerFiles(tmp_path).read_policy()
    assert len(unreachable(policy)) == (kind != "witness")
