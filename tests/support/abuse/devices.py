"""Attacks by one activated device."""

import asyncio
import os

from picows import WSMsgType

from blackthorn.edges.link.client import connect
from blackthorn.errors import BlackthornError
from blackthorn.ids import Fingerprint
from blackthorn.link import frames as f
from blackthorn.link.fanout import fanout_frame
from blackthorn.link.hello import sign_hello
from tests.support.abuse.links import HOST, flood, flooding, heard, open_link, repeat
from tests.support.abuse.table import DEVICE, Scene, abuse

MIB = 1 << 20


def posting(fanout: bytes, sealed: bytes, order: f.Order | None = None) -> f.Posting:
    return f.Posting(os.urandom(16), [f.Parcel(fanout, sealed)], order)


@abuse(
    who=DEVICE,
    what="fills its own mailbox with 15,000 parcels, then says Resume 100,000 times",
    bound="a Resume while parcels are delivered, or after Drained, reads nothing",
    counter=("frames_waited",),
)
async def resumes(scene: Scene) -> None:
    me = scene.abusers[0]
    told = fanout_frame([me.id])
    async with flooding(scene, me) as link:
        link.send(told)
        for _ in range(15):
            link.send(f.Send([posting(told.id, b"x") for _ in range(1_000)]))
        await link.drain()
        await asyncio.sleep(scene.seconds / 3)
        for _ in range(100):
            link.send(*[f.Resume()] * 1_000)
            await link.drain()
        await asyncio.sleep(scene.seconds / 2)


@abuse(
    who=DEVICE,
    what="one Send of 4,096 postings of one byte to a list of 2,000 devices",
    bound="postings x devices of one frame are bounded",
)
async def one_frame_to_a_crowd(scene: Scene) -> None:
    told = fanout_frame(scene.crowd[:2_000])
    async with flooding(scene, scene.abusers[0]) as link:
        link.send(told, f.Send([posting(told.id, b"x") for _ in range(4_096)]))
        await asyncio.sleep(scene.seconds)


@abuse(
    who=DEVICE,
    what="64 postings of 4 MiB to a list of 1,000 devices that are off line",
    bound="bytes x devices and stored bytes of one device, and its share of each mailbox",
    told=("mailbox-full", "SlowDown", "slow-down"),
    counter=("postings_refused", "throttled_copied"),
)
async def fill_all_mailboxes(scene: Scene) -> None:
    told = fanout_frame(scene.crowd[:1_000])
    sealed = os.urandom(4 * MIB - 64)
    async with flooding(scene, scene.abusers[0]) as link:
        link.send(told)
        for _ in range(64):
            link.send(f.Send([posting(told.id, sealed)]))
            await link.drain()
        await asyncio.sleep(scene.seconds)


@abuse(
    who=DEVICE,
    what="postings of 60 KiB to one colleague as fast as the server takes them",
    bound="stored bytes of one device",
    told=("mailbox-full", "SlowDown", "slow-down"),
    counter=("postings_refused", "throttled_bytes"),
)
async def stored_bytes(scene: Scene) -> None:
    told = fanout_frame([scene.victims[0].id])
    sealed = os.urandom(60 * 1024)
    async with flooding(scene, scene.abusers[0]) as link:
        link.send(told)
        await repeat(scene, link, f.Send([posting(told.id, sealed) for _ in range(8)]))


@abuse(
    who=DEVICE,
    what="small postings to one colleague as fast as the server takes them",
    bound="rows of one device; the colleague's mailbox keeps room for others",
    told=("mailbox-full", "SlowDown", "slow-down"),
    counter=("postings_refused", "throttled_rows"),
)
async def stored_rows(scene: Scene) -> None:
    told = fanout_frame([scene.victims[0].id])
    async with flooding(scene, scene.abusers[0]) as link:
        link.send(told)
        while scene.lasts():
            link.send(f.Send([posting(told.id, b"x" * 64) for _ in range(500)]))
            await link.drain()
            await asyncio.sleep(0)


