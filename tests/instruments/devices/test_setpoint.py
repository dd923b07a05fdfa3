"""What a recipe sets of a plain device has a unit, limits and a proof of arrival: of the device, or of the file."""

import math
from typing import Any

import pytest
from ophyd import Component, Device, Signal
from ophyd.sim import SPseudo1x3, SynAxis

from campaigns.errors import CampaignError
from campaigns.lab.setpoints import SetpointConfig
from instruments.devices.setpoint import BoundSetpoint, resolved
from instruments.job_instrument import Quantity


class Edge(Signal):
    stated: Any = None

    @property
    def limits(self) -> Any:
        return self.stated


class Oven(Device):
    x = Component(Quantity, value=0.0, unit="degC", limits=(0, 500))
    bare = Component(Signal, value=0.0)
    chamber = Component(Signal, value=20.0)


class Edged(Device):
    edge = Component(Edge, value=0.0)


class Rig(Device):
    oven = Component(Oven)


def setpoint(name: str, device: Any = None, **config: Any) -> BoundSetpoint:
    devices = {"device": device if device is not None else Oven(name="oven")}
    return resolved(name, SetpointConfig(**config), devices, f"stations.oven.setpoints.{name}")


def test_units_and_limits_are_those_of_the_device() -> None:
    found = setpoint("x")
    found.check()
    assert (found.unit, found.limits) == ("degC", (0.0, 500.0))


def test_units_and_limits_that_the_device_does_not_state_are_those_of_the_file() -> None:
    found = setpoint("bare", unit="degC", limits=(0, 300))
    found.check()
    assert (found.unit, found.limits) == ("degC", (0.0, 300.0))


def test_where_both_state_limits_both_hold() -> None:
    assert setpoint("x", unit="degC", limits=(-50, 300)).limits == (0.0, 300.0)
    with pytest.raises(CampaignError, match=r"allow no value together"):
        setpoint("x", unit="degC", limits=(600, 900)).check()


@pytest.mark.parametrize(
    ("stated", "both"),
    [
        ((-math.inf, 100), (-50.0, 100.0)),
        ((None, 100), (-50.0, 100.0)),
        ((20, None), (20.0, 300.0)),
        ((0, 0), (-50.0, 300.0)),
        ((5, -5), (-50.0, 300.0)),
        ((None, None), (-50.0, 300.0)),
        (None, (-50.0, 300.0)),
    ],
)
def test_a_device_may_limit_one_side_only(stated: Any, both: tuple[float, float]) -> None:
    oven = Edged(name="oven")
    oven.edge.stated = stated
    found = setpoint("edge", oven, unit="degC", limits=(-50, 300))
    found.check()
    assert found.limits == both
    with pytest.raises(CampaignError, match="limits"):
        setpoint("edge", oven, unit="degC").check()


def test_limits_that_are_no_numbers_allow_nothing() -> None:
    oven = Edged(name="oven")
    oven.edge.stated = (math.nan, math.nan)
    with pytest.raises(CampaignError, match="allow no value together"):
        setpoint("edge", oven, unit="degC", limits=(-50, 300)).check()


@pytest.mark.parametrize(
    ("name", "config", "said"),
    [
        ("bare", {"limits": (0, 1)}, r"setpoints.bare: oven_bare states no unit; add unit"),
        ("bare", {"unit": "mm"}, r"oven_bare states no limits; add limits: \[lowest, highest\] in mm"),
        ("x", {"unit": "K", "limits": (0, 1)}, r"is in 'degC' by its server, and its driver is written for K"),
    ],
)
def test_what_nobody_states_or_two_state_differently_is_told(name: str, config: Any, said: str) -> None:
    with pytest.raises(CampaignError, match=said):
        setpoint(name, **config).check()


class Slow(Oven):
    def set(self, value: float) -> None: ...


def test_a_device_with_parts_that_can_be_set_is_moved_as_a_whole_and_says_what_shows_where_it_is() -> None:
    slow = Slow(name="slow")
    limits: dict[str, Any] = {"unit": "degC", "limits": (0, 1)}
    assert setpoint("t", slow, readback="x").moved is slow
    setpoint("t", slow, readback="x", **limits).check()
    with pytest.raises(CampaignError, match=r"what is read of slow are x, bare, chamber; add readback: the one that"):
        setpoint("t", slow, **limits).check()
    with pytest.raises(CampaignError, match=r"moves several axes at once; add signal: one of pseudo1, real1, real2"):
        resolved("t", SetpointConfig(**limits), {"t": SPseudo1x3(name="three")}, "").check()


def test_a_part_is_found_by_its_path_its_name_or_as_the_device_itself() -> None:
    rig, axis = Rig(name="rig"), SynAxis(name="axis")
    assert setpoint("t", rig, signal="oven.x").moved is rig.oven.x
    assert setpoint("oven", rig).moved is rig.oven
    assert setpoint("position", axis).moved is axis
    assert resolved("x", SetpointConfig(), {"x": axis, "rig": rig}, "").moved is axis
    assert resolved("x", SetpointConfig(signal="rig.oven.x"), {"y": axis, "rig": rig}, "").moved is rig.oven.x


@pytest.mark.parametrize(
    ("name", "config", "said"),
    [
        ("chambre", {}, r"there is no chambre, did you mean 'chamber'; add signal: one of device, x, bare, chamber"),
        (
            "t",
            {"signal": "heater"},
            r"setpoints.t.signal: oven has no heater, did you mean .chamber.; allowed: x, bare, chamber",
        ),
        ("x", {"readback": "chambre"}, r"setpoints.x.readback: oven has no chambre, did you mean 'chamber'"),
    ],
)
def test_a_part_that_is_not_there_is_told(name: str, config: Any, said: str) -> None:
    with pytest.raises(CampaignError, match=said):
        setpoint(name, **config)


def test_a_readback_may_be_off_by_what_the_file_says_or_a_thousandth_of_the_range() -> None:
    assert setpoint("bare", unit="degC", limits=(0, 300), tolerance="0.5 K").tolerance == 0.5
    assert setpoint("bare", unit="degC", limits=(0, 300)).tolerance == pytest.approx(0.3)
    assert setpoint("bare", choices=("air", "argon")).tolerance == 0.0
