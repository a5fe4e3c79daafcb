"""Composition of the decision service."""

import secrets
from collections.abc import Callable

from blackthorn.ports.clock import Clock
from blackthorn.ports.store import Reader, Writer
from blackthorn.server.enterprise import EnterpriseCache
from blackthorn.server.governance.decisions import DecisionService
from blackthorn.server.governance.directive_checks import DirectiveChecks
from blackthorn.server.ledger.ledger import Ledger


def make_decision_service(
    ledger: Ledger,
    enterprise: EnterpriseCache,
    writer: Writer,
    reader: Reader,
    clock: Clock,
    max_accounts: int,
    random: Callable[[int], bytes] = secrets.token_bytes,
) -> DecisionService:
    decisions = DecisionService(
        log=ledger, enterprise=enterprise, writer=writer, reader=reader, clock=clock, random=random
    )
    decisions.checks.append(DirectiveChecks(lambda: decisions.cases, reader, max_accounts))
    decisions.checks.append(ledger.check_heal)
    return decisions
