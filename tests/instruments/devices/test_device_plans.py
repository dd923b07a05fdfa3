"""Whether a device has arrived is told by a reading that is within its tolerance, and nothing else."""

from __future__ import annotations

import math
import time
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from ophyd import Signal

from campaigns.lab.setpoints import SetpointConfig
from campaigns.values import Scalar
from instruments.devices import device_plans
from instruments.devices.device_plans import Move
from instruments.devices.setpoint import BoundSetpoint


def move(value: Scalar, tolerance: float = 0.5) -> Move:
    signal = Signal(name="plate", value=0.0)
    return Move(BoundSetpoint("x", "here", signal, signal, SetpointConfig()), value, tolerance, "degC")


def test_a_reading_within_the_tolerance_is_an_arrival_and_no_other() -> None:
    assert not move(100.0).off(100.4)
    assert move(100.0).off(100.6)
    assert move(100.0).off(math.nan)


@pytest.mark.parametrize("got", [None, np.array([100.0, 100.0]), [100.0], "warm"], ids=repr)
def test_what_is_no_number_is_no_arrival_and_is_waited_for(got: Any) -> None:
    assert move(100.0).off(got)
    assert move("air").off(got)


def test_the_number_of_a_choice_is_its_text() -> None:
    gas = Signal(name="gas", value=1)
    vars(gas)["enum_strs"] = ("air", "argon")
    found = Move(BoundSetpoint("x", "here", gas, gas, SetpointConfig()), "argon", 0.0, "")
    assert [found.off(got) for got in (0, 1, 1.0, "argon", "air", 2, None)] == [
        True,
        False,
        False,
        False,
        True,
        True,
        True,
    ]


def test_a_text_has_arrived_when_it_is_the_same() -> None:
    assert move("air").off("argon")
    assert not move("air").off("air")


class Plate(Signal):
    """A readback whose link comes and goes."""

    connected = True


@pytest.mark.parametrize("between", [OSError("gone"), "disconnected"], ids=str)
def test_a_dwell_begins_again_after_a_reading_that_says_nothing(
    between: OSError | str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plate, now, looks = Plate(name="plate", value=100.0), [0.0], 0
    reading = plate.read()
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    setpoint = BoundSetpoint("x", "here", plate, plate, SetpointConfig(dwell=1.0))
    plan = device_plans._arrive(Move(setpoint, 100.0, 0.5, "degC"), 60.0)
    message = next(plan)
    with suppress(StopIteration):
        while True:
            if message.command == "sleep":
                now[0] += 0.6
                message = plan.send(None)
                continue
            looks += 1
            plate.connected = not (looks == 2 and between == "disconnected")
            raises = looks == 2 and isinstance(between, OSError)
            message = plan.throw(OSError("gone")) if raises else plan.send(reading)
    assert looks == 5, "within the tolerance at looks 1, 3, 4 and 5; for long enough at the last only"
