"""Our log before a live aics-witness, and the client of aics-witness before our witness."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from blackthorn.tlog.checkpoint import Checkpoint
from blackthorn.tlog.cosignature import Cosigner, add_lines
from blackthorn.tlog.merkle import MerkleLog
from blackthorn.tlog.policy import Policy, PolicyLog, PolicyWitness
from blackthorn.tlog.verify import VerifiedCheckpoint, verify_checkpoint
from blackthorn.tlog.witness import (
    AddCheckpoint,
    WitnessRefusal,
    format_add_checkpoint,
    format_cosignatures,
    judge,
    parse_add_checkpoint,
    parse_conflict,
    parse_cosignatures,
)
from blackthorn.wire.note import VerifierKey, parse_vkey
from tests.interop.ledger.peers import Peer, Refused, Witness
from tests.support.tlog_world import LOG, ORIGIN, OTHER_LOG, TREE, checkpoint, entries, seed_of

FORK = MerkleLog([b"another", *entries(300)[1:]])


def request(old: int, new: int, tree: MerkleLog = TREE, proof_of: int | None = None) -> bytes:
    """The body with which our log asks; `proof_of` sends the proof from another size."""
    proof = tuple(tree.consistency_proof(old if proof_of is None else proof_of, new))
    return format_add_checkpoint(AddCheckpoint(old, proof, LOG.sign(checkpoint(new, tree))))


def cosigned_by(witness: Witness, old: int, new: int) -> VerifiedCheckpoint:
    """The checkpoint that the witness cosigned, accepted by a policy that asks for it."""
    status, content_type, body = witness.add_checkpoint(request(old, new))
    assert (status, content_type.partition(";")[0]) == (200, "text/plain"), body
    key = parse_vkey(witness.vkey)
    line = parse_cosignatures(body, key, checkpoint(new))
    trust = Policy((PolicyLog(LOG.vkey),), (PolicyWitness("theirs", key),), (), "theirs")
    return verify_checkpoint(add_lines(LOG.sign(checkpoint(new)), [line]), trust)


def test_a_live_witness_cosigns_our_log_as_it_grows(witness: Witness) -> None:
    old = 0
    for size in (1, 2, 100, 255, 256, 300, 300):
        verified = cosigned_by(witness, old, size)
        assert verified.checkpoint == checkpoint(size)
        assert abs(verified.quorum_time - time.time()) < 60
        old = size


def test_a_live_witness_that_was_restarted_goes_on_where_it_was(witness: Witness) -> None:
    cosigned_by(witness, 0, 200)
    witness.stop()
    witness.start()
    status, content_type, body = witness.add_checkpoint(request(0, 300))
    assert (status, parse_conflict(content_type, body)) == (409, 200)
    assert cosigned_by(witness, 200, 300).checkpoint == checkpoint(300)


def test_ours_and_theirs_refuse_with_the_same_status(witness: Witness) -> None:
    """One dialogue with both: the same requests, the same answers."""
    cosigned_by(witness, 0, 200)
    known = (200, TREE.root(200))
    other = OTHER_LOG.sign(Checkpoint(OTHER_LOG.vkey.name, 300, TREE.root()))
    unsigned = LOG.sign(checkpoint()).replace(b"\n300\n", b"\n299\n")
    empty = LOG.sign(Checkpoint(ORIGIN, 0, TREE.root()))
    for status, rule, body in (
        (400, "W2", b"hello"),
        (400, "W3", request(200, 300).replace(b"old 200", b"old 0200")),
        (400, "W4", b"old 200\nAAAA\n\n" + LOG.sign(checkpoint())),
        (400, "W5", b"old 200\n\nhello\n"),
        (404, "W6", b"old 200\n\n" + other),
        (403, "W7", b"old 200\n\n" + unsigned),
        (400, "W8", request(200, 300).replace(b"old 200", b"old 400")),
        (409, "W9", request(100, 300)),
        (409, "W9", request(0, 150)),
        (422, "W12", request(200, 200, FORK)),
        (422, "W13", request(200, 300, FORK)),
        (422, "W13", request(200, 300, proof_of=100)),
        (400, "W8", b"old 200\n\n" + empty),
    ):
        theirs = witness.add_checkpoint(body)
        assert theirs[0] == status, (rule, theirs)
        with pytest.raises(WitnessRefusal) as caught:
            judge(parse_add_checkpoint(body), _known_log(body), known)
        assert (caught.value.status, caught.value.rule) == (status, rule)
        if status == 409:
            assert theirs[1:] == (caught.value.content_type, caught.value.body)
    assert cosigned_by(witness, 200, 300).checkpoint == checkpoint(300)


def test_ours_and_theirs_agree_on_empty_trees(witness: Witness) -> None:
    false = b"old 0\n\n" + LOG.sign(Checkpoint(ORIGIN, 0, TREE.root()))
    proof_from_nothing = request(0, 300).replace(b"old 0\n", b"old 0\n" + b"A" * 43 + b"=\n")
    for rule, body in (("W10", false), ("W11", proof_from_nothing)):
        assert witness.add_checkpoint(body)[0] == 422
        with pytest.raises(WitnessRefusal) as caught:
            judge(parse_add_checkpoint(body), LOG.vkey, None)
        assert (caught.value.status, caught.value.rule) == (422, rule)
    assert cosigned_by(witness, 0, 0).checkpoint.size == 0


def _known_log(body: bytes) -> VerifierKey | None:
    """The key that a witness finds by the origin in a request; for none, any."""
    return LOG.vkey if ORIGIN.encode() in body or b"hello" in body else None


class OurWitness(BaseHTTPRequestHandler):
    """Our side of the protocol behind a socket, one log, its state in memory."""

    cosigner = Cosigner("witness.example/ours", seed_of(50))
    known: tuple[int, bytes] | None = None

    def do_POST(self) -> None:
        """Judges, remembers, then cosigns."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            asked = parse_add_checkpoint(body)
            agreed = judge(asked, LOG.vkey if asked.origin == ORIGIN else None, OurWitness.known)
        except WitnessRefusal as refusal:
            self._answer(refusal.status, refusal.content_type, refusal.body)
            return
        OurWitness.known = (agreed.size, agreed.root)
        lines = format_cosignatures([self.cosigner.cosign(agreed, int(time.time()))])
        self._answer(200, "text/plain; charset=utf-8", lines)

    def _answer(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@contextmanager
def our_witness() -> Iterator[str]:
    """The address of our witness, which knows no checkpoint yet."""
    OurWitness.known = None
    server = HTTPServer(("127.0.0.1", 0), OurWitness)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def submit(peer: Peer, url: str, old: int, new: int, tree: MerkleLog = TREE) -> list[str]:
    """Their client has our witness cosign; it may be told that the witness is elsewhere."""
    proofs = {
        size: [digest.hex() for digest in tree.consistency_proof(size, new)]
        for size in range(new + 1)
    }
    reply = peer.ask(
        "submit",
        url=url,
        note=LOG.sign(checkpoint(new, tree)).hex(),
        vkey=str(OurWitness.cosigner.vkey),
        proofs=proofs,
        old=old,
    )
    lines: list[str] = reply["lines"].splitlines()
    return lines


def test_their_client_takes_the_cosignatures_of_our_witness(peer: Peer) -> None:
    trust = Policy(
        (PolicyLog(LOG.vkey),), (PolicyWitness("ours", OurWitness.cosigner.vkey),), (), "ours"
    )
    with our_witness() as url:
        for old, new in ((0, 1), (1, 100), (100, 300), (300, 300)):
            note = add_lines(LOG.sign(checkpoint(new)), submit(peer, url, old, new))
            assert verify_checkpoint(note, trust).checkpoint == checkpoint(new)


def test_their_client_learns_the_size_of_our_witness(peer: Peer) -> None:
    with our_witness() as url:
        submit(peer, url, 0, 200)
        submit(peer, url, 0, 300)
        assert OurWitness.known == (300, TREE.root())


def test_their_client_is_refused_a_fork(peer: Peer) -> None:
    with our_witness() as url:
        submit(peer, url, 0, 200)
        for new in (200, 300):
            with pytest.raises(Refused, match="422"):
                submit(peer, url, 200, new, FORK)
        assert OurWitness.known == (200, TREE.root(200))
