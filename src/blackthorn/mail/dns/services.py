"""Checks of where programs look for keys and settings: WKD, SRV, autoconfig."""

from blackthorn.mail.dns.facts import Facts, Level
from blackthorn.mail.dns.setup import Setup


def _leads_here(setup: Setup, facts: Facts, name: str) -> bool:
    ours = set(setup.addresses or facts.addresses(setup.host))
    found = set(facts.addresses(name))
    return bool(ours) and bool(found) and found <= ours


def check_wkd(setup: Setup, facts: Facts) -> None:
    """draft-koch-openpgp-webkey-service, 3.1: the sub-domain alone counts once it exists."""
    name = setup.wkd_host
    if not facts.addresses(name):
        if not facts.missing:
            mend = f"set {name}. CNAME {setup.host}."
            text = "does not exist: others find no certificates of the domain's users"
            facts.warn("WKD", "wkd-missing", name, text, mend)
    elif not _leads_here(setup, facts, name):
        text = "leads to another server: its answers count as the keys of your users"
        facts.error("WKD", "wkd-elsewhere", name, text, f"set {name}. CNAME {setup.host}.")
    elif setup.trusted and name not in setup.names:
        text = "leads here, and the certificate does not name it: programs refuse it"
        facts.warn("WKD", "wkd-not-named", name, text, f"add {name} to tls.other_names")
    else:
        facts.good("WKD", name, "leads to this server")


def check_srv(setup: Setup, facts: Facts) -> None:
    """RFC 6186 and 8314: services that are offered, and those that are not."""
    offered = dict(setup.submission)
    for service in ("submission", "submissions", "imap", "imaps"):
        name = f"_{service}._tcp.{setup.domain}"
        values = facts.look(name, "SRV").values
        port = offered.get(service)
        wanted = f"0 1 {port} {setup.host}." if port else "0 0 0 ."
        mend = f"set {name}. SRV {wanted}"
        rows = [value.split() for value in values]
        places = [(row[2], row[3]) for row in rows if len(row) == 4 and row[3] != "."]
        others = [(at, host) for at, host in places if (at, host) != (str(port), setup.host)]
        if not values:
            if port and (name, "SRV") not in facts.missing:
                text = "has no record: mail programs guess"
                facts.add("SRV", Level.NOTE, "srv-missing", name, text, mend)
        elif others:
            text = f"sends mail programs to {others[0][1]}:{others[0][0]}, with their passwords"
            facts.error("SRV", "srv-elsewhere", name, text, mend)
        elif port and not places:
            text = "says that the service is not offered, and it is"
            facts.warn("SRV", "srv-denied", name, text, mend)
        else:
            facts.good("SRV", name, "is right")


def check_autoconfig(setup: Setup, facts: Facts) -> None:
    """The names that Thunderbird and Outlook ask for settings."""
    for label in ("autoconfig", "autodiscover"):
        name = f"{label}.{setup.domain}"
        if not facts.addresses(name):
            continue
        if not _leads_here(setup, facts, name):
            text = "sends mail programs to another server, with their passwords"
            facts.error("autoconfig", "autoconfig-elsewhere", name, text, "remove the record")
        else:
            facts.good("autoconfig", name, "leads to this server")
