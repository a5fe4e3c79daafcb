"""The numbered rules of a production package, named by each refusal."""

from typing import Final

RULES: Final[dict[str, str]] = {
    "P1": "A package is a tar file of whole blocks that ends where it says, or a folder.",
    "P2": "A name in it is relative, short and plain, and leads nowhere else.",
    "P3": "It holds files and folders, no link and nothing else.",
    "P4": "No name comes twice, not even in other letters' case.",
    "P5": "Its files and bytes are within their bounds.",
    "P6": "It says that it is a bag of BagIt 1.0 in UTF-8.",
    "P7": "A manifest has a hash, two spaces and a name on each line, each name once.",
    "P8": "The payload is just what the manifest lists.",
    "P9": "Each payload file has the hash in the manifest.",
    "P10": "The tag manifest lists just the tag files there must be, and each has its hash.",
    "P11": "Nothing lies beside the payload but the files that a package has.",
    "P12": "The bag's description says how many files and bytes the payload has.",
    "P13": "The provenance has its fields, and is of this payload.",
    "P14": "Each line of the custody log has the hash of the line before, to the last.",
    "P15": "A finished package has its signature and all files of the ledger's proof.",
    "P16": "The signed text is that of this directive and this tag manifest.",
    "P17": "The signature is by the register's key, and holds.",
    "P18": "The ledger's entry is a directive's decision that names this tag manifest.",
}
"""Rule → what holds."""