@abuse(
    who=DEVICE,
    what="Commits of ever new conversations: 10,000 order rows a second",
    bound="order rows of one device: 600 at once, 120 an hour",
    told=("SlowDown",),
    counter=("throttled_orders",),
)
async def orders(scene: Scene) -> None:
    told = fanout_frame([scene.abusers[0].id])
    async with flooding(scene, scene.abusers[0]) as link:
        link.send(told)
        while scene.lasts():
            fresh = [f.Order(os.urandom(32), 0, os.urandom(16)) for _ in range(200)]
            link.send(f.Send([posting(told.id, b"x", order) for order in fresh]))
            await link.drain()
            await asyncio.sleep(0)


@abuse(
    who=DEVICE,
    what="claims the key packages of one colleague 10,000 times",
    bound="5 one-time key packages of a device a user and day, then the last-resort one",
    counter=("frames_waited",),
)
async def claim_one_colleague(scene: Scene) -> None:
    asked = f.ClaimKeyPackages(1, [scene.victims[0].address])
    async with flooding(scene, scene.abusers[0]) as link:
        for _ in range(100):
            link.send(*[asked] * 100)
            await link.drain()
        await asyncio.sleep(scene.seconds)


@abuse(
    who=DEVICE,
    what="claims for ever other lists of 1,000 addresses, to learn who exists",
    bound="addresses of one device a second",
    counter=("frames_waited",),
)
async def probe_addresses(scene: Scene) -> None:
    number = 0
    async with flooding(scene, scene.abusers[0]) as link:
        while scene.lasts():
            names = [f"nobody{number + each}@acme.example" for each in range(1_000)]
            number += 1_000
            link.send(f.ClaimKeyPackages(number, names))
            await link.drain()
            await asyncio.sleep(0)


@abuse(
    who=DEVICE,
    what="looks up users who do not exist, 256 a frame (a proof of absence each)",
    bound="work that one device may ask of the directory",
    counter=("frames_waited",),
)
async def look_up_nobody(scene: Scene) -> None:
    names = [f"nobody{each}@acme.example" for each in range(256)]
    await flood(scene, f.LookUp(1, names, 0))


@abuse(
    who=DEVICE,
    what="fetches its own chain again and again",
    bound="work that one device may ask of the directory",
    counter=("frames_waited",),
)
async def fetch_chains(scene: Scene) -> None:
    await flood(scene, *[f.FetchChain(1, scene.abusers[0].address, 0)] * 100)


@abuse(
    who=DEVICE,
    what="fetches the ledger's entries from the first one on, again and again",
    bound="work that one device may ask of the directory",
    counter=("frames_waited",),
)
async def fetch_entries(scene: Scene) -> None:
    await flood(scene, *[f.FetchEntries(1, 0)] * 20)


@abuse(
    who=DEVICE,
    what="asks for proofs between trees of any sizes",
    bound="work that one device may ask of the directory",
    counter=("frames_waited",),
)
async def prove_consistency(scene: Scene) -> None:
    await flood(scene, *[f.ProveConsistency(1, 1, 2)] * 100)


@abuse(
    who=DEVICE,
    what="tells notes of checkpoints that are none",
    bound="frames of one user are served in turn with those of others",
    told=("malformed",),
    counter=("links_cut",),
)
async def tell_checkpoints(scene: Scene) -> None:
    await flood(scene, *[f.TellCheckpoint(os.urandom(3_000))] * 20)


@abuse(
    who=DEVICE,
    what="asks for the trust in force and the newest epochs without end",
    bound="frames of one user are served in turn with those of others",
    counter=("frames_waited",),
)
async def fetch_trust(scene: Scene) -> None:
    asked: list[f.AnyFrame] = [f.FetchTrust(1), f.FetchEpochs(0)]
    await flood(scene, *asked * 50)


@abuse(
    who=DEVICE,
    what="sets aside 1,000 parcels a frame that it never got",
    bound="frames of one user are served in turn with those of others",
    counter=("frames_waited",),
)
async def set_aside(scene: Scene) -> None:
    await flood(scene, f.SetAside(list(range(1, 1_000))), first=f.Resume())


@abuse(
    who=DEVICE,
    what="acknowledges 1,000 parcels a frame that it never got",
    bound="acknowledgements cost one look each; frames of one user are served in turn",
)
async def acknowledge(scene: Scene) -> None:
    await flood(scene, f.Acknowledge(list(range(1, 1_000))), first=f.Resume())


