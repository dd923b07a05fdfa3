"""What can be told of a station's plain ophyd devices before they are there: settings, units, limits, owners."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import griffe

from campaigns.campaign import Campaign
from campaigns.errors import Problem, suggestion
from campaigns.fidelity import all_steps
from campaigns.lab.laboratory import StationConfig
from campaigns.lab.setpoints import SetpointConfig
from campaigns.user_code.definitions import Definition, define
from campaigns.user_code.plain_devices import class_made, class_names, class_of, class_path, is_simulated
from campaigns.user_code.plan_functions import whole_arguments
from instruments.built_in import InstrumentFacts, Setting
from loop.validation.device_facts import component_classes, component_names, parts_read, runs_jobs

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
            yield from _readback_part(f"stations.{name}.setpoints.{key}", setpoint, found)
        yield from _recipes(campaign, name)
        yield from _whole_numbers(campaign, name, folder)
        for key, definition in found.items() if station.plan is not None else ():
            if runs_jobs(definition):
                message = "is a JobInstrument, which does its jobs by itself; a plan needs plain devices"
                yield Problem(f"stations.{name}", f"{station.bound[key].device} {message}")
        for key, one in station.bound.items():
            made_anew = isinstance(found[key].found, griffe.Class)
            if made_anew and (not one.settings or is_simulated(found[key])):
                continue  # each has a device of its own; settings of a real one may be its address
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
    if not parts and (wrong := [*_as_a_whole(where, config, home)]):
        yield from wrong
        return
    if parts:
        components = component_classes(home if class_made(home) is None else class_made(home))
        if components is None:
            yield from _unread(where, (config.signal or "", key), parts[0], found)
            if config.signal or path not in _AXES:
                return
        elif parts[0] in components:
            path = components[parts[0]]
            if len(parts) > 1 and path in SIGNALS:
                yield Problem(f"{where}.signal", f"{parts[0]} is a plain ophyd Signal, so that there is no {parts[1]}")
            if len(parts) > 1:
                return
        elif not config.signal and len(found) == 1 and _is_moved(home):
            path = ""
            yield from _readback(where, config, home)
        else:
            names = [*(found if len(found) > 1 else ()), *components]
            said = f"there is no {parts[0]}{suggestion(parts[0], names)}"
            yield Problem(where, f"{said}; add signal: one of {', '.join(names)}" if names else f"{said} to be set")
            return
    yield from _unstated(where, config, path)


def _unread(where: str, named: tuple[str, str], part: str, found: Mapping[str, Definition]) -> Iterator[Problem]:
    """Yield that devices whose parts cannot all be told have none of a setpoint's name, nor can be set themselves.

    Args:
        where: key path of the setpoint.
        named: its signal, empty where none is named, and its name.
        part: that is looked for.
        found: name to device of the station.
    """
    signal, key = named
    devices = list(found.values())
    if signal:
        devices = [found[signal.split(".")[0]]] if signal.split(".")[0] in found else devices[:1]
    classes = [class_of(one) for one in devices]
    names = [None if one is None else class_names(one) for one in classes]
    if any(one is None or part in one for one in names):
        return
    if not signal and len(devices) == 1 and _is_moved(devices[0]):
        return
    keys = [f"{key}." if len(found) > 1 and not signal else "" for key in (found if len(devices) > 1 else (key,))]
    parts = [f"{k}{name}" for k, one in zip(keys, classes, strict=True) if one for name in component_names(one)]
    known = [*(found if len(found) > 1 and not signal else ()), *parts]
    said = f"there is no {part if signal else key}{suggestion(part, known)}"
    kinds = " and ".join(one.name for one in classes if one is not None)
    what = "" if signal else f", and {kinds} cannot be set as a whole"
    yield Problem(where, f"{said}{what}; add signal: one of {', '.join(known)}" if known else f"{said}{what}")


def _is_moved(device: Definition, *, otherwise: bool = False) -> bool:
    """Return whether a device is moved as a whole, to one value; ``otherwise`` where its source does not say that."""
    made = class_of(device)
    names = None if made is None else class_names(made)
    return otherwise if names is None else "set" in names and "PseudoPosition" not in names


def _as_a_whole(where: str, config: SetpointConfig, device: Definition) -> Iterator[Problem]:
    """Yield that a device which a setpoint names cannot be set itself, or that none of its readings is its position."""
    made = class_of(device)
    if made is None or _is_moved(device, otherwise=True):
        yield from _readback(where, config, device)
        return
    parts = component_names(made)
    advice = f"; add signal: one of {', '.join(parts)}" if parts else ""
    yield Problem(where, f"{made.name} cannot be set as a whole{advice}")


def _readback_part(where: str, config: SetpointConfig, found: Mapping[str, Definition]) -> Iterator[Problem]:
    """Yield that there is no such part as is to show where a device is."""
    first, *rest = (config.readback or "").split(".")
    if first in found:
        home, first = found[first], rest[0] if rest else ""
    else:
        home = next(iter(found.values()))
    made = class_of(home)
    names = None if made is None else class_names(made)
    if first and made is not None and names is not None and first not in names:
        known = component_names(made)
        message = f"{made.name} has no {first}{suggestion(first, known)}; allowed: {', '.join(known) or 'nothing'}"
        yield Problem(f"{where}.readback", message)


def _readback(where: str, config: SetpointConfig, device: Definition) -> Iterator[Problem]:
    """Yield that a device moved as a whole has several readings, and nobody says which is its position."""
    made = class_of(device)
    read = [] if made is None or config.readback else parts_read(made)
    if len(read) > 1:
        message = f"what is read of {made.name if made else ''} are {', '.join(read)}; add readback: the one that shows"
        yield Problem(where, f"{message} where it is")


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


def _whole_numbers(campaign: Campaign, name: str, folder: Path) -> Iterator[Problem]:
    """Yield that a recipe gives a plan any number for an argument that takes whole numbers alone."""
    path = campaign.stations[name].plan
    whole = [] if path is None else whole_arguments(define(path, folder))
    for where, step in all_steps(campaign.workflow, campaign.fidelities):
        for key in whole if name in step.stations else ():
            given = step.recipe.get(key)
            named = str(given).removeprefix("$")
            parameter = campaign.space.all_parameters.get(named) if isinstance(given, str) else None
            if parameter is not None and parameter.kind == "float":
                message = f"{path} takes {key} as int, and {given} is any number; declare {named} as kind: integer"
                yield Problem(f"{where}.recipe.{key}", f"{message}, or the argument as float")
            elif isinstance(given, float) and not given.is_integer():
                yield Problem(f"{where}.recipe.{key}", f"{path} takes {key} as int; got {given:g}; allowed: 1, 2, ...")
