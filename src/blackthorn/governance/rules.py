"""The numbered rules of decisions, named by each refusal."""

from typing import Final

RULES: Final[dict[str, str]] = {
    "G1": "A decision is canonical and within its bounds.",
    "G2": "A decision follows the one before it in its case: number and hash.",
    "G3": "An action has the fields of its row in the table, no other, each within its bounds.",
    "G4": "An action starts in a state from which the table allows it.",
    "G5": "An approver is an officer at that time, and both signatures hold.",
    "G6": "Different officers with the required roles approve an action, each once.",
    "G7": "A directive names a few single accounts; one that names none can only be refused.",
    "G8": "The dates of an exit are in order, in the future, with the required notice.",
    "G9": "A step of an exit waits for its date, by the ledger's time and by its approvers' own.",
    "G10": "A revealed decision matches its commitment.",
    "G11": "Two owners found the officers once; at least two owners remain.",
    "G12": "Cases are numbered without a gap, and a market has one open exit at most.",
    "G13": "An exit that is held takes no step until the hold is released.",
    "G14": "A gag has an end, at most a year ahead; it is extended by a decision and no other way.",
    "G15": "A statement of what was never done is true until a stated day, at most 400 days ahead.",
    "G16": "The private part of a decision is the one that it commits to.",
}
"""Rule → what holds."""
