"""Composition of what judges and filters mail from outside."""

from blackthorn.edges.sealing.judging import JudgingPool, JudgingRules
from blackthorn.edges.sealing.pool import SealingPool
from blackthorn.ports.dns import Resolver
from blackthorn.programs.server.configuration import Configuration


def make_judging(settings: Configuration, pool: SealingPool, resolver: Resolver) -> JudgingPool:
    """The judgement by SPF, DKIM, ARC and DMARC as the settings say."""
    asked = settings.authentication
    rules = JudgingRules(
        host=settings.tls.host_name or settings.enterprise.domain,
        refuse_by_dmarc=asked.dmarc_reject == "refuse",
        own_from=asked.own_from,
        sealers=tuple(asked.arc_sealers.lower().split()),
    )
    return JudgingPool(pool, resolver, rules)
