"""Where a lab computes: on this machine unless it says otherwise, and only at an address that can be one."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from campaigns.checks.consistency import _devices as stations_problems
from campaigns.lab.laboratory import LabConfig, ProcessesConfig, RayConfig, StationConfig

LAB: TypeAdapter[LabConfig] = TypeAdapter(LabConfig)
REAL = {"kind": "real"}
LABS = [{"kind": "virtual"}, {"kind": "epics"}, {"kind": "custom", "factory": "own.lab:build"}]


@pytest.mark.parametrize("lab", LABS)
def test_every_lab_may_name_a_cluster(lab: dict[str, str]) -> None:
    assert LAB.validate_python(lab).compute == ProcessesConfig(kind="processes")
    named = LAB.validate_python(lab | {"compute": {"kind": "ray", "address": "head.lab:6379"}})
    assert named.compute == RayConfig(kind="ray", address="head.lab:6379")


def test_without_an_address_it_is_the_cluster_of_this_machine() -> None:
    compute = LAB.validate_python({"kind": "virtual", "compute": {"kind": "ray"}}).compute
    assert isinstance(compute, RayConfig)
    assert compute.address == "auto"


@pytest.mark.parametrize("address", ["", "head", "head:", ":6379", "http://head:6379", "head:port"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ValidationError, match="address"):
        LAB.validate_python({"kind": "virtual", "compute": {"kind": "ray", "address": address}})


SIMULATED = {"kind": "simulated", "experiment": "simulators.flow_synthesis:reactor"}


@pytest.mark.parametrize(
    ("station", "lab", "where"),
    [
        (SIMULATED, {"kind": "virtual"}, ""),
        ({"kind": "simulated"}, {"kind": "virtual"}, "stations.reactor.experiment"),
        (SIMULATED | {"kind": "furnace"}, {"kind": "virtual"}, "stations.reactor.experiment"),
        (SIMULATED, LABS[2], "stations.reactor.kind"),
    ],
)
def test_a_simulated_station_names_its_experiment_and_stands_in_a_simulated_lab(
    station: dict[str, Any], lab: dict[str, Any], where: str
) -> None:
    sections = {"stations": {"reactor": StationConfig(**station)}, "lab": LAB.validate_python(lab)}
    assert [problem.where for problem in stations_problems(sections)] == ([where] if where else [])


@pytest.mark.parametrize(
    ("station", "words"),
    [
        ({"kind": "device", "device": "ophyd.sim:motor"}, "such as position_wanted, with signal: position"),
        ({"kind": "plan", "plan": "ours:move"}, "call the plan's argument otherwise"),
    ],
)
def test_a_setpoint_has_no_name_that_instruments_have_themselves(station: dict[str, Any], words: str) -> None:
    setpoints = {"position": {"unit": "mm", "limits": [0, 1]}, "x": {"unit": "mm", "limits": [0, 1]}}
    stage = StationConfig.model_validate(station | {"setpoints": setpoints})
    sections = {"stations": {"stage": stage}, "lab": LAB.validate_python(REAL)}
    (problem,) = stations_problems(sections)
    assert problem.where == "stations.stage.setpoints.position"
    assert "position is a name that each instrument has itself; " in problem.message
    assert words in problem.message
