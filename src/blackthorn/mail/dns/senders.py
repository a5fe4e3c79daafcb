"""Checks of what tells others that mail is of the domain: SPF, DKIM, DMARC."""

from blackthorn.mail.dns import spf
from blackthorn.mail.dns.facts import Facts, Level, of_version, tags
from blackthorn.mail.dns.setup import DkimKey, Setup

_GONE = {"pct": "remove it; for a test write t=y", "rf": "remove it", "ri": "remove it"}
"""Tags that RFC 9989 has removed, and what to do."""


def check_spf(setup: Setup, facts: Facts) -> None:
    """RFC 7208, of the domain."""
    domain = setup.domain
    records = spf.spf_records(facts, domain)
    mend = f'set {domain}. TXT "v=spf1 mx -all"'
    if not records:
        text = "has no SPF record: others cannot tell who sends for it"
        facts.error("SPF", "spf-missing", domain, text, mend)
        return
    if len(records) > 1:
        text = f"has {len(records)} SPF records: receivers take none of them (4.5)"
        facts.error("SPF", "spf-several", domain, text, "join them into one record")
        return
    found = spf.read(facts, domain, records[0])
    if found.look_ups > spf.MAX_LOOK_UPS:
        text = f"needs {found.look_ups} look-ups or more, and receivers stop after 10 (4.6.4)"
        facts.error("SPF", "spf-too-many", domain, text, "include less, or name addresses by ip4:")
        return
    before = len(facts.findings)
    _check_terms(domain, found, facts)
    addresses = setup.addresses or facts.addresses(setup.host)
    refused = [each for each in addresses if not found.permits(each)]
    if refused and not facts.missing:
        text = f"does not let this server send from {', '.join(refused)}"
        facts.error("SPF", "spf-without-us", domain, text, f"add `mx` or `a:{setup.host}`")
    if len(facts.findings) == before:
        facts.good("SPF", domain, f"lets this server send, and ends with {found.end}")


def _check_terms(domain: str, found: spf.Spf, facts: Facts) -> None:
    if found.unknown:
        text = f"the SPF record is malformed at {found.unknown[0]}: receivers take none of it"
        facts.error("SPF", "spf-malformed", domain, text, "correct the term")
    if found.broken:
        text = f"includes {found.broken[0]}, which has not one SPF record: receivers take nothing"
        facts.error("SPF", "spf-broken-include", domain, text, "remove the include")
    if found.end in ("+all", "?all"):
        text = f"ends with {found.end}: everybody may send in the domain's name"
        facts.error("SPF", "spf-open", domain, text, "end it with -all")
    elif not found.end:
        text = "does not end with -all, and so says nothing of other senders"
        facts.warn("SPF", "spf-open-end", domain, text, "end it with -all")
    if found.uses_ptr:
        text = "uses ptr, which RFC 7208 (5.5) advises against"
        facts.warn("SPF", "spf-ptr", domain, text, "name servers by a: or ip4: instead")


def check_dkim(setup: Setup, facts: Facts) -> None:
    """RFC 6376, 3.6; RFC 8463."""
    signing = [key for key in setup.dkim if not key.retired]
    if not signing:
        text = "this server has no DKIM key, so its mail is not signed"
        facts.add("DKIM", Level.NOTE, "dkim-no-key", setup.domain, text)
    for key in signing:
        _check_key(setup, key, facts)


def _check_key(setup: Setup, key: DkimKey, facts: Facts) -> None:
    name = f"{key.selector}._domainkey.{setup.domain}"
    values = facts.look(name, "TXT").values
    mend = f'set {name}. TXT "{key.record}"'
    if not values:
        if (name, "TXT") not in facts.missing:
            text = "has no record, and mail is signed with this key: signatures fail"
            facts.error("DKIM", "dkim-missing", name, text, mend)
        return
    if len(values) > 1:
        text = "has several records, of which receivers take any (3.6.2.2)"
        facts.error("DKIM", "dkim-several", name, text, "remove all but the right one")
        return
    found = tags(values[0])
    public = "".join(found.get("p", "").split())
    kind = found.get("k", "rsa")
    if found.get("v", "DKIM1") != "DKIM1" or "p" not in found:
        facts.error("DKIM", "dkim-malformed", name, "is no DKIM record", mend)
    elif not public:
        facts.error("DKIM", "dkim-revoked", name, "says that the key is revoked (empty p)", mend)
    elif (kind, public) != (key.kind, key.public):
        text = "holds another key than the one that mail is signed with: signatures fail"
        facts.error("DKIM", "dkim-other-key", name, text, mend)
    elif "y" in found.get("t", "").split(":"):
        text = "says t=y: receivers treat signatures as a test"
        facts.warn("DKIM", "dkim-testing", name, text, "remove t=y")
    else:
        facts.good("DKIM", name, f"holds the {key.kind} key that mail is signed with")


