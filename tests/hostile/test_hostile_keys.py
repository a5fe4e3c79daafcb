"""Hostile keys: mail certificates by false ways, and a stolen device (attacks 29, 30, 38)."""

import base64
import shutil

import pytest

from blackthorn.crypto.openpgp_open import generate_user_key
from blackthorn.crypto.openpgp_seal import parse_certificate
from blackthorn.crypto.secret import Secret
from blackthorn.device.conversations import inbox
from blackthorn.device.core import keys as device_keys
from blackthorn.device.engine import Device
from blackthorn.device.mail import keys as mail_keys
from blackthorn.device.operations import change_chain
from blackthorn.errors import StorageError, UserError
from blackthorn.ids import Address
from blackthorn.link import frames as f
from blackthorn.mail.pgp.open import open_mail
from blackthorn.mail.pgp.seal import Envelope, seal_mail
from blackthorn.storage.device import unlock
from blackthorn.storage.device.folder import DeviceFolder
from blackthorn.storage.device.vault import Vault
from tests.support.attacks import attack
from tests.support.evil_server import EvilServer, changed
from tests.support.hostile_harness import conclude, secrets_of, spellings

ML_KEM_768_X25519 = 35
"""The number of the algorithm in a version 6 key packet (draft-ietf-openpgp-pqc)."""


def states_a_mail_key(world, person):
    """The person's chain names a mail certificate; what it is."""
    person.enqueue(
        lambda unit: change_chain.enqueue_mail_key(
            unit, mail_keys.fresh(unit.records, unit.me.address, unit.now_ms)
        )
    )
    world.settle()
    world.publish()
    world.settle()
    with person.vault.transaction() as records:
        return mail_keys.newest(records).certificate


def certificate_known_to(person, other):
    with person.vault.transaction() as records:
        record = records.directory.chain(other.address)
        return record.certificate if record is not None else b""


def packets(data):
    """The OpenPGP packets of a certificate: tag and bytes (RFC 9580, 4.2)."""
    at, found = 0, []
    while at < len(data):
        tag, first = data[at] & 63, data[at + 1]
        if first < 192:
            start, length = at + 2, first
        else:
            start, length = at + 3, ((first - 192) << 8) + data[at + 2] + 192
        found.append((tag, data[at : start + length]))
        at = start + length
    return found


def stripped(certificate):
    """The certificate without its ML-KEM-768+X25519 subkey and the signature that binds it."""
    parts = packets(certificate)
    last = max(place for place, (tag, _) in enumerate(parts) if tag == 14)
    assert parts[last][1][3 + 5] == ML_KEM_768_X25519
    kept = parts[:last] + parts[last + 2 :]
    return b"".join(data for _, data in kept)


@attack(29, alarm="false-certificate", checks=1)
@pytest.mark.parametrize(
    "edit", ["the post-quantum subkey stripped", "a bit", "another's", "a fresh one"]
)
def test_no_other_mail_certificate_than_the_stated_one_is_kept(edit):
    world = EvilServer(1501, "alice", "bob", "mallory")
    alice, bob, mallory, *_ = world.people
    true = states_a_mail_key(world, bob)
    others = states_a_mail_key(world, mallory)
    false = {
        "the post-quantum subkey stripped": lambda: stripped(true),
        "a bit": lambda: true[:-1] + bytes([true[-1] ^ 1]),
        "another's": lambda: others,
        "a fresh one": lambda: generate_user_key(bob.address)[1],
    }[edit]()

    def swap(frame):
        if isinstance(frame, f.ChainPart) and frame.address == bob.address:
            return changed(frame, certificate=false)
        return frame

    world.lie(alice, swap)
    alice.write(bob, world.secret())
    world.settle()
    assert certificate_known_to(alice, bob) == b"" and not bob.received()
    conclude(world, {alice: ["false-certificate"]})


@attack(30)
def test_a_certificate_by_any_other_way_changes_nothing():
    """A mail brings one in its Autocrypt header; the chain's stays the one that counts."""
    world = EvilServer(1502, "alice", "bob")
    alice, bob, *_ = world.people
    true = states_a_mail_key(world, bob)
    alice.write(bob, world.secret())
    world.settle()
    assert certificate_known_to(alice, bob) == true
    secret, own = generate_user_key(alice.address)
    _, false = generate_user_key(bob.address)
    header = base64.b64encode(false).decode()
    mail = (
        f"From: {bob.address}\r\nTo: {alice.address}\r\n"
        f"Autocrypt: addr={bob.address}; keydata={header}\r\n"
        f"OpenPGP: url=https://acme.example/.well-known/openpgpkey/hu/x\r\n"
        "Subject: new key\r\n\r\nuse this\r\n"
    ).encode()
    trace = Envelope(
        "acme.example", alice.address, bob.address, "mx", "192.0.2.1", True, int(world.now)
    )
    sealed = seal_mail(mail, trace, parse_certificate(own), world.chance.randbytes)
    assert b"use this" in open_mail(sealed, secret).content
    world.wake(60)
    assert certificate_known_to(alice, bob) == true
    conclude(world)


