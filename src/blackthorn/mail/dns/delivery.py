"""Checks of the way to the server: MX, its name and addresses, reverse names, TLSA."""

from ipaddress import ip_address

from blackthorn.mail.dns.facts import Facts, Level
from blackthorn.mail.dns.setup import Setup


def check_mx(setup: Setup, facts: Facts) -> None:
    """RFC 5321, 5.1; RFC 7505."""
    domain, host = setup.domain, setup.host
    found = [value.split() for value in facts.look(domain, "MX").values]
    hosts = [words[-1] for words in found if len(words) == 2]
    mend = f"set {domain}. MX 10 {host}."
    if not found:
        facts.error("MX", "mx-missing", domain, "has no MX record: mail goes astray", mend)
        return
    if any(len(words) == 1 for words in found):
        text = "the MX record says that the domain takes no mail at all"
        facts.error("MX", "mx-null", domain, text, mend)
        return
    for each in hosts:
        _check_target(setup, facts, each)
    if host not in hosts:
        text = f"mail goes to {', '.join(hosts)}, not to this server"
        facts.error("MX", "mx-elsewhere", domain, text, f"{mend}, or correct tls.host_name")
    elif len(hosts) > 1:
        others = ", ".join(each for each in hosts if each != host)
        text = f"mail goes to {others} too, which reads what it takes"
        mend = "remove it, unless it is a server of this domain"
        facts.warn("MX", "mx-others", domain, text, mend)
    else:
        facts.good("MX", domain, f"mail comes to {host}")


def _check_target(setup: Setup, facts: Facts, host: str) -> None:
    alias = facts.look(host, "CNAME").values
    if alias:
        text = f"is an alias of {alias[0]}; an MX record must name a host itself (RFC 2181, 10.3)"
        mend = f"set addresses of {host} in place of its CNAME record"
        facts.error("MX", "mx-alias", host, text, mend)
    elif host != setup.host and not facts.addresses(host):
        text = "has no address, and an MX record names it"
        facts.error("MX", "mx-no-address", host, text, "set its A record, or remove the MX record")


def check_host(setup: Setup, facts: Facts) -> None:
    """That the server's name leads to it."""
    host = setup.host
    found = facts.addresses(host)
    if not found:
        if not facts.missing:
            mend = f"set {host}. A, with the server's public address"
            facts.error("host", "host-no-address", host, "has no address", mend)
        return
    odd = [each for each in found if not ip_address(each).is_global and not setup.addresses]
    missing = set(map(ip_address, setup.addresses)) - set(map(ip_address, found))
    if missing:
        text = f"leads to {', '.join(found)}, and not to {', '.join(map(str, sorted(missing)))}"
        facts.error("host", "host-elsewhere", host, text, "correct its A and AAAA records")
    elif odd:
        text = f"has the address {', '.join(odd)}, which the Internet does not reach"
        facts.warn("host", "host-not-public", host, text, "set the public address")
    else:
        facts.good("host", host, f"has the address {', '.join(found)}")


def check_reverse(setup: Setup, facts: Facts) -> None:
    """The name of each address (RFC 5321 does not ask for it, and large receivers do)."""
    for address in facts.addresses(setup.host):
        _check_reverse(setup.host, address, facts)


def _check_reverse(host: str, address: str, facts: Facts) -> None:
    name = ip_address(address).reverse_pointer
    names = facts.look(name, "PTR").values
    if host in names:
        facts.good("PTR", address, f"is called {host}")
    elif (name, "PTR") not in facts.missing:
        text = f"is called {names[0]}" if names else "has no name"
        text += f", not {host}: many receivers refuse mail from it"
        mend = f"ask the owner of the address, usually the hoster, for the PTR record {host}"
        facts.warn("PTR", "reverse-differs", address, text, mend)


def check_tlsa(setup: Setup, facts: Facts) -> None:
    """RFC 7672: a record that does not fit stops mail from senders that check it."""
    name = f"_25._tcp.{setup.host}"
    found = facts.look(name, "TLSA").values
    if not found:
        text = "no TLSA record: fine, unless the zone is signed by DNSSEC"
        facts.add("TLSA", Level.NOTE, "tlsa-missing", name, text)
        return
    ours = f"3 1 1 {setup.key_hash}"
    if not setup.key_hash or ours not in (value.lower() for value in found):
        text = "names another key than the certificate's: senders that check it deliver nothing"
        mend = f"set {name}. TLSA {ours}, or remove the record"
        facts.error("TLSA", "tlsa-other-key", name, text, mend)
    else:
        facts.good("TLSA", name, "names the certificate's key")
