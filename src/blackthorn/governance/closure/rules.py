"""The numbered rules of a closure's statement, named by each refusal."""

from typing import Final

RULES: Final[dict[str, str]] = {
    "C1": "A statement is one canonical JSON document with its fields, within bounds.",
    "C2": "Its signature is a note over this exit and the hash of this statement.",
    "C3": "The signature is by the register's key, and holds.",
    "C4": "The tree has a leaf for each person who is counted, and no other.",
    "C5": "The root is that of the leaves listed.",
    "C6": "No count of persons is larger than their number, and nobody is held.",
    "C7": "Each sample has the hash that is stated.",
    "C8": "The destroyed key was not tried, and no remaining key opened a sample.",
    "C9": "The key that was destroyed is the market's, after the receipts were made.",
    "C10": "The ledger shows an exit of this name and market, and that it is closed.",
    "C11": "Counts, root and key are those that the custodians decided to destroy by.",
    "C12": "What was deleted and the samples are what the custodians closed the market by.",
    "C13": "The statement is the one whose hash stands in the ledger.",
    "C14": "The end of the backups is the date that was decided.",
    "C15": "A receipt is canonical, with its fields.",
    "C16": "A receipt is of the exit that the statement is of.",
    "C17": "A receipt's hash stands in the tree, at its place.",
    "C18": "A receipt is of this person: salt and address give the name in it.",
}
"""Rule → what holds."""
