"""The one reader: a thread that answers queries in order, off the event loop."""

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from blackthorn.errors import DefectError, DiskError
from blackthorn.ports.store import Done, Query, Result
from blackthorn.storage.sqlite.engine import Engine
from blackthorn.storage.sqlite.failure import failure_of
from blackthorn.storage.sqlite.group_commit import Outcome
from blackthorn.storage.sqlite.telling import Outcomes, Wake

Question = tuple[Query[Any], Callable[[Any], None]]

MAX_ANSWERS_AT_ONCE = 64
"""Answers in one wake-up of the event loop, to bound the first one's delay."""


class ThreadReader:
    """A `ports.store.Reader` over the engine's reading connection.

    Answers share wake-ups of the event loop. `on_defect` is called in the loop for each programming
    error.
    """

    def __init__(
        self,
        engine: Engine,
        wake: Wake,
        on_defect: Callable[[DefectError], None] = lambda error: None,
    ) -> None:
        self._engine = engine
        self._outcomes = Outcomes(wake, on_defect)
        self._queue: SimpleQueue[Question | None] = SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="reader", daemon=True)
        self._thread.start()

    def ask(self, query: Query[Result], done: Done[Result]) -> None:
        if self._closed:
            self._outcomes.post([(done, DiskError("the server has stopped"))])
        else:
            self._queue.put((query, done))

    @property
    def waiting(self) -> int:
        """Queries in the queue."""
        return self._queue.qsize()

    def close(self) -> None:
        """Answer the queue and end the thread; answers after the loop's end are dropped."""
        self._closed = True
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (question := self._queue.get()) is not None:
            answers = [self._answer(question)]
            while not self._queue.empty() and len(answers) < MAX_ANSWERS_AT_ONCE:
                following = self._queue.get_nowait()
                if following is None:
                    self._outcomes.post(answers)
                    return
                answers.append(self._answer(following))
            self._outcomes.post(answers)

    def _answer(self, question: Question) -> Outcome:
        query, done = question
        try:
            return done, self._engine.read(query)
        except Exception as error:
            return done, failure_of(error)
