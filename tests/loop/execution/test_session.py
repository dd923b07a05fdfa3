"""Events are told as they come about."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from instruments.clock import Clock
from loop.core.events import Event, Warned
from loop.execution.options import RunOptions
from loop.execution.session import Session
from loop.storage.store import Store


def test_each_event_is_told_before_the_next_one_is_worked_out() -> None:
    happened: list[str] = []

    def work() -> Iterator[Event]:
        for name in ("one", "two"):
            happened.append(f"worked out {name}")
            yield Warned(name)

    def tell(event: Event) -> None:
        happened.append(f"told {cast(Warned, event).text}")

    Session(cast(Store, None), cast(Clock, None), RunOptions("", ""), tell).emit(work())
    assert happened == ["worked out one", "told one", "worked out two", "told two"]
