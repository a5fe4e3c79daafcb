"""The numbered rules of identity chains, for `VerificationError`. Numbers are permanent."""

from typing import Final

RULES: Final[dict[str, str]] = {
    # --- Encoding ---
    "I1": "A statement is not larger than its bound.",
    "I2": "A statement is CBOR in its one form: deterministic, without tags, nothing after it.",
    "I3": "A statement is of a version and a kind that are known, and has the fields of its kind.",
    "I4": "The label is a mail address in its one form.",
    "I5": "Hashes and keys have their lengths.",
    "I6": "The id of a device is made of its Ed25519 key.",
    "I7": "A name or reason is not too long, and has no control and no direction character.",
    "I8": "A device is personal or compliance; it names its suites once each, and not too many.",
    "I9": "Numbers and times lie within their bounds.",
    "I10": "A certificate's fingerprint is 40 or 64 small hex digits; its proof is not too long.",
    "I11": "The signatures are not too many, in the order of their signers, one for each.",
    # --- The chain ---
    "I12": "A chain has at least one statement and no more than its bound.",
    "I13": "A chain is of the label that is asked for, and so is each of its statements.",
    "I14": "Statements are numbered from 1 on without a gap.",
    "I15": "A statement holds the hash of the one before it, the first one holds zeros.",
    "I16": "A statement asks for rules that this program knows, and for no older ones than before.",
    "I17": "The first statement, and no other, is a genesis.",
    "I18": "What was accepted of a chain stands in it unchanged.",
    # --- Signatures ---
    "I19": "Both halves of each signature hold.",
    "I20": "A signer for the user is a live personal device of theirs.",
    "I21": "A device that comes signs its coming.",
    "I22": "The enterprise signs each genesis and each reset, and nothing else.",
    "I23": "The recovery key signs nothing but the addition of a device, which says that it does.",
    "I24": "As many devices sign as the statement needs, and no more.",
    # --- Devices ---
    "I25": "A device comes once: neither its id nor its MLS key was in the chain before.",
    "I26": "A user has not more live devices than the bound.",
    "I27": "What is revoked or replaced is a live device.",
    "I28": "The last personal device is not revoked.",
    "I29": "The last good statement of a revoked device is an earlier one.",
    "I30": "A genesis, a reset and the recovery key bring personal devices.",
    "I31": "A device that rotates is personal and stays so; under its old id it keeps its keys.",
    # --- Resets ---
    "I32": "The time at which the ledger logged each reset and each cancel is known.",
    "I33": "The times at which the ledger logged statements do not fall, and do not change.",
    "I34": "While a reset waits, nothing but its cancel follows it.",
    "I35": "The device of a reset signs nothing before the reset is effective.",
    "I36": "A cancel names the reset that waits.",
    "I37": "A cancel was logged before the delay of its reset ended.",
    "I38": "A chain has no more resets and cancels than the ledger proves at once.",
    # --- What is held against a chain ---
    "I39": "The certificate is the one whose digest the chain holds.",
    "I40": "The certificate is the one whose fingerprint the chain holds.",
    "I41": "The certificate has signed that it is this user's.",
    "I42": "A leaf is of a live device of its user's chain.",
    "I43": "The key of a leaf is the MLS key of its device in the chain.",
    "I44": "What a QR code for comparing holds is two addresses and their two hashes.",
    "I45": "What was compared is the same on both sides.",
}
"""Rule → what must hold."""
