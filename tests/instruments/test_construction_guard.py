"""Nothing is set while a laboratory is built: no guard stands before its devices yet."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from ophyd import Component, Device, Signal
from ophyd.sim import SynAxis

from campaigns.errors import InterlockError
from instruments.construction_guard import guard_twins, nothing_moves


class Valve(Signal):
    """A signal whose driver sends what it is told somewhere."""

    def put(self, value: Any, **kwargs: Any) -> None:
        super().put(value, **kwargs)


class Eager(Device):
    """A device that sets something while it is made."""

    valve = Component(Valve, value=0.0)
    note = Component(Signal, value="")

    def __init__(self, *, name: str, begin: Callable[[Eager], None]) -> None:
        super().__init__(name=name)
        begin(self)


@pytest.mark.parametrize("thread", [False, True])
def test_a_driver_that_sets_a_device_while_it_is_made_is_refused(*, thread: bool) -> None:
    caught: list[InterlockError] = []
    made: list[Eager] = []

    def put(eager: Eager) -> None:
        made.append(eager)
        with pytest.raises(InterlockError) as error:
            eager.valve.put(5.0)
        caught.append(error.value)

    def begin(eager: Eager) -> None:
        if thread:
            helper = threading.Thread(target=put, args=(eager,))
            helper.start()
            helper.join()
        else:
            put(eager)

    with nothing_moves():
        Eager(name="eager", begin=begin)
    assert "eager_valve is set while the laboratory is built" in str(caught[0])
    assert made[0].valve.get() == 0.0
    made[0].valve.put(5.0)
    assert made[0].valve.get() == 5.0


def test_what_moves_nothing_may_be_set_meanwhile_and_what_was_made_before_is_not_concerned() -> None:
    before = Valve(name="before", value=0.0)
    with nothing_moves():
        made = Eager(name="eager", begin=lambda eager: eager.note.put("made"))
        axis = SynAxis(name="axis")
        axis.set(1.0)
        before.put(1.0)
    assert (made.note.get(), before.get()) == ("made", 1.0)
    after = Valve(name="after", value=0.0)
    after.put(1.0)
    assert after.get() == 1.0


class Variable(Valve):
    """A signal for a process variable."""

    def __init__(self, variable: str, *, name: str) -> None:
        super().__init__(name=name, value=0.0)
        self.setpoint_pvname = variable


def test_another_signal_for_a_guarded_process_variable_asks_the_same_guard() -> None:
    told: list[Any] = []

    def asking(original: Callable[..., Any]) -> Callable[..., Any]:
        def ask(value: Any, **kwargs: Any) -> Any:
            told.append(value)
            return original(min(value, 9.0), **kwargs)

        return ask

    owner = Variable("LAB:T", name="owner")
    end = guard_twins(owner, asking)
    twin, other = Variable("LAB:T", name="twin"), Variable("LAB:U", name="other")
    twin.put(20.0)
    other.put(30.0)
    assert (told, twin.get(), other.get()) == ([20.0], 9.0, 30.0)
    end()
    twin.put(40.0)
    assert (told, twin.get()) == ([20.0], 40.0)
