"""From a station's plain ophyd devices, as a campaign file names them, to an instrument that runs jobs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from campaigns.errors import AthanorError, CampaignError, LabError, NoAnswerError, Problem, called, raised_by
from campaigns.lab.laboratory import DeviceConfig, RealLabConfig, StationConfig
from campaigns.user_code.dotted_paths import BY_THE_WAY, Use, given_to_plan
from campaigns.user_code.loading import load_object
from campaigns.values import Scalar
from instruments.clock import Clock
from instruments.devices.bound_instrument import Binding, BoundInstrument
from instruments.devices.device_plans import move_and_read
from instruments.devices.setpoint import BoundSetpoint, resolved
from instruments.job_instrument import Quantity
from instruments.job_memory import JobMemory
from instruments.places import with_places
from instruments.plan_mistakes import watched
from instruments.plan_runner import Plan, PlanRunner, is_suspender
from instruments.run_context import RunContext
from instruments.step_errors import is_silence

WhatIsDone = Callable[[Mapping[str, Scalar], Mapping[str, Any]], Plan]
_GRACE = 5.0
"""Wall time in seconds that a device of ophyd-async has to say that it does not answer."""
CONNECTING = 10.0
"""Wall time in seconds that a device may take to answer in a lab that states none. Not tuned: EPICS takes 0.2 s."""


@dataclass(frozen=True, slots=True)
class JobRecords:
    """Where plain devices have their jobs remembered, and what else a campaign's stations have in common.

    Attributes:
        state: folder beside the store.
        patience: wall time in seconds that a device may take to answer.
        context: what the runs of plans have in common.
        lab: how EPICS is spoken, in a lab of the file's own.
    """

    state: Path
    patience: float = CONNECTING
    context: RunContext = field(default_factory=RunContext)
    lab: RealLabConfig | None = None


def bound_instrument(
    station: tuple[str, StationConfig], found: Mapping[str, Any], clock: Clock, records: JobRecords
) -> BoundInstrument:
    """Return the instrument of a station with plain devices.

    Args:
        station: its name, and what the campaign file says of it.
        found: name to what each device's dotted path names: a class, or a device.
        clock: the lab's clock.
        records: where its jobs are remembered.

    Raises:
        CampaignError: a device cannot be made, or lacks what the file says of it.
        NoAnswerError: a device does not answer.
        LabError: it raises another error when it is asked for its limits or its unit.
    """
    name, config = station
    devices = {key: _device(station, key, one) for key, one in found.items()}
    runner = PlanRunner(_suspenders(name, config), records.context)
    for key, device in devices.items():
        _wait_for(device, config.bound[key].device, records.patience, runner)
    setpoints = _setpoints(station, devices, runner)
    for key, setpoint in setpoints.items():
        _checked(setpoint, f"{name}: setpoint {key}", config.bound)
    what = _moving(devices, setpoints) if config.plan is None else _planned(name, config, devices)
    binding = Binding(devices, setpoints, what, config.units, runner)
    memory = JobMemory(memory_folder(records.state, name))
    kind = BoundInstrument.of(binding)
    if config.plan is not None and config.capacity > 1:
        kind = with_places(kind, config.capacity, config.own)
    return kind(name=name, clock=clock, binding=binding, memory=memory)


def _checked(setpoint: BoundSetpoint, what: str, devices: Mapping[str, DeviceConfig]) -> None:
    try:
        setpoint.check()
    except Exception as error:  # a device may raise anything
        if isinstance(error, AthanorError) or is_silence(error):
            raise
        path = next((one.device for one in devices.values()), "")
        raise LabError(f"{what} cannot be asked what it may be: {raised_by(error, path)}") from error


def _setpoints(
    station: tuple[str, StationConfig], devices: Mapping[str, Any], runner: PlanRunner
) -> dict[str, BoundSetpoint]:
    """Return name to what a recipe sets: parts of devices, or the arguments of a plan."""
    name, config = station
    where = f"stations.{name}.setpoints"
    if config.plan is None:
        named = config.setpoints.items()
        return {key: resolved(key, one, devices, f"{where}.{key}", runner.ask) for key, one in named}
    arguments = {key: Quantity(name=key, value=0.0) for key in config.setpoints}
    return {
        key: BoundSetpoint(key, f"{where}.{key}", arguments[key], arguments[key], one)
        for key, one in config.setpoints.items()
    }


def _suspenders(name: str, config: StationConfig) -> list[Any]:
    """Return the suspenders of a station's plan."""
    found = []
    for i, path in enumerate(config.suspenders):
        where = f"stations.{name}.suspenders[{i}]"
        made = called(load_object(path, where, Use.SUSPENDER), path, where)
        if not is_suspender(made):
            message = f"{path} returned a {type(made).__name__}; needed: a bluesky.suspenders.SuspenderBase"
            raise CampaignError([Problem(where, message)])
        found.append(made)
    return found


