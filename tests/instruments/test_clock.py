import queue
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instruments.clock import Agenda, Party, WallClock
from simulators.virtual_clock import VirtualClock


@given(st.lists(st.tuples(st.floats(0, 1e6), st.sampled_from(["a", "b"])), max_size=20))
def test_timers_come_by_time_then_key_then_age(timers: list[tuple[float, str]]) -> None:
    agenda = Agenda()
    for when, key in timers:
        agenda.add(when, lambda: None, key)
    times = []
    while (when := agenda.next_time()) is not None:
        times.append(when)
        assert agenda.pop().when == when
    assert times == sorted(when for when, _ in timers)


def test_timers_of_one_time_come_by_key_and_of_one_key_by_age() -> None:
    agenda, seen = Agenda(), list[str]()
    for name in ("b1", "a1", "b2", "a2"):
        agenda.add(5.0, partial(seen.append, name), name[0])
    while agenda.next_time() is not None:
        agenda.pop().run()
    assert seen == ["a1", "a2", "b1", "b2"]


def test_a_cancelled_timer_never_comes() -> None:
    agenda = Agenda()
    agenda.add(1.0, lambda: None, "").cancel()
    assert agenda.next_time() is None


def test_a_wall_clock_runs_timers_in_lab_time() -> None:
    clock, seen = WallClock(speed=1e5, start=100.0), queue.SimpleQueue[tuple[str, float]]()
    clock.call_later(2000.0, lambda: seen.put(("late", clock.now())))
    clock.call_later(1000.0, lambda: seen.put(("early", clock.now())))
    (first, at), (second, _) = seen.get(timeout=10), seen.get(timeout=10)
    clock.close()
    assert (first, second) == ("early", "late")
    assert at >= 1100.0
    assert clock.wall_time(1e5) == 1.0


def test_a_closed_wall_clock_runs_nothing_more() -> None:
    clock, seen = WallClock(speed=1e9), []
    clock.close()
    clock.call_later(0.0, lambda: seen.append(1))
    assert seen == []


class Counter(WallClock):
    """A clock that counts who is at work."""

    at_work = 0

    def enter(self) -> None:
        self.at_work += 1

    def leave(self) -> None:
        self.at_work -= 1


@given(st.lists(st.sampled_from(["enter", "leave"])))
def test_a_party_is_never_counted_twice_and_never_after_its_end(actions: list[str]) -> None:
    clock = Counter()
    party = Party(clock)
    for action in actions:
        getattr(party, action)()
        assert clock.at_work == party.at_work
    party.end()
    party.enter()
    clock.close()
    assert clock.at_work == 0


def fail() -> None:
    raise ZeroDivisionError


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("make", [VirtualClock, WallClock])
def test_a_callback_that_raises_does_not_stop_the_clock(make: type[VirtualClock | WallClock]) -> None:
    clock, seen = make(), queue.SimpleQueue[str]()
    clock.call_later(0.0, fail, "a")
    clock.call_later(0.0, lambda: seen.put("next"), "b")
    if make is VirtualClock:
        clock.leave()
    assert seen.get(timeout=10) == "next"
    clock.close()
