"""Bluesky's own installed tests of scans and plans, with our instruments as detectors and their settings as motors.

Each runs twice: on instruments that know jobs, and on plain devices that a file binds (``test_bound_...``).
Those that need no device are left out. Of a test that no instrument of ours can pass, the reason is given, and that it
fails is the claim: one that passes all the same makes this fail, as does one that fails without a reason.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import packaging.version  # noqa: F401  which Bluesky's tests expect to be loaded
import pytest
from bluesky.run_engine import RunEngine
from bluesky.tests import test_plans, test_scans
from ophyd.sim import SynAxis

from campaigns.lab.setpoints import SetpointConfig
from instruments.clock import WallClock
from instruments.devices.bound_instrument import Binding, BoundInstrument
from instruments.devices.device_plans import move_and_read
from instruments.devices.setpoint import resolved
from instruments.job_memory import JobMemory
from simulators.shared_state import LabSetup, StationKind
from simulators.virtual_lab import VirtualLab
from tests.labs import LinePhysics

DETECTORS: Mapping[str, StationKind] = {"det": "furnace", "det1": "diffractometer", "det2": "cycler"}
MOTORS = {"motor": "temperature", "motor1": "time", "motor2": "ramp_rate", "motor3": "lithium_excess"}
"""Name in Bluesky's tests to the setting of a furnace that stands for that motor."""

ONE_NUMBER = frozenset(
    {
        *("test_count", "test_tune_centroid", "test_absolute_spiral", "test_rel_spiral"),
        *("test_absolute_fermat_spiral", "test_relative_fermat_spiral", "test_spiral_square", "test_rel_spiral_square"),
    }
)
"""Tests that ask for one number under the detector's own name: they get one signal of an instrument."""
SETPOINT = "compares whole events with those of ophyd's axes, which read a setpoint beside the place; a setting is one"
PSEUDO = "asks for an axis that is computed from others; instruments have none"
PEAK = "asks for a detector whose reading follows the motor; no job is run in a scan"
PARTS = "asks for parts that ophyd's simulated detector has, by their names"
POSITION = "asks for a motor that knows its place without being read; a setting is read"
CANNOT: Mapping[str, str] = {
    "test_outer_product_ascan": SETPOINT,
    "test_outer_product_ascan_snaked": SETPOINT,
    "test_inner_product_ascan": SETPOINT,
    "test_outer_product_dscan": SETPOINT,
    "test_outer_product_dscan_snaked": SETPOINT,
    "test_inner_product_dscan": SETPOINT,
    "test_multi_motor_list_scan": SETPOINT,
    "test_multi_motor_rel_list_scan": SETPOINT,
    "test_multi_motor_rel_list_scan_list_input": SETPOINT,
    "test_list_grid_scan": SETPOINT,
    "test_list_grid_scan_snake": SETPOINT,
    "test_list_grid_scan_snake_list": SETPOINT,
    "test_rel_list_grid_scan": SETPOINT,
    "test_rel_list_grid_scan_snake": SETPOINT,
    "test_rel_list_grid_scan_snake_list": SETPOINT,
    "test_x2x_scan": SETPOINT,
    "test_adaptive_ascan": PEAK,
    "test_adaptive_dscan": PEAK,
    "test_mesh_pseudo": PSEUDO,
    "test_rmesh_pseudo": PSEUDO,
    "test_relative_pseudo": PSEUDO,
    "test_reset_wrapper": PSEUDO,
    "test_pseudo_mv": PSEUDO,
    "test_rd_fails": PARTS,
    "test_rd_device": PARTS,
    "test_errors_through_msg_mutator": POSITION,
}
"""Test that no instrument of ours can pass, to the reason."""


@pytest.fixture(name="RE")
def engine() -> Iterator[RunEngine]:
    found = RunEngine({}, loop=asyncio.new_event_loop())
    yield found
    found.loop.call_soon_threadsafe(found.loop.stop)
    found._th.join()
    found.loop.close()


