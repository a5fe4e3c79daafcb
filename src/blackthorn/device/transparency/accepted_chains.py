"""Verify and store the identity chains that the ledger commits to, or raise an alarm."""

import msgspec

from blackthorn.crypto.openpgp_seal import CertificateError
from blackthorn.device.core import anchors, verified_chains
from blackthorn.device.core.unit_of_work import UnitOfWork
from blackthorn.device.transparency import disputes, ledger_state
from blackthorn.device.transparency.alarms import Fields, evidence_of, raise_alarm
from blackthorn.directory import verify
from blackthorn.errors import VerificationError
from blackthorn.identity.chain import UnverifiedChain, VerifiedChain, extend, replay
from blackthorn.identity.openpgp import OpenPGP, is_ahead, verify_certificate
from blackthorn.link import frames as f
from blackthorn.ports.device_store import ChainRecord


class OvertakenError(VerificationError):
    """An invalid chain was sent as of another epoch than the answer."""


class ReceiptError(VerificationError):
    """The receipt of a reset or a cancel is invalid."""

    def __init__(self, rule: str, text: str, receipt: f.Receipt) -> None:
        super().__init__(rule, text)
        self.receipt = receipt


def accept_chain(
    unit: UnitOfWork,
    found: verify.Present,
    answer: f.Answer,
    part: f.ChainPart,
    latest: ledger_state.AcceptedEpoch,
) -> VerifiedChain:
    """Verify and store the chain. `part` has the statements that were not known.

    Raises VerificationError after raising the alarm; or OvertakenError, without an alarm, when the
    part is of another epoch than the answer.
    """
    known = unit.records.directory.chain(answer.address)
    before, value = unit.chains.of(answer.address), found.value
    try:
        logged = _logged(unit, part, latest.epoch)
        as_of_ms = max(latest.epoch.time_ms, known.as_of_ms if known is not None else 0)
        chain = _verified(unit.chains, before, part, as_of_ms, logged)
        if (chain.head, chain.seq, chain.flags) != (value.head, value.seq, value.flags):
            raise VerificationError("I18", "the chain is not the one that the ledger commits to")
    except VerificationError as error:
        if part.size != latest.epoch.accepted.size:
            raise OvertakenError(
                error.rule, f"the chain is of another epoch: {error.text}"
            ) from error
        kept = before.statements if before is not None else ()
        fields = ledger_state.answer_fields(answer) | {"statements": [*kept, *part.statements]}
        if isinstance(error, ReceiptError):
            fields = {"label": answer.address} | receipt_fields(error.receipt)
        _alarm_chain(unit, error, answer, latest.fields() | fields, before)
        raise
    certificate = known.certificate if known is not None else b""
    record = ChainRecord(
        answer.address,
        found.version,
        chain.head,
        chain.seq,
        chain.flags,
        msgspec.msgpack.encode(chain.statements),
        msgspec.msgpack.encode(logged),
        _certificate(unit, chain, chain.openpgp, part.certificate, certificate),
        unit.now_ms,
        known.verified_ms if known is not None else 0,
        checked_size=latest.epoch.accepted.size,
        as_of_ms=as_of_ms,
        place=found.index[: ledger_state.PLACE_BYTES],
        asked=max(latest.moment, known.asked if known is not None else 0),
        compatible=_compatible(unit, chain, part.compatible, known),
    )
    ledger_state.keep_chain(unit, before, chain, record)
    ledger_state.looked_up(unit, chain)
    return chain


def _alarm_chain(
    unit: UnitOfWork,
    error: VerificationError,
    answer: f.Answer,
    fields: Fields,
    before: VerifiedChain | None,
) -> None:
    kind = "bad-receipt" if isinstance(error, ReceiptError) else "bad-chain"
    evidence = evidence_of(unit.records, kind, fields)
    code, text = "bad-chain", str(error)
    if answer.address == unit.me.address:
        code = "unknown-statement"
        known = f"this device knows {before.seq} of yours" if before else "none is known here"
        count = verify.decode_value(answer.value).seq
        text = (
            f"the ledger has {count} statements of yours, in version {answer.version} of your "
            f"entry; {known}, and the new ones are not valid: {error}"
        )
    fact = f"{error.rule} {answer.version}"
    raise_alarm(unit.records, code, answer.address, text, unit.now_ms, evidence, fact=fact)


def _verified(
    chains: verified_chains.Chains,
    before: VerifiedChain | None,
    part: f.ChainPart,
    now_ms: int,
    logged: dict[int, int],
) -> VerifiedChain:
    terms = chains.terms(now_ms, logged)
    if before is not None:
        return extend(before, part.statements, terms)
    return replay(UnverifiedChain(part.address, tuple(part.statements)), terms)


def _logged(unit: UnitOfWork, part: f.ChainPart, epoch: verify.VerifiedEpoch) -> dict[int, int]:
    """Sequence number → time of each logged reset or cancel, verified by receipts."""
    config = anchors.pinned(unit.records.settings).config
    known = unit.records.directory.chain(part.address)
    logged = verified_chains.logged_of(known) if known is not None and known.present else {}
    seen, falls = _seen(unit, known), disputes.falls(unit.records.settings)
    for proof in part.receipts:
        receipt = verify.Receipt(**msgspec.structs.asdict(proof))
        try:
            seq, moment = verify.verify_receipt(receipt, part.address, epoch, config, seen, falls)
        except VerificationError as error:
            raise ReceiptError(error.rule, error.text, proof) from error
        logged[seq] = moment
    return logged


def receipt_fields(receipt: f.Receipt) -> Fields:
    return {
        f"logged_{name}" if name.startswith("head") else name: value
        for name, value in msgspec.structs.asdict(receipt).items()
    }


def _seen(unit: UnitOfWork, known: ChainRecord | None) -> list[verify.Observation]:
    """The map's entry at the user's last lookup, if its checkpoint is still stored."""
    if known is None:
        return []
    checked = ledger_state.accepted_of(unit.records.directory.checkpoint(known.checked_size))
    return [verify.Observation(checked, known.version)] if checked is not None else []


def _compatible(
    unit: UnitOfWork, chain: VerifiedChain, offered: bytes, known: ChainRecord | None
) -> bytes:
    """The certificate for other programs, by which the user's mail may be signed."""
    stated = chain.compatible
    if stated is None:
        return b""
    kept = known.compatible if known is not None else b""
    return _certificate(unit, chain, stated.stated, offered, kept)


def _certificate(
    unit: UnitOfWork, chain: VerifiedChain, stated: OpenPGP | None, offered: bytes, kept: bytes
) -> bytes:
    """The user's certificate, if it is the stated one and mail can be sealed to it."""
    if stated is None:
        return b""
    for certificate in (offered, kept):
        if not certificate:
            continue
        try:
            verify_certificate(stated, certificate).check_sealing()
            return certificate
        except CertificateError:
            return b""  # it is what they stated, and of no use: nothing to raise an alarm for
        except VerificationError as error:
            judged = error.rule == "I39" or not is_ahead(certificate, unit.now_ms // 1000)
            if certificate is offered and judged:
                text = f"the server's mail certificate is another than the stated one: {error}"
                records, fact = unit.records, str(stated.seq)
                raise_alarm(records, "false-certificate", chain.label, text, unit.now_ms, fact=fact)
    return b""
