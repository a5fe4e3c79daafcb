"""Prometheus metrics: counts and sizes of the whole server, never of one person.

The metrics are the fields of `server.counters.Counters`, and a few gauges that the program
measures when asked.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping

from blackthorn.server.counters import Counters

PREFIX = "blackthorn_"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

GAUGES: dict[str, str] = {
    "writer_waiting": "Jobs that wait for the next commit now.",
    "log_age_seconds": "Seconds since the write-ahead log, which holds what was deleted, was cut.",
    "database_bytes": "Size of the database and its write-ahead log now.",
    "free_disk_bytes": "Free space of the disk that the database is on now.",
    "ledger_entries": "Published entries of the ledger now.",
    "ledger_age_seconds": "Age of the newest published epoch of the ledger now; -1 without one.",
    "ledger_witnesses_failing": "Witnesses that did not answer as they should when last asked.",
    "certificate_seconds_left": "Seconds until the certificate of HTTPS and SMTP ends.",
}
"""Measured when asked; the program says how."""


@dataclasses.dataclass(frozen=True, slots=True)
class Counted:
    """One metric as Prometheus sees it."""

    field: str
    name: str
    kind: str
    meaning: str


def counted() -> list[Counted]:
    """The metrics that `Counters` declares."""
    metrics = []
    for each in dataclasses.fields(Counters):
        kind, meaning = each.metadata["kind"], each.metadata["meaning"]
        counts = kind == "counter" and not each.name.endswith("_total")
        name = PREFIX + each.name + "_total" * counts
        metrics.append(Counted(each.name, name, kind, meaning))
    return metrics


def exposition(counters: Counters, gauges: Mapping[str, Callable[[], float]]) -> bytes:
    """All metrics in Prometheus' text format, with the process's own memory and CPU time."""
    from prometheus_client import CollectorRegistry, ProcessCollector
    from prometheus_client.core import (
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
        Metric,
    )
    from prometheus_client.exposition import generate_latest
    from prometheus_client.registry import Collector

    class Ours(Collector):
        def collect(self) -> Iterator[Metric]:
            for each in counted():
                value = getattr(counters, each.field)
                if each.kind == "histogram":
                    yield HistogramMetricFamily(
                        each.name, each.meaning, buckets=value.buckets(), sum_value=value.sum
                    )
                else:
                    family = GaugeMetricFamily if each.kind == "gauge" else CounterMetricFamily
                    yield family(each.name, each.meaning, value=value)
            for name, measure in gauges.items():
                yield GaugeMetricFamily(PREFIX + name, GAUGES[name], value=measure())

    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(Ours())
    return generate_latest(registry)