# --- 38: a stolen device ------------------------------------------------------------------


@attack(38)
@pytest.mark.parametrize("method", ["passphrase", "key-file"])
def test_the_files_of_a_device_are_nothing_without_its_passphrase(method, tmp_path):
    """Another machine has every file of the folder, and tries."""
    home, thief = tmp_path / "home", tmp_path / "thief"
    secret = Secret(b"correct horse battery" if method == "passphrase" else bytes(range(32)))
    vault = DeviceFolder(home).create(method, secret)
    text = b"canary of a stolen device"
    keys = device_keys.generate(Address("alice@acme.example"), lambda n: bytes([7]) * n, 0)
    with vault.transaction() as records:
        device_keys.save(records, keys)
        records.settings.put("note", text)
    shutil.copytree(home, thief)
    vault.close()
    held = b"".join(each.read_bytes() for each in sorted(thief.iterdir()))
    for needle in [*spellings(text), keys.identity.expose(), keys.openpgp.expose()]:
        assert needle not in held
    lock = unlock.read(thief / "unlock.json")
    guess = Secret(b"wrong horse battery" if method == "passphrase" else bytes(32))
    with pytest.raises(UserError):
        unlock.unlock(lock, guess)
    for wrong in (Secret(bytes(32)), Secret(b"\xff" * 32)):
        with pytest.raises(StorageError):
            Vault.open(thief / "device.db", wrong, create=False)
    with Vault.open(thief / "device.db", unlock.unlock(lock, secret), create=False).transaction():
        pass


@attack(38)
def test_what_a_device_had_before_opens_nothing_of_what_comes_after(tmp_path):
    """A thief with an old copy of a whole open vault cannot read on once its owner has moved on."""
    world = EvilServer(1503, "alice", "bob")
    alice, bob, *_ = world.people
    alice.create_group("team", bob)
    alice.write_group("team", "known to the thief")
    world.settle()
    stolen = secrets_of(bob)
    alice.change_group("team", [world.bystanders[0]], [])
    world.settle()
    alice.write_group("team", world.secret("after"))
    world.settle()
    assert len(bob.received()) == 2
    assert set(secrets_of(bob)) - set(stolen), "new keys with each Commit"
    conclude(world)


def parcels(heard):
    """All sealed parcels that the server was ever sent, in order."""
    frames = (f.decode(data) for data in heard)
    sends = (frame for frame in frames if isinstance(frame, f.Send))
    return [
        parcel.sealed for send in sends for posting in send.postings for parcel in posting.parcels
    ]


def what_a_thief_opens(vault, person, sealed):
    """Texts that a passive thief with this copy of the person's vault reads of these parcels."""
    thief = Device(vault, person.keys, random=person.world.chance.randbytes)
    with thief.unit(person.now_ms) as unit:
        for seq, parcel in enumerate(sealed):
            inbox.accept(unit, seq, parcel, lambda *_: None)
        return [line.text for line in unit.records.history.latest(100_000) if line.sort == "text"]


@attack(38)
def test_an_old_copy_of_a_vault_reads_nothing_after_the_next_own_commit():
    """Two years pass, and no member is added or removed."""
    world = EvilServer(1504, "alice", "bob", "carol")
    alice, bob, carol, *_ = world.people
    alice.create_group("team", bob, carol)
    world.settle()
    world.wake(60, 2)
    copy = bob.vault.copy()
    began, renewed, written = len(world.heard), renewed_ms(bob), []
    for days in [*[1] * 10, *[30] * 24]:
        text = f"day {(world.now - world.began) // 86_400:.0f}"
        alice.write_group("team", text)
        world.settle()
        if renewed_ms(bob) == renewed:
            written.append(text)
        world.wake(days * 86_400)
        for _ in range(3):  # all are on line for two minutes
            world.later(40)
            world.settle()
    carol.write(bob, "a new conversation")
    world.settle()
    assert len(bob.received()) == 35
    read = what_a_thief_opens(copy, bob, parcels(world.heard[began:]))
    assert read == written and 7 <= len(read) <= 8  # days
    conclude(world)


def renewed_ms(person):
    """When the person's device last gave its leaf of its only group new keys."""
    with person.unit() as unit:
        leaves = unit.records.leaves.own(person.keys.device, "active")
        (own,) = [one for one in leaves if one.kind == "group"]
        return own.leaf.renewed_ms
