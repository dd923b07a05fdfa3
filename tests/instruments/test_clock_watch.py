"""A lab clock that stands still is noticed, and one that goes never is."""

import threading
import time

import pytest

from campaigns.errors import LabError
from instruments.clock import Clock, WallClock
from instruments.clock_watch import ClockWatch
from simulators.virtual_clock import VirtualClock


def test_a_callback_that_never_ends_is_noticed_and_the_clock_can_still_be_closed() -> None:
    clock, released = WallClock(), threading.Event()
    watch = ClockWatch(clock, looks=5)
    clock.call_later(0.0, released.wait)  # type: ignore[arg-type]  # what it returns is ignored
    time.sleep(0.05)
    for _ in range(5):  # the first has the clock run a callback
        watch.look()
    with pytest.raises(LabError, match="the lab's clock stands still"):
        watch.look()
    released.set()
    clock.close()


@pytest.mark.slow
@pytest.mark.parametrize("made", [WallClock, VirtualClock])
def test_a_clock_that_goes_is_never_taken_for_one_that_does_not(made: type[WallClock | VirtualClock]) -> None:
    clock: Clock = made()
    watch, before = ClockWatch(clock, looks=20), clock.now()
    clock.leave()
    for _ in range(60):
        watch.look()
        time.sleep(0.005)
    assert clock.now() - before < 5.0, "looking moves no virtual clock on"
    clock.enter()
    clock.close()
