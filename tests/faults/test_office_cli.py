"""Officers' commands as processes, over real links: founding, a directive, and what it refuses.

Server, ledger, office and devices are the real ones.
"""

import json
import subprocess

import pytest

from blackthorn.demo import deployment
from blackthorn.demo.deployment import Deployment, StepFailedError


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """Ann and bob, who found; lea and cus, whom they have appointed."""
    with Deployment(tmp_path_factory.mktemp("office")) as play:
        play.initialise()
        play.start_server()
        found = {name: play.enrol(name)[0] for name in ("ann", "bob", "lea", "cus")}
        ann, bob = found["ann"], found["bob"]
        play.administer("role", "open", ann.address, bob.address)
        waits = ann.run_json("role", "found", bob.address, "--yes")
        assert waits["lacks"] == ["owner"] and not waits["taken"]
        assert bob.run_json("role", "found", ann.address, "--yes")["taken"]
        for name, role in (("lea", "legal"), ("cus", "custodian")):
            words = ("role", "appoint", found[name].address, "--role", role, "--yes")
            ann.run_json(*words)
            assert bob.run_json(*words)["taken"]
        yield found


def test_everybody_sees_the_same_officers(people):
    lists = [
        [(each["address"], each["roles"]) for each in person.run_json("role", "list")["officers"]]
        for person in people.values()
    ]
    assert all(each == lists[0] for each in lists)
    assert sorted(lists[0]) == [
        ("ann@acme.example", ["owner"]),
        ("bob@acme.example", ["owner"]),
        ("cus@acme.example", ["custodian"]),
        ("lea@acme.example", ["legal"]),
    ]


def test_a_directive_from_receipt_to_approval(people, tmp_path):
    lea, ann, cus = people["lea"], people["ann"], people["cus"]
    demand = tmp_path / "demand"
    demand.write_bytes(b"We demand.")
    receive = (
        *("directive", "receive", "--kind", "production", "--country", "PK"),
        *("--authority", "Court", "--basis", "B", "--process", "order", "--channel", "post"),
        *("--received", "2015-07-24", "--document", str(demand)),
        *("--category", "sealed-mail", "--account"),
    )
    with pytest.raises(StepFailedError) as refused:
        lea.run(*receive, "*@acme.example", "--yes")
    assert "wildcard" in refused.value.detail and "\n" not in refused.value.detail
    assert lea.run_json(*receive, "ann@acme.example", "--yes")["taken"]
    case = "D-000001"
    both = ("directive", "verify", case, "--contact", "+92 51", "--source", "a directory", "--yes")
    assert not lea.run_json(*both)["taken"] and ann.run_json(*both)["taken"]
    both = ("directive", "assess", case, "--decision", "comply", "--grounds", "G", "--yes")
    assert not lea.run_json(*both)["taken"] and ann.run_json(*both)["taken"]
    lea.run("directive", "approve", case, "--yes")
    with pytest.raises(StepFailedError) as refused:
        cus.run("directive", "sign", case)
    assert "--yes" in refused.value.detail, "nobody was asked, and nothing is signed"
    assert "is decided" in cus.run("directive", "sign", case, "--yes")
    assert cus.run_json("directive", "show", case)["state"] == "approved"
    package = tmp_path / "package.tar"
    produce = ("directive", "produce", case, "--out", str(package), "--yes")
    assert not cus.run_json(*produce)["taken"]
    package.rename(tmp_path / "first.tar")
    assert lea.run_json(*produce)["taken"]
    assert package.read_bytes() == (tmp_path / "first.tar").read_bytes(), "made once"
    package.unlink()
    deployment.wait_until(lambda: fetched(cus, produce), 20, "the ledger did not show it")
    checked = json.loads(cus.run("audit", "package", str(package), "--json"))
    assert checked["directive"] == case
    deliver = ("directive", "deliver", case, "--yes")
    cus.run(*deliver)
    lea.run(*deliver)
    assert cus.run_json("directive", "show", case)["state"] == "delivered"


def fetched(person, words):
    """Whether the finished package is there: with signature and proof, once they can be."""
    try:
        person.run(*words)
    except StepFailedError as refused:
        assert "next epoch" in refused.detail
        return False
    return True


def test_a_home_without_a_device_is_told_in_one_line(people):
    bob = people["bob"]
    environment = {**bob.environment, "BLACKTHORN_HOME": str(bob.home / "nowhere")}
    done = subprocess.run(
        deployment.command_line("role", "list"),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2 and "there is no device" in done.stderr
    assert len(done.stderr.splitlines()) == 1
