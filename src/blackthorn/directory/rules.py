"""The numbered rules of the directory; a `VerificationError` names the broken one.

A number names its rule for good: new rules take new numbers.
"""

from typing import Final

RULES: Final[dict[str, str]] = {
    "D1": "An entry is of a known type and not larger than its bound.",
    "D2": "An entry has exactly the bytes of its type.",
    "D3": "The configuration is a map of its fields, each of its type and within its bounds.",
    "D4": "A typed entry is of a known kind and version and has the fields of its schema.",
    "D5": "A value is a head, a sequence number and known flags, 37 bytes.",
    "D6": "A proof in the map has the one encoding of its kind, depth and siblings.",
    "D7": "The other leaf in a proof of absence shares the path, and is not the one asked for.",
    "D8": "A proof in the map leads to its root.",
    "D9": "The newest epoch ends in a head, which is the last leaf of its checkpoint.",
    "D10": "A checkpoint is not smaller than the one accepted before.",
    "D11": "A checkpoint continues the one accepted before.",
    "D12": "Epochs and their times rise, but for a fall that a replay of the log has found (D41).",
    "D13": "The head is of the configuration that is trusted.",
    "D14": "The newest checkpoint was cosigned recently enough.",
    "D15": "The origin of a checkpoint is that of the configuration.",
    "D16": "An answer is for the user who was asked for.",
    "D17": "The VRF proof gives the user's place in the map.",
    "D18": "An answer says either a value, its version and its opening, or none of them.",
    "D19": "A receipt's entry is a mutation of the user, of the version and value that it claims.",
    "D20": "A receipt's head is that of the mutation's epoch and stands behind it.",
    "D21": "A receipt's entries are in the log.",
    "D22": "A gossiped checkpoint is a size and a root, 40 bytes.",
    "D36": "A user in the map stays, and their entry goes back to no earlier state.",
    "D37": "A user's entry changes no more often than their chain grows.",
    "D38": "The time of a head is not ahead of those who cosigned it.",
    "D39": "A receipt's head has the epoch and the time of its place among known checkpoints.",
    "D40": "A receipt's entry stands behind each checkpoint whose map did not have its version.",
    "D41": "By an entry of two officers the time falls once, in the head of its epoch: not below "
    "what it was before the fault, a step of over an hour, at most a week of heads ago.",
    "D23": "The first entry of a log is its configuration.",
    "D24": "Epochs rise by one, and each entry is of the epoch under way.",
    "D25": "The time of a head is later than that of the head before, but for one fall (D41).",
    "D26": "The version of a user's entry is one more than before, 1 for a new one.",
    "D27": "A head counts the mutations of its epoch.",
    "D28": "A head counts the users.",
    "D29": "The root of the map in a head is that which its mutations make.",
    "D30": "The configuration in a head is the newest logged one.",
    "D31": "A new configuration keeps log, domain and keys, and lowers neither rules nor delay.",
    "D32": "A checkpoint is of the entries that were replayed, and the last of them is a head.",
    "D33": "The saved state of a replay is whole.",
    "D34": "A file of evidence is of a known kind and has its fields.",
    "D35": "The evidence shows what it claims.",
}
"""Rule number → rule."""
