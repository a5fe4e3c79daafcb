"""Commands of the driver's protocol, over the public functions of MLS alone.

A new command needs its function, its entry in COMMANDS and its feature in FEATURES.
"""

from collections.abc import Callable, Mapping, Sequence

from blackthorn.crypto.secret import Secret
from blackthorn.mls.codepoints import APPLICATION
from blackthorn.mls.credential import BasicCredential
from blackthorn.mls.driver import world as state
from blackthorn.mls.driver.request import Request, RequestError
from blackthorn.mls.driver.world import ANY_LIFETIME, ClientGroup, World, believe
from blackthorn.mls.epoch.policy import Policy
from blackthorn.mls.errors import InvalidWelcome
from blackthorn.mls.framing import key_package
from blackthorn.mls.group.group import Application, Group, ProposalReceived
from blackthorn.mls.group.joining import welcome_references
from blackthorn.mls.group.processing import read_private_message
from blackthorn.mls.suites import SUPPORTED, suite

Reply = Mapping[str, object]
Command = Callable[[World, Request], Reply]

PROTOCOL = 1
FEATURES = ("propose", "export", "members", "group_info", "external_join", "psk", "discard")
QUIRKS = ()


def _hello(world: World, request: Request) -> Reply:
    return {
        "protocol": PROTOCOL,
        "impl": "blackthorn",
        "suites": SUPPORTED,
        "features": FEATURES,
        "quirks": QUIRKS,
    }


def _new_client(world: World, request: Request) -> Reply:
    name, identity = request.text("client"), request.octets("identity")
    chosen = suite(request.number("suite"))
    policy = Policy(
        join=state.anybody_may_join,
        public_handshakes=request.flag("public_handshakes", default=True),
        max_lifetime_seconds=ANY_LIFETIME,
    )
    private, public = chosen.generate_signature_key(world.random)
    world.clients[name] = state.Client(BasicCredential(identity), chosen, private, public, policy)
    return {"signature_key": public.hex()}


def _key_package(world: World, request: Request) -> Reply:
    client = world.client(request.text("client"))
    message, private = key_package.create_key_package(
        client.suite,
        client.credential,
        client.signature_private,
        client.signature_public,
        random=world.random,
        now=world.now(),
    )
    client.key_packages[private.reference] = private
    return {"key_package": message.hex()}


def _add_psk(world: World, request: Request) -> Reply:
    psk_id, psk = request.octets("psk_id"), Secret(request.octets("psk"))
    if request.has("group"):
        world.held(request.text("group")).own_psks[psk_id] = psk
    else:
        world.client(request.text("client")).psks[psk_id] = psk
    return {}


def _create_group(world: World, request: Request) -> Reply:
    client = world.client(request.text("client"))
    group_id = request.octets_or_none("group_id")
    group = Group.create(
        client.suite,
        world.random(16) if group_id is None else group_id,
        client.credential,
        client.signature_private,
        client.signature_public,
        random=world.random,
        now=world.now(),
    )
    return {"group": world.hold(client, group)}


def _join(world: World, request: Request) -> Reply:
    client, welcome = world.client(request.text("client")), request.octets("welcome")
    ratchet_tree = request.octets_or_none("ratchet_tree")
    ours = [name for name in welcome_references(welcome) if name in client.key_packages]
    if not ours:
        raise InvalidWelcome("the Welcome is for no key package of this client")
    group = Group.join(
        welcome,
        client.key_packages[ours[0]],
        client.signature_private,
        validate=believe,
        ratchet_tree=ratchet_tree,
        external_psks=client.psks,
    )
    del client.key_packages[ours[0]]
    return {"group": world.hold(client, group)}


def _external_join(world: World, request: Request) -> Reply:
    client = world.client(request.text("client"))
    group, commit = Group.join_externally(
        request.octets("group_info"),
        client.credential,
        client.signature_private,
        client.signature_public,
        random=world.random,
        now=world.now(),
        validate=believe,
        resync=request.flag("resync"),
        ratchet_tree=request.octets_or_none("ratchet_tree"),
    )
    return {"group": world.hold(client, group), "commit": commit.hex()}


def _add(world: World, request: Request) -> Reply:
    held, packages = _held(world, request), _packages(world, request)
    return _commit(world, held, add=packages)


def _remove(world: World, request: Request) -> Reply:
    held = _held(world, request)
    return _commit(world, held, remove=_leaves(held.group, request))


def _update(world: World, request: Request) -> Reply:
    return _commit(world, _held(world, request))


def _commit_waiting(world: World, request: Request) -> Reply:
    return _commit(world, _held(world, request), psk_ids=request.octets_list("psk_ids"))


def _propose_add(world: World, request: Request) -> Reply:
    held, packages = _held(world, request), _packages(world, request)
    group = _copy(held.group)
    proposals = [group.propose_add(package, random=world.random).hex() for package in packages]
    held.group = group
    return {"proposals": proposals}


