"""All checks of a domain's records, in the order in which they matter."""

from collections.abc import Mapping
from typing import Final

from blackthorn.mail.dns import delivery, senders, services, transport
from blackthorn.mail.dns.facts import Facts, Finding, Found, Question
from blackthorn.mail.dns.setup import Setup

CHECKS: Final = (
    ("MX", delivery.check_mx),
    ("host", delivery.check_host),
    ("PTR", delivery.check_reverse),
    ("SPF", senders.check_spf),
    ("DKIM", senders.check_dkim),
    ("DMARC", senders.check_dmarc),
    ("MTA-STS", transport.check_sts),
    ("TLS-RPT", transport.check_tls_reports),
    ("TLSA", delivery.check_tlsa),
    ("CAA", transport.check_caa),
    ("WKD", services.check_wkd),
    ("SRV", services.check_srv),
    ("autoconfig", services.check_autoconfig),
)

MAX_ROUNDS: Final = 16
"""Times that a check may find new names to ask for: an SPF record may include ten deep."""


def check(setup: Setup, known: Mapping[Question, Found]) -> tuple[list[Finding], set[Question]]:
    """The findings by what is known, and the questions that are still to be asked.

    The findings count once there is no question.
    """
    facts = Facts(known)
    for topic, each in CHECKS:
        before = len(facts.findings)
        each(setup, facts)
        if facts.failed:  # what is not known is not wrong
            del facts.findings[before:]
            for (name, kind), reason in facts.failed.items():
                text = f"{kind} cannot be looked up: {reason}"
                facts.error(topic, "no-answer", name, text, "see to the domain's name servers")
            facts.failed.clear()
    return facts.findings, facts.missing
