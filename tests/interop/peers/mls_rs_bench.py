"""mls-rs timed through its binding, in the steps of bench/mls_ours.py."""

import mls_rs_uniffi as mls
from mls_rs_storage import SUITE, config
from peer_bench import CONTENT, main, timed


def client(name: bytes) -> mls.Client:
    """A new client."""
    return mls.Client(name, mls.generate_signature_keypair(SUITE), config())


def commit(group: mls.Group, packages: list[bytes]) -> tuple[bytes, bytes]:
    """A Commit, merged, and its Welcome."""
    if packages:
        made = group.add_members([mls.Message.from_bytes(each) for each in packages])
    else:
        made = group.commit()
    group.process_incoming_message(made.commit_message)
    welcome = made.welcome_message
    return made.commit_message.to_bytes(), b"" if welcome is None else welcome.to_bytes()


def process(group: mls.Group, message: bytes) -> None:
    """Whatever the message is."""
    group.process_incoming_message(mls.Message.from_bytes(message))


def measure(size: int, messages: int) -> dict[str, float]:
    """One life of a group of `size` members."""
    devices = [client(b"user%d@acme.example" % number + bytes(16)) for number in range(size - 1)]
    packages = [each.generate_key_package_message().to_bytes() for each in devices]
    founder = client(b"founder@acme.example" + bytes(16)).create_group(b"bench")
    (added, welcome), add_seconds = timed(lambda: commit(founder, packages))
    member, join_seconds = timed(
        lambda: devices[-1].join_group(None, mls.Message.from_bytes(welcome)).group
    )
    (updated, _), update_seconds = timed(lambda: commit(member, []))
    _, process_seconds = timed(lambda: process(founder, updated))
    sealed, encrypt_seconds = timed(
        lambda: [member.encrypt_application_message(CONTENT).to_bytes() for _ in range(messages)]
    )
    _, decrypt_seconds = timed(lambda: [process(founder, each) for each in sealed])
    return {
        "add": add_seconds,
        "join": join_seconds,
        "update": update_seconds,
        "process": process_seconds,
        "encrypt": encrypt_seconds / messages,
        "decrypt": decrypt_seconds / messages,
        "add_bytes": len(added),
        "welcome_bytes": len(welcome),
        "update_bytes": len(updated),
        "message_bytes": len(sealed[0]),
    }


main(measure)
