"""Devices of one user as real processes: add, link, revoke, recover, reset, verify."""

import json
import shlex
import smtplib
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from blackthorn.demo.deployment import (
    Deployment,
    Person,
    StepFailedError,
    command_line,
    wait_until,
)

ANSWER_SECONDS = 90


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with Deployment(tmp_path_factory.mktemp("life")) as made:
        made.initialise()
        made.start_server()
        yield made


class Talking:
    """A command that is talked with: JSON lines out, lines in."""

    def __init__(self, person: Person, *arguments: str) -> None:
        self.process = subprocess.Popen(
            command_line(*arguments),
            env=person.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def hear(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.communicate()[1]
        found: dict[str, Any] = json.loads(line)
        return found

    def say(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def end(self) -> tuple[int, list[dict[str, Any]], str]:
        """Exit code, what it still printed, what it said on standard error."""
        out, err = self.process.communicate(timeout=ANSWER_SECONDS)
        return self.process.returncode, [json.loads(line) for line in out.splitlines()], err


def failing(person: Person, *arguments: str, answers: str = "") -> str:
    """Run a command that must fail; the one line that it says."""
    with pytest.raises(StepFailedError) as caught:
        person.run(*arguments, standard_input=answers)
    said = caught.value.detail
    last = said.splitlines()[-1]
    assert last.startswith("blackthorn: "), said
    assert "Traceback" not in said
    return last


def pair(live: Person, new: Person, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A whole pairing; what both commands said last."""
    adding = Talking(live, "device", "add", "--json")
    linking = Talking(new, "device", "link", adding.hear()["url"], "--name", name, "--json")
    digits = linking.hear()["digits"]
    assert adding.hear() == {"joined": name}
    adding.say(digits)
    assert adding.hear() == {"digits": digits}
    linking.say("yes")
    code, linked, err = linking.end()
    assert code == 0, err
    code, added, err = adding.end()
    assert code == 0, err
    return added[-1], linked[-1]


def texts(person: Person) -> list[str]:
    return [each["text"] for each in person.run_json("inbox") if not each["event"]]


def names(person: Person) -> dict[str, bool]:
    return {each["name"]: each["live"] for each in person.run_json("device", "list")}


def mail(deployment: Deployment, to: str, subject: str) -> None:
    message = EmailMessage()
    message["Subject"] = subject
    message.set_content("in the mail")
    with smtplib.SMTP("127.0.0.1", deployment.smtp_port) as smtp:
        smtp.send_message(message, "carla@outside.example", [to])


def subjects(person: Person) -> list[str]:
    return [each["subject"] for each in person.run_json("mail", "list")]


def test_a_second_device_shares_conversations_and_mail_and_a_revoked_one_nothing_new(
    deployment: Deployment,
) -> None:
    alice, _ = deployment.enrol("alice")
    bob, _ = deployment.enrol("bob")
    alice.run("send", bob.address, "before")
    bob.run("inbox")
    bob.run("send", alice.address, "an answer")
    alice.run("group", "create", "team", bob.address)
    assert texts(alice) == ["an answer"]
    mail(deployment, alice.address, "old mail")
    tablet = deployment.person("tablet")
    added, linked = pair(alice, tablet, "tablet")
    assert added["added"] == "tablet" and added["left"] == []
    assert linked == {"linked": alice.address, "published": True}
    said = [(each["mine"], each["text"]) for each in tablet.run_json("history")]
    assert said[:2] == [(True, "before"), (False, "an answer")]
    assert subjects(tablet) == ["old mail"]
    assert "in the mail" in tablet.run("mail", "read", "1")
    bob.run("send", alice.address, "to both")
    tablet.run("send", bob.address, "from the tablet")
    tablet.run("group", "send", "team", "to the team")
    assert texts(alice)[-1] == texts(tablet)[-1] == "to both"
    assert texts(bob) == ["before", "from the tablet", "to the team"]
    mine = [each["text"] for each in alice.run_json("history") if each["mine"]]
    assert mine == ["before", "from the tablet", "to the team"]
    assert names(alice) == names(tablet)
    listed = {each["name"]: each["this"] for each in tablet.run_json("device", "list")}
    assert listed["tablet"] and sum(listed.values()) == 1

    assert "tablet: revoked" in alice.run("device", "revoke", "tablet")
    assert names(alice)["tablet"] is False
    bob.run("send", alice.address, "after")
    bob.run("group", "send", "team", "after, to the team")
    mail(deployment, alice.address, "new mail")
    assert {"after", "after, to the team"} <= set(texts(alice))
    assert subjects(alice) == ["old mail", "new mail"]
    assert "in the mail" in alice.run("mail", "read", "1")
    assert "in the mail" in alice.run("mail", "read", "2")
    assert "does not know this device" in failing(tablet, "inbox")
    assert "does not know this device" in failing(tablet, "send", bob.address, "too late")
    last = tablet.run_json("history")[-1]
    assert (last["text"], last["standing"]) == ("too late", "failed")
    assert "does not know this device" in last["why"]
    assert [each["text"] for each in tablet.run_json("history")][-2] != "after"
    assert "tablet was revoked already, on 20" in failing(alice, "device", "revoke", "tablet")
    assert "cannot revoke itself" in failing(alice, "device", "revoke", own_id(alice))


def own_id(person: Person) -> str:
    return next(str(each["id"]) for each in person.run_json("device", "list") if each["this"])


def test_a_wrong_code_and_wrong_digits_add_nothing(deployment: Deployment) -> None:
    carol, _ = deployment.enrol("carol")
    phone = deployment.person("carol-phone")
    adding = Talking(carol, "device", "add", "--json")
    code = str(adding.hear()["code"])
    number, *words = code.split("-")
    wrong = "-".join([number, *words[2:], *words[:2]])
    server = f"127.0.0.1:{deployment.link_port}"
    said = failing(phone, "device", "link", wrong, "--server", server)
    assert "The code is wrong" in said
    assert not phone.home.exists() or not (phone.home / "device.db").exists()
    linking = Talking(phone, "device", "link", "--server", server, "--json")
    linking.say(code)
    digits = str(linking.hear()["digits"])
    adding.hear()
    other = f"{(int(digits) + 1) % 1_000_000:06}"
    for _ in range(3):
        adding.say(other)
    exit_code, _, err = adding.end()
    assert exit_code == 4 and "digits are not the same" in err
    exit_code, _, err = linking.end()
    assert exit_code == 4 and "Traceback" not in err
    assert len(names(carol)) == 1
    assert "No device waits" in failing(phone, "device", "link", code, "--server", server)
    used = "blackthorn://127.0.0.1:1/activate#" + code
    assert "blackthorn activate" in failing(phone, "device", "link", used)


def test_a_pairing_that_is_killed_is_done_again_in_the_same_home(
    deployment: Deployment,
) -> None:
    dave, _ = deployment.enrol("dave")
    phone = deployment.person("dave-phone")
    for victim in ("linking", "adding", "both"):
        adding = Talking(dave, "device", "add", "--json")
        url = adding.hear()["url"]
        linking = Talking(phone, "device", "link", url, "--name", "phone", "--json")
        digits = linking.hear()["digits"]
        adding.hear()
        adding.say(digits)
        adding.hear()
        if victim != "adding":
            linking.process.kill()
        else:
            linking.say("yes")
            time.sleep(0.2)
        adding.process.kill()
        adding.process.communicate()
        linking.process.communicate(timeout=ANSWER_SECONDS)
    try:
        pair(dave, phone, "phone")
    except AssertionError as error:
        assert "holds an activated device" in str(error)
    assert len([live for live in names(dave).values() if live]) == 2
    phone.run("status")


def test_the_recovery_words_bring_a_device_back(deployment: Deployment, tmp_path: Path) -> None:
    erin, _ = deployment.enrol("erin")
    frank, _ = deployment.enrol("frank")
    erin.run("send", frank.address, "before")
    making = Talking(erin, "recovery", "create", "--json")
    paper = making.hear()
    words = list(paper["words"])
    assert len(words) == 24 and len(paper["ask"]) == 4
    for place in paper["ask"]:
        making.say(words[place - 1])
    code, said, err = making.end()
    assert code == 0 and said[-1]["accepted"], err
    wrong = Talking(erin, "recovery", "create", "--json")
    wrong.hear()
    wrong.say("zebra")
    assert wrong.end()[0] == 2
    erin.home.rename(tmp_path / "lost")
    phone = deployment.person("erin-phone")
    server = ("--server", f"127.0.0.1:{deployment.link_port}")
    use = ("recovery", "use", erin.address, *server)
    sheet = " ".join(words)
    assert "not a recovery key" in failing(phone, *use, answers="zebra zebra\nx\n")
    bad = "0000-0000-0000-0000-0000"
    assert "nothing was signed" in failing(phone, *use, answers=f"{sheet}\n{bad}\n")
    swapped = " ".join([words[1], words[0], *words[2:]])
    said_ = failing(phone, *use, answers=f"{swapped}\n{paper['check']}\n")
    assert "not a recovery key" in said_ or "recovery key (any more)" in said_
    printed = phone.run(*use, "--name", "phone", standard_input=f"{sheet}\n{paper['check']}\n")
    assert f"This device is {erin.address}'s." in printed and "revoke" in printed
    listed = phone.run_json("device", "list")
    assert [each["by_recovery_key"] for each in listed] == [False, True]
    phone.run("device", "revoke", str(listed[0]["id"]), "--reason", "lost")
    frank.run("inbox")
    frank.run("send", erin.address, "are you back?")
    assert texts(phone) == ["are you back?"]
    mail(deployment, erin.address, "to the new key")
    assert subjects(phone) == ["to the new key"]
    assert "in the mail" in phone.run("mail", "read", "1")


def test_a_code_for_who_has_an_identity_only_resets_it_and_any_device_cancels(
    deployment: Deployment,
) -> None:
    grace, _ = deployment.enrol("grace")
    url = json.loads(deployment.administer("user", "code", grace.address, "--json"))["url"]
    thief = deployment.person("thief")
    said = failing(thief, "activate", url)
    assert "72 hours" in said and "--reset" in said and "device link" in said
    assert grace.run_json("device", "reset-status") == {"pending": False}
    assert "No reset" in grace.run("device", "reset-status")
    printed = thief.run("activate", url, "--reset", "--name", "thief")
    assert "reset" in printed
    status = grace.run_json("device", "reset-status")
    assert status["pending"] and status["device"] == "thief"
    assert "cancel-reset" in grace.run("device", "reset-status")
    assert "reset" in failing(thief, "device", "revoke", own_id(grace))
    assert "cancelled" in grace.run("device", "cancel-reset")
    wait_until(
        lambda: grace.run_json("device", "reset-status") == {"pending": False},
        60,
        "the cancel does not show",
    )
    assert "no reset" in failing(grace, "device", "cancel-reset")
    assert [each["name"] for each in grace.run_json("device", "list") if each["live"]]


def test_two_people_compare_and_the_mark_stays(deployment: Deployment) -> None:
    heidi, _ = deployment.enrol("heidi")
    ivan, _ = deployment.enrol("ivan")
    one = heidi.run_json("verify", ivan.address)
    other = ivan.run_json("verify", heidi.address)
    assert one["digits"] == other["digits"] and len(one["digits"].replace(" ", "")) == 60
    assert one["verified"] is False and one["payload"] != other["payload"]
    assert heidi.run_json("verify", ivan.address, "--scan", other["payload"])["same"] is True
    assert heidi.run_json("verify", ivan.address)["verified"] is False
    confirmed = heidi.run_json("verify", ivan.address, "--digits", other["digits"], "--confirm")
    assert confirmed["verified"] is True
    assert heidi.run_json("verify", ivan.address)["verified"] is True
    assert "You have verified this person" in heidi.run("verify", ivan.address)
    wrong = other["digits"].replace(other["digits"][0], str((int(other["digits"][0]) + 1) % 10))
    said = failing(ivan, "verify", heidi.address, "--digits", wrong, "--confirm")
    assert "I45" in said
    assert ivan.run_json("verify", heidi.address)["verified"] is False
    last = "1" if one["payload"][-1] == "0" else "0"
    said = failing(ivan, "verify", heidi.address, "--scan", one["payload"][:-1] + last)
    assert "I45" in said and "other keys of" in said
    for option, typed, says in (
        ("--scan", "junk", "[I44]"),
        ("--scan", one["payload"].replace("heidi", "judy"), "this code compares judy"),
        ("--scan", other["payload"], "this code compares ivan"),
        ("--digits", other["digits"][:-1], "that is 59 digits"),
    ):
        with pytest.raises(StepFailedError, match="failed with 2") as failed:
            ivan.run("verify", heidi.address, option, typed)
        assert says in failed.value.detail
    assert "there is no user" in failing(ivan, "verify", "nobody@acme.example")
    assert "your own address" in failing(ivan, "verify", ivan.address)


def test_a_full_disk_while_linking_is_said_and_done_again(deployment: Deployment) -> None:
    """A bound on the size of files is met like a full disk: the new vault cannot grow."""
    judy, _ = deployment.enrol("judy")
    phone = deployment.person("judy-phone")
    adding = Talking(judy, "device", "add", "--json")
    url = str(adding.hear()["url"])
    command = f"ulimit -f 40; exec {shlex.join(command_line('device', 'link', url, '--json'))}"
    done = subprocess.run(
        ["bash", "-c", command],
        env=phone.environment,
        input="yes\n",
        capture_output=True,
        text=True,
        timeout=ANSWER_SECONDS,
        check=False,
    )
    adding.process.kill()
    adding.process.communicate()
    assert done.returncode == 5, done.stderr
    assert done.stderr.splitlines()[-1].startswith("blackthorn: "), done.stderr
    assert "Traceback" not in done.stderr
    assert len(names(judy)) == 1
    pair(judy, phone, "phone")
    deployment.stop_server()
    adding = Talking(judy, "device", "add", "--json")
    code, said, err = adding.end()
    assert (code, said) == (6, []) and "cannot be reached" in err, "no code that nobody can use"
    lost = deployment.person("judy-tablet")
    use = ("recovery", "use", judy.address, "--server", f"127.0.0.1:{deployment.link_port}")
    assert "cannot be reached" in failing(lost, *use), "no words are asked for"
    assert "give --server HOST:PORT" in (told := failing(lost, *use[:3])) and "URL" not in told
    deployment.start_server()
    assert len(names(judy)) == 2


def test_what_is_unknown_is_one_line(deployment: Deployment) -> None:
    nobody = deployment.person("nobody")
    assert "no device in" in failing(nobody, "device", "list")
    assert "no device in" in failing(nobody, "recovery", "create")
    assert "a code begins" in failing(nobody, "device", "link", "absurd")
    away = replace(nobody)
    said = failing(
        away,
        "device",
        "link",
        "1234-" + "-".join(["absurd", "adroitness"] * 4),
        "--server",
        "127.0.0.1:1",
    )
    assert "cannot be reached" in said