@pytest.fixture
def db() -> None:
    """Stand for a data broker, which is not installed."""


@pytest.fixture
def hw(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    if request.node.name.startswith(BOUND):
        yield from bound_hardware(tmp_path, request.function.__name__ in ONE_NUMBER)
        return
    stations: dict[str, StationKind] = {**DETECTORS, "stand": "furnace"}
    lab = VirtualLab(LabSetup(stations, tmp_path, seed=1, faults=(), start=0.0), LinePhysics())
    found = SimpleNamespace(**{name: lab.instrument(name) for name in DETECTORS})
    for name, setting in MOTORS.items():
        signal = getattr(lab.instrument("stand"), setting)
        signal.name = name
        setattr(found, name, signal)
    if request.function.__name__ in ONE_NUMBER:
        found.det = lab.instrument("stand").peak_temperature
        found.det.name = "det"
        found.det.put(1.0)
    yield found
    lab.close()


BOUND = "test_bound_"


def bound_hardware(folder: Path, one_number: bool) -> Iterator[Any]:
    """Yield detectors that are bound plain devices, and their setpoints as motors."""
    clock, made = WallClock(), list[BoundInstrument]()

    def bound(name: str, devices: Mapping[str, Any], *setpoints: str) -> BoundInstrument:
        config = SetpointConfig(limits=(-1e4, 1e4))
        found = {key: resolved(key, config, devices, f"stations.{name}.setpoints.{key}") for key in setpoints}
        binding = Binding(devices, found, lambda recipe, _: move_and_read(list(devices.values()), found, recipe))
        kind = BoundInstrument.of(binding)
        made.append(kind(name=name, clock=clock, binding=binding, memory=JobMemory(folder / name)))
        return made[-1]

    found = SimpleNamespace(**{name: bound(name, {"axis": SynAxis(name=f"{name}_axis")}, "axis") for name in DETECTORS})
    stand = bound("stand", {name: SynAxis(name=f"stand_{name}") for name in MOTORS}, *MOTORS)
    for name in MOTORS:
        signal = getattr(stand, name)
        signal.name = name
        setattr(found, name, signal)
    if one_number:
        found.det = bound("other", {"det": SynAxis(name="other_det")}, "det").det
        found.det.name = "det"
        found.det.put(1.0)
    yield found
    for one in made:
        one.close()
    clock.close()


def with_devices() -> dict[str, Callable[..., None]]:
    """Return the tests that need a device, by name."""
    found = {name: one for module in (test_scans, test_plans) for name, one in vars(module).items()}
    tests = {name: one for name, one in found.items() if name.startswith("test_") and callable(one)}
    return {name: one for name, one in tests.items() if "hw" in inspect.signature(one).parameters}


def shortened(marks: list[pytest.Mark]) -> list[pytest.Mark]:
    """Return the parametrisations of a test with one value each: more take minutes and show no more."""
    return [
        pytest.mark.parametrize(mark.args[0], list(mark.args[1])[:1]).mark if mark.name == "parametrize" else mark
        for mark in marks
    ]


def failing(test: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(test)
    def fails(*values: Any, **settings: Any) -> None:
        with pytest.raises(Exception):  # noqa: B017, PT011  each fails in its own way
            test(*values, **settings)

    return fails


TESTS = with_devices()
for _name, _test in TESTS.items():
    _test.pytestmark = shortened(getattr(_test, "pytestmark", []))  # type: ignore[attr-defined]
    if _name in CANNOT:
        _test = failing(_test)
    globals()[_name.replace("test_", BOUND, 1)] = _test
    globals()[_name] = pytest.mark.slow(_test) if _name in ("test_plan_header", "test_grid_scans") else _test


def test_only_tests_that_there_are_have_a_reason_not_to_pass() -> None:
    assert set(CANNOT) <= set(TESTS)
    assert len(set(TESTS) - set(CANNOT)) >= 20