@abuse(
    who=DEVICE,
    what="names ever new fan-out lists of 2,000 devices",
    bound="lists of one device, and lists in all",
    counter=("frames_waited",),
)
async def fanouts(scene: Scene) -> None:
    lists = [fanout_frame(scene.crowd[each : each + 2_000]) for each in range(200)]
    async with flooding(scene, scene.abusers[0]) as link:
        while scene.lasts():
            for each in lists:
                link.send(each)
                await link.drain()
            await asyncio.sleep(0)


@abuse(
    who=DEVICE,
    what="names lists of devices that do not exist",
    bound="unknown devices that one link may name",
    told=("recipient-unknown",),
    counter=("links_cut", "postings_refused"),
)
async def unknown_devices(scene: Scene) -> None:
    async with flooding(scene, scene.abusers[0]) as link:
        while scene.lasts():
            told = fanout_frame([os.urandom(16) for _ in range(5_000)])  # type: ignore[misc]
            link.send(told, f.Send([posting(told.id, b"x")]))
            await link.drain()
            await asyncio.sleep(0)


@abuse(
    who=DEVICE,
    what="posts to fan-out ids that the server does not know, without naming the lists",
    bound="frames of one user are served in turn with those of others",
    counter=("frames_waited",),
)
async def unknown_fanouts(scene: Scene) -> None:
    await flood(scene, f.Send([posting(os.urandom(16), b"x") for _ in range(1_000)]))


@abuse(
    who=DEVICE,
    what="pings without end",
    bound="frames of one user are served in turn with those of others",
    counter=("frames_waited",),
)
async def pings(scene: Scene) -> None:
    await flood(scene, *[f.Ping(each) for each in range(1_000)])


@abuse(
    who=DEVICE,
    what="asks for the orders of random handles without end",
    bound="frames of one user are served in turn with those of others",
    counter=("frames_waited",),
)
async def ask_orders(scene: Scene) -> None:
    asked = f.AskOrders(1, [os.urandom(32) for _ in range(256)])
    await flood(scene, *[asked] * 10)


@abuse(
    who=DEVICE,
    what="replaces its 200 key packages of 4 KiB without end",
    bound="key packages that one device publishes",
)
async def publish_key_packages(scene: Scene) -> None:
    packages = [os.urandom(4_096) for _ in range(200)]
    await flood(scene, f.PublishKeyPackages(packages, None, 0, 0, True))


@abuse(
    who=DEVICE,
    what="submits statements that are none",
    bound="frames of one user are served in turn with those of others",
    counter=("statements_refused",),
)
async def statements(scene: Scene) -> None:
    await flood(scene, *[f.SubmitStatement(1, os.urandom(4_000))] * 10)


@abuse(
    who=DEVICE,
    what="asks for decisions and proposes some, though it is no officer's",
    bound="who is no officer is refused before anything is read",
    counter=("frames_waited",),
)
async def decisions(scene: Scene) -> None:
    asked = f.FetchDecisions(1, 0), f.SubmitDecision(1, os.urandom(8_000), b"")
    await flood(scene, *[each for _ in range(20) for each in asked])


@abuse(
    who=DEVICE,
    what="lists and fetches mail that is not there without end",
    bound="frames of one user are served in turn with those of others",
    counter=("frames_waited",),
)
async def fetch_mail(scene: Scene) -> None:
    asked: list[f.AnyFrame] = [f.ListMail(1, 0), f.FetchMail(1, 1, 0)]
    await flood(scene, *asked * 50)


@abuse(
    who=DEVICE,
    what="opens one pairing after another, and says a word to nobody",
    bound="one pairing a device, and pairings in all",
    counter=("frames_waited",),
)
async def pairings(scene: Scene) -> None:
    opened = [f.OpenPairing(str(each), os.urandom(33)) for each in range(100, 300)]
    await flood(scene, *opened)


