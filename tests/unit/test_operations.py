"""Metrics and log: complete in numbers, silent about people."""

import asyncio
import dataclasses
import json
import logging

import pytest

from blackthorn.edges.http import metrics
from blackthorn.programs import log
from blackthorn.server.counters import Counters
from tools.reference_tables import metrics_table

SECRET = "zebra-content-of-a-message"


def test_every_counter_is_a_metric_with_a_meaning():
    fields = [each.name for each in dataclasses.fields(Counters)]
    assert [each.field for each in metrics.counted()] == fields
    assert all(each.meaning.endswith(".") for each in metrics.counted())
    kinds = {each.field: each.kind for each in metrics.counted()}
    assert kinds["connections"] == "gauge" and kinds["connections_total"] == "counter"


def test_the_exposition_holds_each_value_under_its_documented_name():
    counters = Counters(
        **{each.name: number for number, each in enumerate(dataclasses.fields(Counters), 1)}
    )
    gauges = dict.fromkeys(metrics.GAUGES, lambda: 7.0)
    text = metrics.exposition(counters, gauges).decode()
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    for each in metrics.counted():
        assert float(values[each.name]) == getattr(counters, each.field)
        assert f"`{each.name}`" in metrics_table()
    for name in metrics.GAUGES:
        assert values[metrics.PREFIX + name] == "7.0"
        assert f"`{metrics.PREFIX}{name}`" in metrics_table()


@pytest.fixture
def lines(capfd):
    """Log lines as they come out on standard error; logging is put back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    asyncio_level = logging.getLogger("asyncio").level

    def read():
        return [json.loads(line) for line in capfd.readouterr().err.splitlines()]

    yield read
    root.handlers[:], root.level = handlers, level
    logging.getLogger("asyncio").setLevel(asyncio_level)


def test_the_log_is_json_with_level_and_time(lines):
    log.configure("info").info("ready", link_port=1)
    (line,) = lines()
    assert line["event"] == "ready" and line["level"] == "info" and line["link_port"] == 1
    assert line["timestamp"].endswith("Z")


def test_less_than_the_level_is_not_logged(lines):
    log.configure("error").info("ready")
    assert lines() == []


def test_what_a_library_says_is_not_passed_on(lines):
    log.configure("info")
    logging.getLogger("somebody").warning("got %s", SECRET)
    (line,) = lines()
    assert line["event"] == "library" and line["logger"] == "somebody"
    assert SECRET not in json.dumps(line)


def test_a_fault_is_logged_by_kind_and_place_without_its_text(lines):
    log.configure("info")

    async def fail():
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(log.log_fault)
        loop.call_soon(int, SECRET)
        task = loop.create_task(fault(SECRET))
        await asyncio.sleep(0.01)
        del task

    async def fault(argument):
        raise ValueError(argument)

    asyncio.run(fail())
    seen = lines()
    assert [line["event"] for line in seen] == ["fault", "fault"]
    assert {line["kind"] for line in seen} == {"ValueError"}
    assert SECRET not in json.dumps(seen)
    assert any("test_operations.py" in place for line in seen for place in line["places"])
