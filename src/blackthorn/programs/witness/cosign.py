"""An auditor cosigns an audited checkpoint, with the key of its own witness's folder."""

import time
from contextlib import closing
from pathlib import Path

from blackthorn.audit.fork_evidence import fork_evidence
from blackthorn.audit.ledger import LedgerAudit
from blackthorn.errors import SecurityError, UserError
from blackthorn.programs.witness.witness import Witness
from blackthorn.storage.files.anchor import Anchor
from blackthorn.storage.files.evidence import EvidenceFolder
from blackthorn.storage.files.witness import WitnessFolder
from blackthorn.tlog.witness import AddCheckpoint, WitnessRefusal, format_add_checkpoint


def cosign(audit: LedgerAudit, path: Path) -> str:
    """The signature line of the witness in `path`, by the rules of all witnesses.

    Raises UserError when it does not know the log or is running, SecurityError when it must not
    sign.
    """
    folder = WitnessFolder(path)
    cosigner = folder.cosigner()
    checkpoint = audit.checkpoint
    with folder.lock(), closing(folder.open_store()) as store:
        if store.log(checkpoint.origin) is None:
            raise UserError(
                f"this auditor does not know the log: `blackthorn witness add-log {path} "
                f"{audit.policy.log}`"
            )
        latest = store.latest(checkpoint.origin)
        old = latest.checkpoint.size if latest is not None else 0
        if old > checkpoint.size:
            raise SecurityError(
                f"this auditor has cosigned {old} entries, and the log shows {checkpoint.size}"
            )
        proof = tuple(audit.log.consistency_proof(old, checkpoint.size))
        request = AddCheckpoint(old, proof, audit.verified.note)
        witness = Witness(
            cosigner,
            store,
            Anchor.open(folder.anchor),
            lambda: int(time.time()),
            EvidenceFolder(folder.evidence, fork_evidence),
        )
        try:
            return witness.add_checkpoint(format_add_checkpoint(request)).decode().rstrip("\n")
        except WitnessRefusal as refusal:
            raise SecurityError(f"the auditor does not cosign: {refusal}") from refusal
