"""The numbered rules of the log, for `VerificationError`. Numbers are permanent.

N: signed notes. T: the log, its checkpoints, policies and proofs. W: between log and witness.
"""

from typing import Final

RULES: Final[dict[str, str]] = {
    # --- Signed notes ---
    "N1": "A note is not larger than its bound.",
    "N2": "A note is UTF-8.",
    "N3": "A note has no control character but newlines.",
    "N4": "The text of a note ends in a newline; an empty line parts it from the signatures.",
    "N5": "A note has signature lines, not too many, and the last one ends in a newline.",
    "N6": "A signature line is a dash, the name of a key and a signature, parted by one space.",
    "N7": "The name of a key is not empty or too long and has no space, plus or control character.",
    "N8": "Base64 stands in its one form.",
    "N9": "A signature follows the four bytes of its key's id.",
    "N10": "A vkey is a name, an id and a key, parted by pluses, and not too long.",
    "N11": "The id of a vkey is that of its name and key.",
    "N12": "An Ed25519 key has 32 bytes.",
    # --- Merkle proofs ---
    "T1": "A hash has 32 bytes.",
    "T2": "The size of a tree lies between 0 and 2**63 - 1.",
    "T3": "The index of an entry is smaller than the size of its tree.",
    "T4": "An inclusion proof has as many hashes as the path of its leaf.",
    "T5": "An inclusion proof leads from the leaf to the root.",
    "T6": "The later of two trees is not smaller.",
    "T7": "The root of a tree without entries is the hash of nothing.",
    "T8": "Two trees of one log and one size have one root.",
    "T9": "A consistency proof has as many hashes as its two sizes ask for.",
    "T10": "A consistency proof leads to the old root and to the new one.",
    # --- Checkpoints ---
    "T11": "A checkpoint is three lines: origin, size, root.",
    "T12": "The size of a checkpoint is a decimal number in its one form.",
    "T13": "The root of a checkpoint is 32 bytes in base64.",
    "T14": "A checkpoint is of the log that is asked for.",
    "T15": "The log signed its checkpoint.",
    "T16": "A key has one line under a note.",
    "T17": "The signature of the log holds.",
    "T18": "A cosignature is a time of at most 2**63 - 1 seconds, and a signature.",
    "T19": "The signature of a known witness holds.",
    # --- Policies ---
    "T20": "A policy is not larger than its bounds.",
    "T21": "A policy has not too many logs, witnesses or groups.",
    "T22": "A policy has no control character but tabs and newlines.",
    "T23": "Each line of a policy is a log, a witness, a group, the quorum, a remark or empty.",
    "T24": "The key of a log is of a log's kind, that of a witness of a witness's.",
    "T25": "No two logs and no two witnesses have one key.",
    "T26": "A name is defined once, and is not the predefined one.",
    "T27": "A name is defined on a line before the one that uses it.",
    "T28": "A name is a member of one group, once.",
    "T29": "A group asks for at least one and at most all of its members.",
    "T30": "A policy has one quorum.",
    "T31": "A policy that is asked for its log names one.",
    "T32": "The witnesses that cosigned a checkpoint are a quorum.",
    # --- Tiles ---
    "T33": "The path of a tile or bundle is written in its one form.",
    "T34": "A tile or bundle is one that a tree of this size has.",
    "T35": "A tile has 32 bytes for each hash of its width.",
    "T36": "A bundle has as many whole entries as its width says, and nothing else.",
    "T37": "An entry is not longer than its length of two bytes can tell.",
    "T38": "The entries of a bundle have the hashes of its tile.",
    # --- Proofs of logging ---
    "T39": "A proof of logging is not larger than its bound.",
    "T40": "A proof of logging starts with the line that names its format.",
    "T41": "A proof of logging is extra data or none, an index, hashes, an empty line, a note.",
    "T42": "Extra data is base64 of at least one byte, and not too much.",
    "T43": "The index in a proof of logging is a decimal number in its one form.",
    "T44": "A proof has at most 63 hashes.",
    # --- Witnesses ---
    "W1": "A request to a witness is not larger than its bound.",
    "W2": "A request to a witness is an old size, hashes, an empty line and a checkpoint.",
    "W3": "The old size is a decimal number in its one form.",
    "W4": "The consistency proof is at most 63 lines, each 32 bytes in base64.",
    "W5": "The checkpoint in a request is well-formed.",
    "W6": "The witness knows the log.",
    "W7": "The log signed the checkpoint, once, and its signature holds.",
    "W8": "The old size is not larger than the checkpoint's.",
    "W9": "The old size is that of the last checkpoint which the witness cosigned.",
    "W10": "A checkpoint of size 0 has the root of a tree without entries.",
    "W11": "There is no consistency proof from size 0.",
    "W12": "A checkpoint of the size that was cosigned has the root that was cosigned.",
    "W13": "The consistency proof leads from the last cosigned root to the new one.",
    "W14": "A witness that is elsewhere answers with its size, and says that it is one.",
    "W15": "A witness that agrees answers with signature lines, not too many.",
    "W16": "One of the lines is the witness's own cosignature of the checkpoint, and holds.",
}
"""Rule → what must hold."""
