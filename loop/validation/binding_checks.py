"""What can be told of a station's plain ophyd devices before they are there: settings, units, limits, owners."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import griffe

from campaigns.campaign import Campaign
from campaigns.errors import Problem, suggestion
from campaigns.fidelity import all_steps
from campaigns.laboratory import StationConfig
from campaigns.setpoints import SetpointConfig
from campaigns.user_code.definitions import Definition, define
from campaigns.user_code.plain_devices import class_made, class_path
from instruments.built_in import InstrumentFacts, Setting
from loop.validation.device_facts import component_classes, runs_jobs

SIGNALS = ("ophyd.Signal", "ophyd.signal.Signal")
_AXES = ("ophyd.sim.SynAxis",)
"""Simulated axes, which state a unit, but no limits."""


def has_plain_devices(station: StationConfig, folder: Path) -> bool:
    """Return whether a station is one of plain devices, as far as the source of its device says."""
    if station.device is None:
        return bool(station.devices)
    definition = define(station.device, folder)
    return bool(station.setpoints or class_path(definition)) and not runs_jobs(definition)


def plain_facts(station: StationConfig) -> tuple[InstrumentFacts, tuple[str, ...]]:
    """Return what the campaign file says of a station's settings, and those that only the devices can tell more of."""
    told = {key: _setting(one) for key, one in station.setpoints.items()}
    untold = tuple(key for key, one in told.items() if one is None)
    return InstrumentFacts({key: one or Setting() for key, one in told.items()}), untold


def plain_problems(campaign: Campaign, names: Iterable[str], folder: Path) -> Iterator[Problem]:
    """Yield what cannot be bound of the stations with plain devices, each with its reason.

    Args:
        campaign: the validated campaign.
        names: of these stations.
        folder: where the campaign file stands.
    """
    owners: dict[str, str] = {}
    for name in names:
        station = campaign.stations[name]
        found = {key: define(one.device, folder) for key, one in station.bound.items()}
        for key, setpoint in station.setpoints.items() if station.plan is None else ():
            yield from _setpoint(f"stations.{name}.setpoints.{key}", (key, setpoint), found)
        yield from _recipes(campaign, name)
        for key, definition in found.items() if station.plan is not None else ():
            if runs_jobs(definition):
                message = "is a JobInstrument, which does its jobs by itself; a plan needs plain devices"
                yield Problem(f"stations.{name}", f"{station.bound[key].device} {message}")
        for key, one in station.bound.items():
            if isinstance(found[key].found, griffe.Class) and not one.settings:
                continue  # each station gets a device of its own
            where = station.place_of(key, name)
            if (owner := owners.setdefault(f"{one.device} {one.settings}", where)) != where:
                yield Problem(where, f"{one.device} is at {owner} already; a device belongs to one station, once")


def _setting(config: SetpointConfig) -> Setting | None:
    """Return what the file says a recipe may set; None where it leaves something to the device."""
    if config.choices:
        return Setting(choices=config.choices)
    if config.unit is None or config.limits is None:
        return None
    return Setting(config.unit, config.limits)


def _setpoint(where: str, named: tuple[str, SetpointConfig], found: Mapping[str, Definition]) -> Iterator[Problem]:
    """Yield that there is no such part, or that a part which states nothing is left without unit or limits."""
    key, config = named
    parts = (config.signal or key).split(".")
    if parts[0] in found:
        home, parts = found[parts[0]], parts[1:]
    else:
        home = next(iter(found.values()))
    path = class_path(home)
    if parts:
        components = component_classes(home if class_made(home) is None else class_made(home))
        if components is None:
            if config.signal or path not in _AXES:
                return
        elif parts[0] in components:
            path = components[parts[0]]
            if len(parts) > 1 and path in SIGNALS:
                yield Problem(f"{where}.signal", f"{parts[0]} is a plain ophyd Signal, so that there is no {parts[1]}")
            if len(parts) > 1:
                return
        elif config.signal or path not in _AXES:
            names = [*(found if len(found) > 1 else ()), *components]
            said = f"there is no {parts[0]}{suggestion(parts[0], names)}"
            yield Problem(where, f"{said}; add signal: one of {', '.join(names)}" if names else f"{said} to be set")
            return
    yield from _unstated(where, config, path)


def _unstated(where: str, config: SetpointConfig, path: str) -> Iterator[Problem]:
    lacking = [key for key in ("unit", "limits") if getattr(config, key) is None]
    if config.choices or not lacking:
        return
    if path in SIGNALS:
        advice = " and ".join({"unit": "unit: ...", "limits": "limits: [lowest, highest]"}[key] for key in lacking)
        yield Problem(where, f"a plain ophyd Signal states neither unit nor limits; add {advice}, or choices of a text")
    elif path in _AXES and config.limits is None:
        yield Problem(where, f"{path} states no limits; add limits: [lowest, highest]")


def _recipes(campaign: Campaign, name: str) -> Iterator[Problem]:
    """Yield what a recipe sets although the station does not say what that is."""
    known = campaign.stations[name].setpoints
    for where, step in all_steps(campaign.workflow, campaign.fidelities):
        for key in step.recipe if name in step.stations else ():
            if key not in known:
                allowed = f"allowed: {', '.join(known)}" if known else "it has none"
                advice = f"add it to stations.{name}.setpoints: {{{key}: {{unit: ..., limits: [..., ...]}}}}"
                yield Problem(f"{where}.recipe.{key}", f"{name} has no setpoint {key!r}; {allowed}; {advice}")
