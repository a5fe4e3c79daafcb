"""The two demands of the replay: one for all traffic, refused, and one answered.

The authority's package is opened with its key and verified offline.
"""

import asyncio
import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from blackthorn.audit.package import check_package
from blackthorn.crypto.openpgp_open import generate_user_key, unseal
from blackthorn.demo.replay_2015.officers import Officers
from blackthorn.demo.replay_2015.world import DOMAIN, World
from blackthorn.errors import SecurityError
from blackthorn.governance import directives, transitions
from blackthorn.governance.directive_requests import letter
from blackthorn.governance.package.build import register_key
from blackthorn.programs.server import closure, production
from blackthorn.programs.server.package_maker import decision_proof, production_case

AUTHORITY: Final = "Telecommunication Authority"
POLICE: Final = "Federal Investigation Agency"
_BASIS: Final = "Code of Criminal Procedure, section 94"


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to the authority: named accounts and files of the package."""

    directive: str
    named: int
    files: int
    sealed: int


def facts(world: World, kind: str, authority: str, document: bytes, accounts: int) -> Any:
    named = kind != directives.TECHNICAL
    return {
        "kind": kind,
        "country": "PK",
        "authority": authority,
        "basis": _BASIS if named else "Telecommunication (Re-organization) Act, section 54",
        "process": "court order" if named else "letter",
        "channel": "courier",
        "received_ms": world.clock.now_ms,
        "accounts": accounts,
        "unknown": 0,
        "categories": list(directives.CATEGORIES) if named else [],
        "from_ms": 0,
        "to_ms": 0,
        "document": hashlib.sha256(document).digest(),
        "gag_until_ms": 0,
    }


def refuse_monitoring(world: World, officers: Officers, out: Path) -> transitions.Case:
    """Two officers refuse a demand for all traffic; the letter is written to `out`."""
    name = world.decisions.cases.next_directive()
    public = facts(world, directives.TECHNICAL, AUTHORITY, b"Monitor all traffic.", 0)
    private = {"accounts": [], "case_number": "1", "signatory": "", "contact": "by letter"}
    case = officers.decide(name, "receive", public, private)
    text = letter(case, directives.NO_CAPABILITY, DOMAIN)
    out.write_bytes(text)
    refusal = {"reason": directives.NO_CAPABILITY, "letter": hashlib.sha256(text).digest()}
    return officers.decide(name, "refuse", refusal)


def answer_investigation(
    world: World, officers: Officers, accounts: list[str], folder: Path
) -> Answer:
    """Answer a criminal case with two named accounts: make and deliver the package."""
    name = world.decisions.cases.next_directive()
    public = facts(world, "production", POLICE, b"Two accounts.", len(accounts))
    private = {"accounts": accounts, "case_number": "7", "signatory": "a judge", "contact": "desk"}
    officers.decide(name, "receive", public, private)
    private = {"contact": "the court's registry", "source": "the court's printed directory"}
    officers.decide(name, "verify", {"method": "call-back", "result": "genuine"}, private)
    assessed = {"decision": "comply", "grounds": "A court's order, two accounts, one offence."}
    officers.decide(name, "assess", {**assessed, "deadline_ms": 0})
    case = officers.decide(name, "approve", {"categories": public["categories"]})
    return _produce(world, officers, case, folder)


def _produce(world: World, officers: Officers, case: transitions.Case, folder: Path) -> Answer:
    path = folder / f"{case.id}.tar"
    made_for = production_case(case, world.decisions)
    with production.frozen_rows(world.directory.database, world.wrapping) as rows:
        built = production.produce(made_for, rows, path)
    secret, certificate = generate_user_key("registry@authority.example")
    produced = {
        "manifest": built.manifest_hash,
        "items": built.items,
        "accounts_with_data": built.accounts_with_data,
        "recipient": hashlib.sha256(certificate).digest(),
    }
    case = officers.decide(case.id, "produce", produced)
    origin, seed = world.keys.origin, closure.register_seed(world.keys)
    proof = asyncio.run(decision_proof(world.ledger, world.decisions.produced(case.id)))
    production.finish(made_for, path, origin, seed, proof)
    sealed = production.seal_package(path, certificate, world.clock.now_ms // 1000)
    body = base64.encodebytes(sealed.read_bytes())
    armored = b"-----BEGIN PGP MESSAGE-----\n\n" + body + b"-----END PGP MESSAGE-----\n"
    if unseal(armored, secret) != path.read_bytes():
        raise SecurityError("the authority opens another package than was made")
    vkey, policy = str(register_key(origin, seed)), world.directory.ledger.policy
    checked = check_package(path, vkey, policy)
    path.unlink()  # the authority alone can open what is left
    receipt = hashlib.sha256(sealed.read_bytes()).digest()
    delivered = {"delivered_ms": world.clock.now_ms, "receipt": receipt}
    officers.decide(case.id, "deliver", delivered)
    return Answer(case.id, directives.facts(case)["accounts"], checked.files, checked.sealed)
