"""Authentication-Results (RFC 8601), written by authres, and the short form without names."""

import re
from typing import Any, Final

import authres
import authres.arc
import authres.dmarc

from blackthorn.mail.authentication import arc, dkim, dmarc, limits, spf

_COMMENT: Final = re.compile(rb"\([^()]*\)")
_DEPTH: Final = 8


def summary(
    checked: spf.SpfResult,
    signed: list[dkim.DkimResult],
    chain: arc.ArcResult,
    policy: dmarc.DmarcResult,
) -> str:
    """Results alone, such as `spf=pass dkim=pass,fail arc=none dmarc=pass`."""
    keys = ",".join(str(each.outcome) for each in signed) or "none"
    return f"spf={checked.outcome} dkim={keys} arc={chain.chain} dmarc={policy.outcome}"


def field(
    host: str,
    author: str,
    checked: spf.SpfResult,
    signed: list[dkim.DkimResult],
    chain: arc.ArcResult,
    policy: dmarc.DmarcResult,
) -> str:
    """The field with its CRLF, folded, MAX_RESULTS_BYTES at most."""
    all_results: list[Any] = [
        authres.SPFAuthenticationResult(
            result=checked.outcome,
            **{"smtp_helo" if checked.helo else "smtp_mailfrom": checked.domain or None},
        ),
        authres.dmarc.DMARCAuthenticationResult(result=policy.outcome, header_from=author or None),
        authres.arc.ARCAuthenticationResult(result=str(chain.chain)),
    ]
    if not signed:
        all_results.append(authres.DKIMAuthenticationResult(result="none"))
    for each in signed:
        all_results.append(
            authres.DKIMAuthenticationResult(
                result=str(each.outcome),
                reason=each.reason or None,
                header_d=each.domain or None,
                header_s=each.selector or None,
            )
        )
    while True:
        header = authres.AuthenticationResultsHeader(authserv_id=host, results=all_results)
        text = str(header).replace("; ", ";\r\n ") + "\r\n"
        if len(text) <= limits.MAX_RESULTS_BYTES or len(all_results) <= 3:
            return text
        all_results.pop()


def names(value: bytes, hosts: tuple[str, ...]) -> bool:
    """Whether an Authentication-Results field claims to be ours; comments are ignored."""
    for _ in range(_DEPTH):
        value, found = _COMMENT.subn(b" ", value)
        if not found:
            break
    claimed = value.partition(b";")[0].split()
    return bool(claimed) and claimed[0].strip(b'"').lower().decode("latin-1") in hosts