def _propose_remove(world: World, request: Request) -> Reply:
    held = _held(world, request)
    group = _copy(held.group)
    leaves = _leaves(group, request)
    proposals = [group.propose_remove(leaf, random=world.random).hex() for leaf in leaves]
    held.group = group
    return {"proposals": proposals}


def _merge(world: World, request: Request) -> Reply:
    group = _held(world, request).group
    group.merge_pending()
    return {"epoch": group.epoch}


def _discard(world: World, request: Request) -> Reply:
    group = _held(world, request).group
    if group.pending is None:
        raise RequestError("there is no pending Commit")
    group.discard_pending()
    return {"epoch": group.epoch}


def _process(world: World, request: Request) -> Reply:
    held, message = _held(world, request), request.octets("message")
    group = held.group
    outcome = group.process(
        message, validate=believe, external_psks=held.psks, policy=held.client.policy
    )
    if isinstance(outcome, Application):
        return {"kind": "application", "plaintext": outcome.content.hex()}
    if isinstance(outcome, ProposalReceived):
        return {"kind": "proposal"}
    group.merge(outcome)
    return {"kind": "commit", "epoch": outcome.epoch, "removed": outcome.removes_me}


def _encrypt(world: World, request: Request) -> Reply:
    plaintext = request.octets("plaintext")
    message = _held(world, request).group.encrypt(plaintext, random=world.random)
    return {"message": message.hex()}


def _decrypt(world: World, request: Request) -> Reply:
    message = request.octets("message")
    if read_private_message(message).content_type != APPLICATION:
        raise RequestError("the message is not an application message")
    return {"plaintext": _process(world, request)["plaintext"]}


def _export(world: World, request: Request) -> Reply:
    group = _held(world, request).group
    label, context = request.text("label"), request.octets("context")
    return {"secret": group.export(label, context, request.number("length")).hex()}


def _group_info(world: World, request: Request) -> Reply:
    return {"group_info": _held(world, request).group.group_info().hex()}


def _state(world: World, request: Request) -> Reply:
    group = _held(world, request).group
    return {
        "epoch": group.epoch,
        "members": [
            {"index": member.index, "identity": member.credential.identity.hex()}
            if isinstance(member.credential, BasicCredential)
            else {"index": member.index}
            for member in group.members
        ],
        "group_id": group.group_id.hex(),
        "suite": group.suite.number,
        "own_index": group.own_index,
        "active": group.active,
        "epoch_authenticator": group.epoch_authenticator.hex(),
        "waiting_proposals": group.waiting_proposals,
        "pending_commit": group.pending is not None,
    }


COMMANDS: Mapping[str, Command] = {
    "hello": _hello,
    "new_client": _new_client,
    "key_package": _key_package,
    "create_group": _create_group,
    "add": _add,
    "remove": _remove,
    "update": _update,
    "propose_add": _propose_add,
    "propose_remove": _propose_remove,
    "commit": _commit_waiting,
    "merge": _merge,
    "discard": _discard,
    "join": _join,
    "group_info": _group_info,
    "external_join": _external_join,
    "process": _process,
    "encrypt": _encrypt,
    "decrypt": _decrypt,
    "export": _export,
    "state": _state,
    "add_psk": _add_psk,
    "quit": lambda world, request: {},
}


def _held(world: World, request: Request) -> ClientGroup:
    return world.held(request.text("group"))


def _packages(world: World, request: Request) -> list[key_package.VerifiedKeyPackage]:
    messages = request.octets_list("key_packages")
    if not messages:
        raise RequestError("key_packages is empty")
    return [
        key_package.parse_key_package(
            data, now=world.now(), validate=believe, max_lifetime=ANY_LIFETIME
        )
        for data in messages
    ]


def _leaves(group: Group, request: Request) -> list[int]:
    """The leaf indices that `indices` and `identities` name."""
    leaves = request.number_list("indices")
    for identity in request.octets_list("identities"):
        credential = BasicCredential(identity)
        found = [member.index for member in group.members if member.credential == credential]
        if not found:
            raise RequestError("no member has that identity")
        leaves += found
    if not leaves:
        raise RequestError("indices and identities are both empty")
    return list(dict.fromkeys(leaves))


def _commit(
    world: World,
    held: ClientGroup,
    *,
    add: Sequence[key_package.VerifiedKeyPackage] = (),
    remove: Sequence[int] = (),
    psk_ids: Sequence[bytes] = (),
) -> Reply:
    made = held.group.commit(
        add=add,
        remove=remove,
        psk_ids=psk_ids,
        external_psks=held.psks,
        random=world.random,
        now=world.now(),
        validate=believe,
        policy=held.client.policy,
    )
    welcomes = [] if made.welcome is None else [made.welcome.hex()]
    return {"commit": made.commit.hex(), "welcomes": welcomes}


def _copy(group: Group) -> Group:
    """A working copy for several steps that must succeed or fail together."""
    return Group.deserialise(group.serialise())
