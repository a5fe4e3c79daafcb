"""Metrics: what is declared is exported, durations as histograms."""

import inspect
from dataclasses import fields

import pytest

from blackthorn.edges.http import metrics
from blackthorn.server.counters import Counters, Histogram

DURATIONS = {
    "commit_seconds",
    "commit_commands",
    "delivery_seconds",
    "sealing_seconds",
    "http_seconds",
}


def test_a_histogram_counts_each_value_once_and_all_that_are_not_larger() -> None:
    histogram = Histogram((0.1, 1.0))
    for value in (0.05, 0.1, 0.5, 7.0):
        histogram.observe(value)
    assert histogram.buckets() == [("0.1", 2), ("1.0", 3), ("+Inf", 4)]
    assert histogram.sum == pytest.approx(7.65)


def test_a_group_commit_is_counted_by_time_and_by_size() -> None:
    counters = Counters()
    counters.committed(0.002, 3)
    assert dict(counters.commit_seconds.buckets())["0.003"] == 1
    assert dict(counters.commit_commands.buckets())["2"] == 0
    assert dict(counters.commit_commands.buckets())["4"] == 1


def test_every_declaration_is_exported_without_reading_source_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unreadable(*unused: object) -> str:
        raise OSError("could not get source code")

    monkeypatch.setattr(inspect, "getsource", unreadable)
    counters = Counters()
    counters.http_seconds.observe(0.02)
    counters.mail_accepted = 5
    text = metrics.exposition(counters, {}).decode()
    declared = {each.field: each for each in metrics.counted()}
    assert set(declared) == {each.name for each in fields(Counters)}
    assert all(f"# HELP {each.name} {each.meaning}" in text for each in declared.values())
    assert {name for name, each in declared.items() if each.kind == "histogram"} == DURATIONS
    assert 'blackthorn_http_seconds_bucket{le="0.01"} 0.0' in text
    assert 'blackthorn_http_seconds_bucket{le="0.03"} 1.0' in text
    assert "blackthorn_http_seconds_count 1.0" in text
    assert "blackthorn_http_seconds_sum 0.02" in text
    assert "blackthorn_mail_accepted_total 5.0" in text