def check_dmarc(setup: Setup, facts: Facts) -> None:
    """RFC 9989: one record, a policy, and reports to somewhere that takes them."""
    name = f"_dmarc.{setup.domain}"
    records = of_version(facts.look(name, "TXT"), "v=DMARC1")
    wanted = f'set {name}. TXT "v=DMARC1; p=quarantine; rua=mailto:{setup.postmaster}"'
    if not records:
        if (name, "TXT") not in facts.missing:
            text = "there is no DMARC record: others may write in the domain's name"
            facts.error("DMARC", "dmarc-missing", name, text, wanted)
        return
    if len(records) > 1:
        text = f"there are {len(records)} DMARC records: receivers take none"
        facts.error("DMARC", "dmarc-several", name, text, "remove all but one")
        return
    found = tags(records[0])
    before = len(facts.findings)
    _check_policy(name, found, facts)
    _check_reports(setup, name, found, facts)
    if len(facts.findings) == before:
        facts.good("DMARC", name, f"asks for {found['p']}")


def _check_policy(name: str, found: dict[str, str], facts: Facts) -> None:
    policies = ("none", "quarantine", "reject")
    for tag in ("p", "sp", "np"):
        if tag in found and found[tag].lower() not in policies:
            text = f"{tag}={found[tag]} is no policy"
            facts.error("DMARC", "dmarc-malformed", name, text, f"write one of {policies}")
    if "p" not in found:
        facts.error("DMARC", "dmarc-malformed", name, "has no p=", "add p=quarantine")
    elif found["p"].lower() == "none":
        text = "p=none: mail that only pretends to be of the domain is delivered"
        mend = "once reports show that your own mail passes, write p=quarantine"
        facts.warn("DMARC", "dmarc-none", name, text, mend)
    for tag, mend in _GONE.items():
        if tag in found:
            text = f"{tag}={found[tag]} is no tag any more (RFC 9989), and receivers differ on it"
            facts.warn("DMARC", f"dmarc-{tag}", name, text, mend)


def _check_reports(setup: Setup, name: str, found: dict[str, str], facts: Facts) -> None:
    for tag in ("rua", "ruf"):
        for uri in filter(None, (part.strip() for part in found.get(tag, "").split(","))):
            scheme, _, address = uri.partition(":")
            target = address.rpartition("@")[2].partition("!")[0].lower()
            if scheme.lower() != "mailto" or not target:
                text = f"{tag}={uri} is no mailto: address"
                facts.error("DMARC", "dmarc-malformed", name, text, "write mailto:ADDRESS")
            elif target != setup.domain and not target.endswith(f".{setup.domain}"):
                _check_permission(setup, name, target, facts)
    if "rua" not in found:
        text = "has no rua: nobody is told of forged mail"
        facts.warn("DMARC", "dmarc-no-reports", name, text, f"add rua=mailto:{setup.postmaster}")


def _check_permission(setup: Setup, name: str, target: str, facts: Facts) -> None:
    """RFC 9990, 4: reports to another domain need that domain's consent."""
    asked = f"{setup.domain}._report._dmarc.{target}"
    consent = of_version(facts.look(asked, "TXT"), "v=DMARC1")
    if not consent and (asked, "TXT") not in facts.missing:
        text = f"reports go to {target}, which does not agree: they are not sent"
        mend = f'have {asked}. TXT "v=DMARC1" set there, or name an address of the domain'
        facts.warn("DMARC", "dmarc-reports-refused", name, text, mend)