@abuse(
    who=DEVICE,
    what="asks for notices, receipts and productions that it has no right to",
    bound="frames of one user are served in turn with those of others",
    counter=("frames_waited",),
)
async def market_frames(scene: Scene) -> None:
    asked = f.TellExit(1, "read", ""), f.FetchReceipt(1), f.FetchProduction(1, "NO-1", 0)
    await flood(scene, *[each for _ in range(20) for each in asked])


@abuse(
    who=DEVICE,
    what="connects, says hello and goes, without end, on four links at a time",
    bound="handshakes of one client, and open links of one device",
    counter=("handshakes_delayed",),
)
async def reconnects(scene: Scene) -> None:

    async def one() -> None:
        while scene.lasts():
            try:
                link = await open_link(scene, scene.abusers[0])
                await link.close()
            except (BlackthornError, TimeoutError):
                scene.told["refused"] += 1
                await asyncio.sleep(0.01)

    await asyncio.gather(*(one() for _ in range(4)))


@abuse(
    who=DEVICE,
    what="says hellos whose signature is of another connection",
    bound="one hello a connection; handshakes of one client",
    told=("hello-refused",),
    counter=("hellos_refused",),
)
async def false_hellos(scene: Scene) -> None:
    while scene.lasts():
        try:
            link = await connect(HOST, scene.ports["link"], Fingerprint(scene.pin))
            link.send(sign_hello(scene.abusers[0].identity, os.urandom(64)))
            heard(scene, await link.receive())
            await link.close()
        except (BlackthornError, TimeoutError) as error:
            scene.told[str(getattr(error, "code", None) or "refused")] += 1


@abuse(
    who=DEVICE,
    what="fills its mailbox with 64 MiB, says Resume and never reads",
    bound="time in which a peer must take what it was sent; unacknowledged bytes",
    counter=("postings_refused", "throttled_bytes"),
)
async def never_reads(scene: Scene) -> None:
    me = scene.abusers[0]
    told = fanout_frame([me.id])
    link = await open_link(scene, me)
    link.send(told)
    for _ in range(64):
        link.send(f.Send([posting(told.id, os.urandom(MIB))]))
    link.send(f.Resume())
    await asyncio.wait_for(link.drain(), scene.seconds)
    link._transport.underlying_transport.pause_reading()
    await asyncio.sleep(scene.seconds)
    link._transport.disconnect(graceful=False)


@abuse(
    who=DEVICE,
    what="sends frames of 8 MiB, one after another",
    bound="bytes of one device on their way to the disk; stored bytes",
    told=("mailbox-full", "SlowDown", "slow-down"),
    counter=("postings_refused", "throttled_bytes"),
)
async def largest_frames(scene: Scene) -> None:
    told = fanout_frame([scene.victims[0].id])
    parts = [
        posting(told.id, os.urandom(4 * MIB - 200)),
        posting(told.id, os.urandom(4 * MIB - 200)),
    ]
    async with flooding(scene, scene.abusers[0]) as link:
        link.send(told)
        await repeat(scene, link, f.Send(parts))


@abuse(
    who=DEVICE,
    what="sends a thousand postings and cuts the connection, again and again",
    bound="frames of a closed connection are not served",
    counter=("postings_refused", "throttled_rows"),
)
async def send_and_cut(scene: Scene) -> None:
    told = fanout_frame([scene.victims[0].id])
    while scene.lasts():
        try:
            link = await open_link(scene, scene.abusers[0])
            link.send(told, *[f.Send([posting(told.id, b"x" * 512) for _ in range(100)])] * 10)
            await asyncio.sleep(0)
            link._transport.disconnect(graceful=False)
        except (BlackthornError, TimeoutError):
            scene.told["refused"] += 1


@abuse(
    who=DEVICE,
    what="sends frames that are none, and connects anew each time",
    bound="the link ends at the first one; handshakes of one client",
    told=("malformed",),
    counter=("links_cut",),
)
async def malformed_frames(scene: Scene) -> None:
    while scene.lasts():
        try:
            link = await open_link(scene, scene.abusers[0])
            link._transport.send(WSMsgType.BINARY, os.urandom(100_000))
            while True:
                heard(scene, await link.receive())
        except (BlackthornError, TimeoutError) as error:
            scene.told[str(getattr(error, "code", None) or "refused")] += 1
