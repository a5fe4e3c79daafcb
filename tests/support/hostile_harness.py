"""What every trial holds, whatever was tried (keys.md, section 5).

(a) No text that was meant to be secret, and no key of a victim, is in anything that the server
    was sent or has stored, nor in what a device of the attacker has opened.
(b) Just the alarms that the trial names are raised, on the devices that it names.
(c) People who were not attacked write to each other, and no alarm is raised on their devices.
(d) The evidence of each alarm verifies in another process, which has the file and nothing else.
"""

import base64
import functools
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from blackthorn.ports.device_store import AlarmRecord
from blackthorn.simulation.device import Person
from tests.support.evil_server import EvilServer

WITHOUT_EVIDENCE = frozenset({
    # what the log answers for by its signature is missing, or is no fault of it
    "unwitnessed", "withheld", "denied", "not-published", "key-package-reuse", "false-certificate",
    # statements that keep to all rules and are told
    "reset-pending", "identity-reset", "verified-reset", "own-reset", "own-device",
    # a member's device, of whom the log says the truth
    "revoked-device-active",
})  # fmt: skip
"""Alarms that come without a file: `docs/attacks.md` says what they rest on."""


def conclude(world: EvilServer, alarmed: Mapping[Person, Iterable[str]] | None = None) -> None:
    """Hold (a) to (d) at the end of a trial; `alarmed` are the codes of the open alarms."""
    expected = alarmed or {}
    for person in world.people:
        assert sorted(person.alarms()) == sorted(expected.get(person, ())), person.name
    world.honest()
    bystanders_go_on(world)
    nothing_leaked(world)
    for person in expected:
        for alarm in person.open_alarms():
            evidence_verifies(alarm)


# --- (a) ----------------------------------------------------------------------------------


def nothing_leaked(world: EvilServer) -> None:
    """Neither canaries nor keys are where the attacker could have them."""
    databases = [world.database, *(each.ledger.database for each in world.forks.values())]
    held = b"\0".join([*world.heard, *(each.writing.serialize("main") for each in databases)])
    for text in world.canaries:
        for needle in spellings(text.encode()):
            assert needle not in held, f"the server has {text!r}"
        for ghost in world.ghosts:
            assert text not in "\n".join(ghost.received()), f"a ghost has read {text!r}"
    for person in world.people:
        for secret in secrets_of(person):
            assert secret not in held, f"the server has a key of {person.name}"


def secrets_of(person: Person) -> list[bytes]:
    """Keys that never leave the device."""
    with person.vault.transaction() as records:
        envelopes = [key for _, _, key in records.conversations.envelope_keys()]
        mail = [each.secret for each in records.mail_keys.all()]
    return [person.keys.identity.expose(), person.keys.ml_dsa.expose(), *envelopes, *mail]


def spellings(data: bytes) -> list[bytes]:
    """The forms in which a text may lie somewhere."""
    found = [data, data.hex().encode(), data.decode().encode("utf-16-le")]
    for shift in range(3):
        coded = base64.b64encode(b"\0" * shift + data)
        found.append(coded[4 : len(coded) - 4])
    return found


# --- (c) ----------------------------------------------------------------------------------


def bystanders_go_on(world: EvilServer) -> None:
    """Two people whom nobody attacks write to each other."""
    yves, zoe = world.bystanders
    for person in (yves, zoe):
        person.connect()
    world.settle()
    texts = [f"{world.chance.randrange(10**9)} still works" for _ in range(2)]
    yves.write(zoe, texts[0])
    world.settle()
    zoe.write(yves, texts[1])
    world.settle()
    assert (zoe.received()[-1], yves.received()[-1]) == tuple(texts)
    for person in (yves, zoe):
        assert not (person.alarms() or person.gaps() or person.set_aside() or person.waiting())


# --- (d) ----------------------------------------------------------------------------------


def evidence_verifies(alarm: AlarmRecord) -> str:
    """What the alarm's file proves, as another process says it."""
    if alarm.code in WITHOUT_EVIDENCE and not alarm.evidence:
        return ""
    assert alarm.evidence, f"{alarm.code} has no evidence"
    return verified(alarm.evidence)


def verified(evidence: bytes) -> str:
    """What a file of evidence proves. The path of it is all that the other process is given."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "evidence.json"
        path.write_bytes(evidence)
        process = _verifier()
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(f"{path}\n")
        process.stdin.flush()
        verdict, _, said = process.stdout.readline().strip().partition(" ")
    assert verdict == "holds", said
    return said


_VERIFIER = """
import pathlib, sys
from blackthorn.audit.evidence import verify
for line in sys.stdin:
    try:
        print("holds", verify(pathlib.Path(line.strip()).read_bytes()), flush=True)
    except Exception as error:
        print("fails", repr(error), flush=True)
"""


@functools.cache
def _verifier() -> "subprocess.Popen[str]":
    """Another process, which does what `blackthorn audit evidence` does, for one file a line."""
    return subprocess.Popen(
        [sys.executable, "-c", _VERIFIER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
