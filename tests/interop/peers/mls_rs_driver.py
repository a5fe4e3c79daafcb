"""mls-rs behind the driver's protocol, over its UniFFI binding; run in the peers' environment.

The binding has suite 1 only, and no listing of members, group info, external join or PSK.
"""

from dataclasses import dataclass

import mls_rs_uniffi as mls
from mls_rs_storage import SUITE, config
from peer_lines import Request, serve


@dataclass
class Held:
    """A group, its epoch as this driver counts it, and the Commit of its own that waits."""

    group: mls.Group
    epoch: int
    pending: mls.Message | None = None


clients: dict[str, mls.Client] = {}
groups: dict[str, Held] = {}


def hold(group: mls.Group, epoch: int) -> dict[str, object]:
    """Keep a group."""
    handle = f"group-{len(groups) + 1}"
    groups[handle] = Held(group, epoch)
    return {"group": handle}


def message(text: str) -> mls.Message:
    """An MLSMessage from hex."""
    return mls.Message.from_bytes(bytes.fromhex(text))


def octets(each: mls.Message) -> str:
    """An MLSMessage in hex."""
    return each.to_bytes().hex()


def hello(request: Request) -> dict[str, object]:
    return {
        "protocol": 1,
        "impl": "mls-rs 0.55 (agentvault-mls-rs-uniffi 0.1.1)",
        "suites": [1],
        "features": ["propose", "export"],
        "quirks": ["public_handshake", "accepts_tail", "failed_decrypt_burns_key"],
    }


def new_client(request: Request) -> dict[str, object]:
    if request["suite"] != 1:
        raise ValueError("suite 1 only")
    keys = mls.generate_signature_keypair(SUITE)
    identity = bytes.fromhex(request["identity"])
    clients[request["client"]] = mls.Client(identity, keys, config())
    return {"signature_key": keys.public_key.bytes.hex()}


def key_package(request: Request) -> dict[str, object]:
    return {"key_package": octets(clients[request["client"]].generate_key_package_message())}


def create_group(request: Request) -> dict[str, object]:
    group_id = request.get("group_id")
    group_id = None if group_id is None else bytes.fromhex(group_id)
    return hold(clients[request["client"]].create_group(group_id), 0)


def join(request: Request) -> dict[str, object]:
    joined = clients[request["client"]].join_group(None, message(request["welcome"]))
    return hold(joined.group, -1)


# --- Changing a group ---------------------------------------------------------------------


def committed(held: Held, output: mls.CommitOutput) -> dict[str, object]:
    """The reply to what made a Commit."""
    held.pending = output.commit_message
    welcome = output.welcome_message
    return {
        "commit": octets(output.commit_message),
        "welcomes": [] if welcome is None else [octets(welcome)],
    }


def require_none_pending(held: Held) -> None:
    if held.pending is not None:
        raise ValueError("a Commit is pending")


def add(request: Request) -> dict[str, object]:
    held = groups[request["group"]]
    require_none_pending(held)
    return committed(
        held, held.group.add_members([message(each) for each in request["key_packages"]])
    )


def remove(request: Request) -> dict[str, object]:
    held = groups[request["group"]]
    require_none_pending(held)
    return committed(held, held.group.remove_members(identities(held, request)))


def commit(request: Request) -> dict[str, object]:
    held = groups[request["group"]]
    require_none_pending(held)
    return committed(held, held.group.commit())


def propose_add(request: Request) -> dict[str, object]:
    held = groups[request["group"]]
    packages = [message(each) for each in request["key_packages"]]
    return {"proposals": [octets(each) for each in held.group.propose_add_members(packages)]}


def propose_remove(request: Request) -> dict[str, object]:
    held = groups[request["group"]]
    proposals = held.group.propose_remove_members(identities(held, request))
    return {"proposals": [octets(each) for each in proposals]}


def identities(held: Held, request: Request) -> list[mls.SigningIdentity]:
    """The members of these identities. The binding makes a SigningIdentity only for a client of
    one's own, so one is made with the member's public key, which stands in its leaf just before
    the credential.
    """
    tree = held.group.export_tree().bytes
    found = []
    for text in request["identities"]:
        identity = bytes.fromhex(text)
        at = tree.find(b"\x00\x01" + bytes([len(identity)]) + identity)
        if at < 0 or len(identity) > 63:
            raise ValueError("no such member")
        public = mls.SignaturePublicKey(bytes=tree[at - 32 : at])
        keys = mls.generate_signature_keypair(SUITE)
        keys = mls.SignatureKeypair(
            cipher_suite=SUITE, public_key=public, secret_key=keys.secret_key
        )
        found.append(mls.Client(identity, keys, config()).signing_identity())
    return found


def merge(request: Request) -> dict[str, object]:
    held = groups[request["group"]]
    if held.pending is None:
        raise ValueError("no Commit is pending")
    held.group.process_incoming_message(held.pending)
    held.pending = None
    held.epoch = message_epoch(held)
    return {"epoch": held.epoch}


# --- Messages -----------------------------------------------------------------------------


def message_epoch(held: Held) -> int:
    """The present epoch, read from a message that is encrypted for nobody to see."""
    sealed = held.group.encrypt_application_message(b"").to_bytes()
    group_id_end = 5 + sealed[4]
    return int.from_bytes(sealed[group_id_end : group_id_end + 8], "big")


def process(request: Request) -> dict[str, object]:
    held = groups[request["group"]]
    outcome = held.group.process_incoming_message(message(request["message"]))
    if outcome.is_application_message():
        return {"kind": "application", "plaintext": outcome.data.hex()}
    if outcome.is_received_proposal():
        return {"kind": "proposal"}
    if not outcome.is_commit():
        raise ValueError("no message of a group")
    held.pending = None
    removed = outcome.effect.is_removed()
    if not removed:
        held.epoch = message_epoch(held)
    return {"kind": "commit", "epoch": held.epoch + removed, "removed": removed}


def decrypt(request: Request) -> dict[str, object]:
    if bytes.fromhex(request["message"])[:4] != b"\x00\x01\x00\x02":
        raise ValueError("no private message")
    outcome = process(request)
    return {"plaintext": outcome["plaintext"]}


def encrypt(request: Request) -> dict[str, object]:
    held = groups[request["group"]]
    return {
        "message": octets(
            held.group.encrypt_application_message(bytes.fromhex(request["plaintext"]))
        )
    }


def export(request: Request) -> dict[str, object]:
    label, context = request["label"].encode(), bytes.fromhex(request["context"])
    secret = groups[request["group"]].group.export_secret(label, context, request["length"])
    return {"secret": secret.hex()}


def state(request: Request) -> dict[str, object]:
    held = groups[request["group"]]
    return {"epoch": message_epoch(held)}


serve(
    {
        "hello": hello,
        "new_client": new_client,
        "key_package": key_package,
        "create_group": create_group,
        "join": join,
        "add": add,
        "remove": remove,
        "update": commit,
        "commit": commit,
        "propose_add": propose_add,
        "propose_remove": propose_remove,
        "merge": merge,
        "process": process,
        "decrypt": decrypt,
        "encrypt": encrypt,
        "export": export,
        "state": state,
        "quit": lambda request: {},
    }
)
