"""Texts for people outside: the README of a package, the reasoned letter of a refusal.

Plain words, nothing invented: each text is a function of what the register holds, so that the
letter whose hash the ledger shows can be made again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from textwrap import fill
from typing import Final

from blackthorn.governance import directives
from blackthorn.governance.package import layout

_README: Final = """PRODUCTION PACKAGE OF DIRECTIVE {directive}

What is here
============
What the server holds of the accounts named in this directive, within the categories that it asks
for, and nothing else.

Accounts named:
{accounts}

Categories asked for:
{categories}

Below data/ each account has a folder. The .json files can be read by anyone; their tables and
columns are those of "What the server holds", which the project publishes. Numbers that end in
_ms are milliseconds since 1 January 1970, UTC; bytes are in base64. An account without a folder
does not exist on this server, or the server holds nothing of it in these categories:
provenance.json says which.

Every file that ends in .sealed is ciphertext only; the server holds no key to it. Messages and
mail are sealed on the devices of the people who write, or on arrival, to keys whose secret
halves only the recipient's devices hold. The server keeps them in one layer more, of the key of
the account's market; that layer has been taken off, so that it stands in nobody's way.

What is not here, and why
=========================
- The text of any message or mail in readable form, subjects, and who wrote a waiting parcel:
  the server does not have them and has no means to get them.
- Keys that open these bytes: the server never had them.
- Addresses on the Internet, times of use, lists of contacts, memberships in conversations: they
  are not stored.
- Items that the published list marks as not producible: row numbers, what proves an open
  activation code, and the salt that hides an account in the public ledger. None of them opens
  anything.
- Accounts that the directive does not name, even where they wrote to those that it names.
- Categories that the directive does not ask for, and mail from outside its period. Only mail
  has a time here; the other categories are given as they stood when the package was made.
- Mail and parcels that a device had already fetched and removed: they are gone from the server.

How to check it
===============
Without any program of ours: python3 verify.py recomputes all hashes and the custody log.
With it: blackthorn audit package FOLDER --register KEY --policy FILE also checks the register's
signature and that the public ledger shows the decision to produce just this package. Take KEY
and FILE from where you trust them; those enclosed in proof/ only show that the package agrees
with itself.
"""


def readme(directive: str, accounts: Sequence[str], categories: Sequence[str]) -> str:
    """README.txt of the package of `directive`."""
    asked = [name for name in layout.CATEGORIES if name in categories]
    return _README.format(
        directive=directive,
        accounts="\n".join(f"- {address}" for address in sorted(set(accounts))),
        categories="\n".join(
            fill(f"- {name}: {layout.QUERIES[name]}", 96, subsequent_indent="  ") for name in asked
        ),
    )


@dataclass(frozen=True, slots=True)
class Refusal:
    """The content of a letter of refusal, from the register. `received_ms` is Unix milliseconds.

    `domain` is the enterprise's; `reason` is one of `directives.REASONS`.
    """

    directive: str
    domain: str
    authority: str
    basis: str
    received_ms: int
    reason: str


_LETTER: Final = """Reference: directive {directive}

To: {authority}

{subject}

{opening}

{reason}

{instead}

{openness}

The officers of {domain}
"""

_OPENING: Final = (
    "Thank you for your demand, which we have registered under the reference above. Two people "
    "have decided on it. We have to refuse it, for the reason that follows."
)
_OPENNESS: Final = (
    "This refusal is published: our public ledger shows the authority, the legal basis and the "
    "reason, and our transparency report counts it, at once or as soon as the law allows. The "
    "names of accounts and of persons are not published. You may answer this letter, or bring "
    "the matter before a court; we shall register what comes of it under the same reference."
)
_GROUNDS: Final[dict[str, str]] = {
    directives.NO_CAPABILITY: (
        "Your demand asks for a technical capability: access to the communication of people who "
        "are not named one by one, or a means of reading what is sealed. There is no such "
        "capability. Messages and mail are sealed on the devices of those who write them, or on "
        "arrival, to keys whose secret halves only the recipients' devices hold. The server "
        "holds no key that opens them, and its program has no switch, setting or command that "
        "could make it hold one. Such a means could not be built for one case without taking "
        "the protection from every person who relies on this service. Our refusal is therefore "
        "not a matter of willingness: what you ask for does not exist."
    ),
    "not-genuine": (
        "We could not confirm, by a contact that we found independently of the demand, that it "
        "comes from the authority named in it. The address from which a demand is sent, and the "
        "form in which it is written, do not prove its origin."
    ),
    "not-lawful": (
        "Our legal review has found no legal basis on which this demand binds us, or has found "
        "that it was not made by the body, in the form or in the way that the law on which it "
        "relies prescribes."
    ),
    "disproportionate": (
        "Our legal review has found that the demand goes beyond what the purpose stated in it "
        "can require: in the accounts named, in the kinds of data, or in the period."
    ),
    "no-such-account": (
        "No account named in your demand exists on this server. There is nothing that we could "
        "produce, and nothing is being withheld."
    ),
    "closed-market": (
        "The accounts named in your demand belonged to a country in which we have ended our "
        "service. What was stored for them has been destroyed, and our public closure statement "
        "for that country proves it. There is nothing that we could produce, and nothing is "
        "being withheld."
    ),
}
_NAMED: Final = (
    "What you can ask for: by a lawful order in a criminal investigation, the data that this "
    "server holds of accounts which the order names one by one. They are facts of the account, "
    'its public keys, and sealed bytes that we cannot read; our published list "What the server '
    'holds" names every item. Such orders are answered, urgent ones first.'
)
_AGAIN: Final[dict[str, str]] = {
    "not-genuine": (
        "If the demand is yours, please let us reach you by the official contact that you "
        "publish. We shall then take it up without delay."
    ),
    "no-such-account": (
        "Should an address have been misspelt, please send a new demand that names the account "
        "exactly."
    ),
    "closed-market": (
        "Orders that name accounts of other countries, one by one, are answered as before."
    ),
}
_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June", "July", "August"),
    *("September", "October", "November", "December"),
)


def refusal_letter(refusal: Refusal) -> str:
    """The letter that answers a refused directive, in lines of at most 80 letters.

    The same facts give the same text. Raises KeyError for a reason that is not in the list.
    """
    day = datetime.fromtimestamp(refusal.received_ms / 1000, UTC)
    date = f"{day.day} {_MONTHS[day.month - 1]} {day.year}"
    return _LETTER.format(
        directive=refusal.directive,
        authority=refusal.authority,
        subject=fill(f"Your demand received on {date}, based on: {refusal.basis}", 80),
        opening=fill(_OPENING, 80),
        reason=fill(_GROUNDS[refusal.reason], 80),
        instead=fill(_AGAIN.get(refusal.reason, _NAMED), 80),
        openness=fill(_OPENNESS, 80),
        domain=refusal.domain,
    )