def load_devices(name: str, config: StationConfig) -> dict[str, Any]:
    """Return name to what the dotted path of each of a station's devices names.

    Raises:
        CampaignError: it is not there, or is no device.
    """
    return {
        key: load_object(one.device, config.place_of(key, name), Use.DEVICE, one.settings)
        for key, one in config.bound.items()
    }


def memory_folder(state: Path, station: str) -> Path:
    """Return where a station's jobs are remembered, in the folder of what the lab remembers."""
    return state / station


def _device(station: tuple[str, StationConfig], key: str, found: Any) -> Any:
    """Return a device: the one that is named, or one of the class that is named."""
    if not isinstance(found, type):
        return found
    name, config = station
    one: DeviceConfig = config.bound[key]
    label = name if config.device is not None else f"{name}_{key}"
    return called(found, one.device, config.place_of(key, name), name=label, **one.settings)


def _wait_for(device: Any, path: str, patience: float, runner: PlanRunner) -> None:
    """Wait until a device answers; one of ophyd-async is connected on the loop on which it is driven.

    Raises:
        NoAnswerError: it does not.
        LabError: it raises an error.
    """
    try:
        if hasattr(device, "wait_for_connection"):
            device.wait_for_connection(timeout=patience)
        elif inspect.iscoroutinefunction(getattr(device, "connect", None)):
            _connect(device, patience, runner)
    except TimeoutError as error:
        raise NoAnswerError(f"{device.name} ({path}) does not answer within {patience:g} s: {error}") from error
    except Exception as error:  # a device may raise anything
        raise LabError(f"{device.name} ({path}) cannot be connected: {raised_by(error, path)}") from error


def _connect(device: Any, patience: float, runner: PlanRunner) -> None:
    """Connect a device of ophyd-async.

    Raises:
        TimeoutError: it does not answer.
    """
    from ophyd_async.core import NotConnectedError  # an extra; who has such a device has it

    try:
        runner.ask(device.connect(timeout=patience), patience + _GRACE)
    except NotConnectedError as error:
        raise TimeoutError(" ".join(str(error).split())) from error


def _moving(devices: Mapping[str, Any], setpoints: Mapping[str, BoundSetpoint]) -> WhatIsDone:
    def plan(recipe: Mapping[str, Scalar], _: Mapping[str, Any]) -> Plan:
        return move_and_read(list(devices.values()), setpoints, recipe)

    return plan


def _planned(name: str, config: StationConfig, devices: Mapping[str, Any]) -> WhatIsDone:
    """Return what calls a user's plan with the arguments that it has.

    Raises:
        CampaignError: it cannot be called with them, or is async.
    """
    path, where = str(config.plan), f"stations.{name}.plan"
    function = load_object(path, where, Use.PLAN, given_to_plan(config))
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise CampaignError([Problem(where, f"{path} is async, and Bluesky awaits no plan; write 'def'")])
    takes = inspect.signature(function)
    anything = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in takes.parameters.values())
    allowed = given_to_plan(config)
    others = [key for key in (*devices, *BY_THE_WAY) if key in allowed and (anything or key in takes.parameters)]
    given = (*others, *(key for key in config.setpoints if key not in config.own))
    try:
        takes.bind(**dict.fromkeys(given))
    except TypeError as error:
        raise CampaignError([Problem(where, f"{path} cannot be called with {', '.join(given)}: {error}")]) from error

    def plan(recipe: Mapping[str, Scalar], by_the_way: Mapping[str, Any]) -> Plan:
        known = {**devices, **by_the_way}
        told = {key: _whole(value, takes.parameters.get(key)) for key, value in recipe.items()}
        return (yield from watched(lambda: function(**{key: known[key] for key in others}, **told), path))

    plan.__name__ = getattr(function, "__name__", path)  # which start documents state
    return plan


def _whole(value: Scalar, parameter: inspect.Parameter | None) -> Scalar:
    """Return a whole number where an argument says that it is one."""
    wanted = parameter is not None and parameter.annotation in (int, "int")
    return int(value) if wanted and isinstance(value, float) and value.is_integer() else value
