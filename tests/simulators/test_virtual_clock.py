import queue
import threading
from collections.abc import Iterator

import pytest

from simulators.virtual_clock import VirtualClock


@pytest.fixture
def clock() -> Iterator[VirtualClock]:
    clock = VirtualClock(start=50.0)
    yield clock
    clock.close()


def test_lab_time_stands_still_while_somebody_is_at_work(clock: VirtualClock) -> None:
    fired = threading.Event()
    clock.call_later(1.0, fired.set)
    assert not fired.wait(0.05)
    assert clock.now() == 50.0


def test_lab_time_jumps_to_the_next_timer_when_nobody_is(clock: VirtualClock) -> None:
    times = queue.SimpleQueue[float]()
    clock.call_later(1e9, lambda: times.put(clock.now()))
    clock.leave()
    assert times.get(timeout=10) == 1e9 + 50.0


def test_a_receiver_of_a_post_is_at_work_until_it_leaves(clock: VirtualClock) -> None:
    times = queue.SimpleQueue[float]()
    clock.post(lambda: times.put(clock.now()), "b")
    clock.post(lambda: times.put(clock.now()), "a")
    clock.leave()
    assert times.get(timeout=10) == 50.0
    with pytest.raises(queue.Empty):
        times.get(timeout=0.05)
    clock.leave()
    assert times.get(timeout=10) == 50.0


def test_a_timer_in_the_past_runs_now(clock: VirtualClock) -> None:
    times = queue.SimpleQueue[float]()
    clock.call_at(3.0, lambda: times.put(clock.now()))
    clock.leave()
    assert times.get(timeout=10) == 50.0


def test_leaving_more_often_than_entering_is_an_error(clock: VirtualClock) -> None:
    clock.leave()
    with pytest.raises(RuntimeError, match="balance"):
        clock.leave()
