"""Whether a device has arrived is told by a reading that is within its tolerance, and nothing else."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from ophyd import Signal

from campaigns.lab.setpoints import SetpointConfig
from campaigns.values import Scalar
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
