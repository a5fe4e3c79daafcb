"""Checks of what makes TLS to the server sure: MTA-STS, TLS-RPT, CAA."""

from blackthorn.errors import DecodeError
from blackthorn.mail.dns.facts import POLICY, Facts, Level, of_version, tags
from blackthorn.mail.dns.setup import Setup
from blackthorn.mail.dns.sts import policy_id, policy_text
from blackthorn.mail.smtp.sts import StsPolicy, parse_policy, parse_record, sts_records

_DAY = 86_400


def check_sts(setup: Setup, facts: Facts) -> None:
    """RFC 8461: the record, and the policy that HTTPS serves."""
    name = f"_mta-sts.{setup.domain}"
    texts = [text.encode() for text in facts.look(name, "TXT").values]
    records = sts_records(texts)
    wanted = f'set {name}. TXT "v=STSv1; id={policy_id(setup)}"'
    if not records:
        if (name, "TXT") not in facts.missing:
            text = "there is no MTA-STS record: a network between can take TLS away"
            facts.warn("MTA-STS", "sts-missing", name, text, wanted)
        return
    if len(records) > 1:
        text = "there are several MTA-STS records: senders take none (3.1)"
        facts.error("MTA-STS", "sts-several", name, text, "remove all but one")
        return
    before = facts.faults
    record_id = parse_record(texts)
    if not record_id:
        text = "has no id of letters and digits: senders take no policy"
        facts.error("MTA-STS", "sts-malformed", name, text, wanted)
    _check_policy(setup, facts, record_id)
    if facts.faults == before and not facts.missing:
        facts.good("MTA-STS", name, f"the policy is served, mode {setup.sts_mode}")


def _check_policy(setup: Setup, facts: Facts, record_id: str) -> None:
    host = setup.sts_host
    fetched = facts.look(host, POLICY)
    if (host, POLICY) in facts.missing:
        return
    if fetched.failed:
        mend = f"lead {host} to this server, name it in tls.other_names, serve HTTPS at port 443"
        text = f"the policy cannot be fetched: {fetched.failed}"
        facts.error("MTA-STS", "sts-policy-unreachable", host, text, mend)
        return
    text = fetched.values[0]
    try:
        policy = parse_policy(text.encode())
    except DecodeError as error:
        mend = "serve the one of this server"
        facts.error("MTA-STS", "sts-policy-malformed", host, str(error), mend)
        return
    _check_servers(setup, facts, policy)
    if policy.max_age < _DAY:
        age = f"max_age is {policy.max_age} seconds: too short to protect"
        facts.warn("MTA-STS", "sts-short", host, age, "a week or more: mta_sts.max_age_seconds")
    if text == policy_text(setup) and record_id not in ("", policy_id(setup)):
        changed = "the policy has changed, and the record's id has not: senders keep the old one"
        mend = f"set id={policy_id(setup)} in _mta-sts.{setup.domain}"
        facts.warn("MTA-STS", "sts-old-id", host, changed, mend)
    if policy.mode == "testing":
        note = "mode testing: senders report failures and deliver all the same"
        facts.add("MTA-STS", Level.NOTE, "sts-testing", host, note)


def _check_servers(setup: Setup, facts: Facts, policy: StsPolicy) -> None:
    hosts = [value.split()[-1] for value in facts.look(setup.domain, "MX").values]
    lacking = [host for host in hosts if not policy.allows(host)]
    if lacking and policy.mode != "none":
        text = (
            f"the policy does not name {', '.join(lacking)}: senders that obey it deliver nothing"
        )
        mend = "name every MX host in it"
        facts.error("MTA-STS", "sts-mx-missing", setup.sts_host, text, mend)


def check_tls_reports(setup: Setup, facts: Facts) -> None:
    """RFC 8460, 3."""
    name = f"_smtp._tls.{setup.domain}"
    values = facts.look(name, "TXT").values
    records = of_version(facts.look(name, "TXT"), "v=TLSRPTv1")
    wanted = f'set {name}. TXT "v=TLSRPTv1; rua=mailto:{setup.postmaster}"'
    if (name, "TXT") in facts.missing:
        return
    if not values:
        text = "there is no TLS-RPT record: nobody tells you that TLS fails"
        facts.warn("TLS-RPT", "tlsrpt-missing", name, text, wanted)
    elif len(records) != 1:
        text = "is not one TLS-RPT record: senders take none"
        facts.error("TLS-RPT", "tlsrpt-malformed", name, text, wanted)
    elif not tags(records[0]).get("rua", "").startswith(("mailto:", "https:")):
        facts.error("TLS-RPT", "tlsrpt-malformed", name, "has no address in rua", wanted)
    else:
        facts.good("TLS-RPT", name, "reports come in")


def check_caa(setup: Setup, facts: Facts) -> None:
    """RFC 8659, 3, for each name of the certificate: records of the nearest name upwards count."""
    for name in dict.fromkeys([setup.host, *setup.names]):
        at, values = _relevant(facts, name)
        rows = [value.split(maxsplit=2) for value in values]
        issuers = [
            row[2].partition(";")[0].strip() for row in rows if len(row) == 3 and row[1] == "issue"
        ]
        if not values:
            text = "no CAA record: any authority may certify the name"
            facts.add("CAA", Level.NOTE, "caa-missing", name, text)
        elif setup.issuer and issuers and setup.issuer not in issuers:
            text = f"{at} allows only {', '.join(filter(None, issuers)) or 'nobody'} to certify it"
            mend = f'set {at}. CAA 0 issue "{setup.issuer}", or the certificate is not renewed'
            facts.error("CAA", "caa-forbids", name, text, mend)
        else:
            facts.good("CAA", name, f"{at} says who may certify it")


def _relevant(facts: Facts, name: str) -> tuple[str, tuple[str, ...]]:
    while name:
        values = facts.look(name, "CAA").values
        if values:
            return name, values
        name = name.partition(".")[2]
    return "", ()
