"""Metrics and log: complete in numbers, silent about people."""

import asyncio
import dataclasses
import errno
import json
import logging
import os

import pytest

from blackthorn.edges.http import metrics
from blackthorn.errors import DefectError
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
    counters = Counters()
    numbers = [each for each in metrics.counted() if each.kind != "histogram"]
    for number, each in enumerate(numbers, 1):
        setattr(counters, each.field, number)
    gauges = dict.fromkeys(metrics.GAUGES, lambda: 7.0)
    text = metrics.exposition(counters, gauges).decode()
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    for each in numbers:
        assert float(values[each.name]) == getattr(counters, each.field)
    for each in metrics.counted():
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
        loop.set_exception_handler(log.FaultLog(Counters()).handle)
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


def test_an_error_that_repeats_itself_is_one_line_a_minute_with_its_count(lines):
    log.configure("info")
    now = 0.0
    counters = Counters()
    faults = log.FaultLog(counters, lambda: now)
    refused = OSError(errno.EMFILE, SECRET)
    other = OSError(errno.EIO, SECRET)
    loop = asyncio.new_event_loop()
    for number in range(10_000):
        now = number / 1_000
        faults.handle(loop, {"message": SECRET, "exception": refused, "work": "the link"})
    faults.handle(loop, {"message": SECRET, "exception": other, "work": "the link"})
    first, second = lines()
    assert (first["errno"], first["count"], first["work"]) == ("EMFILE", 1, "the link")
    assert first["reason"] == (
        "no file descriptor is left: raise the limit of open files (LimitNOFILE)"
    )
    assert (second["errno"], second["reason"]) == ("EIO", os.strerror(errno.EIO))
    now = 61.0
    faults.handle(loop, {"message": SECRET, "exception": refused, "work": "the link"})
    loop.close()
    *_, last = lines()
    assert (last["errno"], last["count"]) == ("EMFILE", 10_000)
    assert counters.defects == 10_002
    assert SECRET not in json.dumps([first, second, last])


def test_defects_and_libraries_that_repeat_themselves_are_one_line_a_minute(lines):
    log.configure("info")
    counters = Counters()
    faults = log.FaultLog(counters, lambda: 0.0)
    for _ in range(100):
        faults.log_defect(DefectError("a defect in Blackthorn (KeyError at blackthorn.x:1)"))
        logging.getLogger("somebody").warning("got %s", SECRET)
    assert sorted(line["event"] for line in lines()) == ["defect", "library"]
    assert counters.defects == 100
