"""Background work goes on whatever happens to it, and each fault is reported once."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import Any

import pytest

from blackthorn.errors import DefectError, DiskError
from blackthorn.programs import log, periodic
from blackthorn.programs.periodic import Supervisor, run_periodically
from blackthorn.programs.server.closure import Apart
from blackthorn.server.counters import Counters

SECRET = "what Alice wrote to Bob"


class Faults:
    """What the event loop's handler was told."""

    def __init__(self) -> None:
        self.contexts: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(self.handle)

    def handle(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.contexts.append(context)


def run(test: Callable[[Supervisor, Counters, Faults], Awaitable[None]]) -> None:
    async def inside() -> None:
        counters, faults = Counters(), Faults()
        async with Supervisor(counters) as tasks, asyncio.timeout(10):
            await test(tasks, counters, faults)

    asyncio.run(inside())


def test_a_step_is_taken_now_and_says_when_the_next_one_is_due() -> None:
    times: list[float] = []

    async def inside() -> None:
        loop = asyncio.get_running_loop()
        done = loop.create_future()

        def step() -> float | None:
            times.append(loop.time())
            if len(times) == 3:
                done.set_result(None)
            return 0.01 if len(times) == 1 else None

        task = loop.create_task(run_periodically(step, 0.1))
        await done
        task.cancel()

    asyncio.run(inside())
    assert times[1] - times[0] < 0.1 <= times[2] - times[1] + 0.01


@pytest.mark.parametrize(
    ("error", "disk"), [(DiskError("full"), 1), (OSError(SECRET), 0), (ValueError(SECRET), 0)]
)
def test_a_fault_does_not_end_a_periodic_step(error: Exception, disk: int) -> None:
    async def inside(tasks: Supervisor, counters: Counters, faults: Faults) -> None:
        again = asyncio.Event()
        steps = 0

        def step() -> None:
            nonlocal steps
            steps += 1
            if steps == 2:
                raise error
            if steps == 4:
                again.set()

        tasks.every(0.001, "the step", step)
        await again.wait()
        assert counters.storage_failures == disk
        assert [each["work"] for each in faults.contexts] == ["the step"] * (1 - disk)
        assert SECRET not in str([each["message"] for each in faults.contexts])

    run(inside)


def test_work_that_fails_again_and_again_waits_longer_up_to_a_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(periodic, "LONGEST_PAUSE_SECONDS", 0.04)

    async def inside(tasks: Supervisor, counters: Counters, faults: Faults) -> None:
        times: list[float] = []
        enough = asyncio.Event()

        async def work() -> None:
            times.append(asyncio.get_running_loop().time())
            if len(times) == 6:
                enough.set()
            raise RuntimeError

        tasks.keep("the work", work, 0.01)
        await enough.wait()
        gaps = [after - before for before, after in pairwise(times)]
        least = (0.01, 0.02, 0.04, 0.04, 0.04)
        assert all(gap >= bound - 0.002 for gap, bound in zip(gaps, least, strict=True)), gaps
        assert len(faults.contexts) >= 5

    run(inside)


def test_work_that_ends_is_done_again_at_once() -> None:
    async def inside(tasks: Supervisor, counters: Counters, faults: Faults) -> None:
        times = 0
        enough = asyncio.Event()

        async def work() -> None:
            nonlocal times
            times += 1
            await asyncio.sleep(0)
            if times == 100:
                enough.set()

        tasks.keep("the work", work)
        await enough.wait()
        assert faults.contexts == []

    run(inside)


def test_what_is_started_once_reports_its_fault_and_is_not_done_again() -> None:
    async def inside(tasks: Supervisor, counters: Counters, faults: Faults) -> None:
        times = 0

        async def work() -> None:
            nonlocal times
            times += 1
            raise ValueError(SECRET)

        await tasks.start("the work", work())
        await asyncio.sleep(0.01)
        assert times == 1
        assert [each["message"] for each in faults.contexts] == ["the work failed"]

    run(inside)


@pytest.mark.parametrize(
    ("error", "told"), [(None, int), (DiskError("full"), DiskError), (OSError(SECRET), DefectError)]
)
def test_a_blocking_step_is_answered_whatever_it_raises(
    error: Exception | None, told: type
) -> None:
    async def inside(tasks: Supervisor, counters: Counters, faults: Faults) -> None:
        answer = asyncio.get_running_loop().create_future()

        def work() -> int:
            if error is not None:
                raise error
            return 1

        Apart(tasks)(work, answer.set_result)
        assert type(await answer) is told
        assert len(faults.contexts) == (told is DefectError)

    run(inside)


def test_closing_ends_every_task() -> None:
    async def inside(tasks: Supervisor, counters: Counters, faults: Faults) -> None:
        started = [
            tasks.every(0.001, "a step", lambda: None),
            tasks.keep("the work", asyncio.Event().wait),  # type: ignore[arg-type]
        ]
        await asyncio.sleep(0.01)
        await tasks.close()
        assert all(task.cancelled() for task in started)
        await tasks.close()

    run(inside)


def test_a_drain_that_fails_is_reported_and_all_tasks_end() -> None:
    async def test(tasks: Supervisor, counters: Counters, faults: Faults) -> None:
        async def fail() -> None:
            raise ValueError(SECRET)

        drained = asyncio.Event()
        running = tasks.start("rest", asyncio.sleep(3_600))

        async def drain() -> None:
            drained.set()

        tasks.before_close(drain)
        tasks.before_close(fail)
        await tasks.close()
        assert running.cancelled() and drained.is_set() and len(faults.contexts) == 1

    run(test)


def test_each_fault_is_counted_and_a_defect_is_logged_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    counters = Counters()
    faults = log.FaultLog(counters)
    log.configure("info")
    error = DefectError("a defect in Blackthorn (KeyError at blackthorn.x:1)")
    loop = asyncio.new_event_loop()
    try:
        faults.log_defect(error)
        faults.handle(loop, {"message": "x", "exception": error})
        faults.handle(loop, {"message": "x", "exception": ValueError(SECRET), "work": "mail"})
        faults.handle(loop, {"message": "x", "exception": asyncio.CancelledError()})
    finally:
        loop.close()
    assert counters.defects == 2
    assert SECRET not in capsys.readouterr().err
