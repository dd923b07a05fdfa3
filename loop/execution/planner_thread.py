"""What asks the models: in a thread of its own where lab time goes on meanwhile, so that no station waits for a fit."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import torch

from instruments.clock import Clock

_Taken = Callable[[Future[Any]], None]


class PlannerThread:
    """Does one task at a time: beside the session's thread on a clock that goes on by itself, else at once.

    On a clock that waits for the session, the order of all that happens is therefore a function of the results alone.

    Args:
        clock: of the laboratory.
        woken: called, in this thread, when a task is done.
    """

    def __init__(self, clock: Clock, woken: Callable[[], None]) -> None:
        self._beside, self._woken = clock.wall_time(1.0) > 0, woken
        # the number of threads that torch uses is each thread's own
        self._executor = ThreadPoolExecutor(1, "planner", initializer=torch.set_num_threads, initargs=(1,))
        self._under_way: tuple[Future[Any], _Taken] | None = None

    @property
    def busy(self) -> bool:
        """Whether a task is under way, or its result was not taken yet."""
        return self._under_way is not None

    def begin(self, task: Callable[[], Any], taken: Callable[[Future[Any]], None]) -> None:
        """Begin a task; ``taken`` gets its result in the session's thread, where that is taken.

        Args:
            task: touches what nobody else touches meanwhile: planner and models.
            taken: may begin another one.
        """
        if self._beside:
            future = self._executor.submit(task)
            self._under_way = (future, taken)
            future.add_done_callback(lambda _: self._woken())
            return
        done: Future[Any] = Future()
        try:
            done.set_result(task())
        except Exception as error:  # noqa: BLE001 - raised again where the result is taken
            done.set_exception(error)
        taken(done)

    def take(self, *, wait: bool = False) -> bool:
        """Take the result of the task that is done, if there is one; return whether there was.

        Args:
            wait: until the task that is under way is done.
        """
        if self._under_way is None or not (wait or self._under_way[0].done()):
            return False
        (future, taken), self._under_way = self._under_way, None
        future.exception()  # waits
        taken(future)
        return True

    def close(self) -> None:
        """Wait for the task that is under way, whose result nobody takes."""
        self._executor.shutdown()
