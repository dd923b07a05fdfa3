"""Whether what a campaign tells its stations is allowed by the lab file, told before anything is there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from campaigns.campaign import Campaign
from campaigns.errors import Problem, suggestion
from campaigns.fidelity import all_steps
from campaigns.lab.combinations import combinations
from campaigns.lab.lab_rules import LabStationConfig
from campaigns.lab.laboratory import StationConfig, StepConfig
from campaigns.user_code.definitions import Definition, define
from campaigns.user_code.plain_devices import class_made, is_ophyd
from instruments.built_in import InstrumentFacts
from loop.validation.binding_checks import SIGNALS, has_plain_devices
from loop.validation.device_facts import bound_names, component_classes, component_definition


def rule_problems(campaign: Campaign, known: Mapping[str, InstrumentFacts], folder: Path) -> Iterator[Problem]:
    """Yield what of a lab file names nothing at its stations, and what of a campaign it always forbids.

    Args:
        campaign: may name a lab file.
        known: station to what its instrument may be told, where that is known.
        folder: where the campaign file stands.
    """
    rules = campaign.rules
    if rules is None:
        return
    for name, config in rules.stations.items():
        yield from _unnamed(name, config, known.get(name))
        yield from _no_part(name, config, folder)
    steps = [_with_defaults(step, known) for _, step in all_steps(campaign.workflow, campaign.fidelities)]
    for one in combinations(rules, steps, campaign.space.all_parameters):
        if not one.parameters and not one.of_material and one.broken({}):
            message = f"the lab file forbids what it says: {one.condition.text}; change the recipe"
            yield Problem("workflow", message)


def _unnamed(name: str, config: LabStationConfig, known: InstrumentFacts | None) -> Iterator[Problem]:
    """Yield keys of limits and of the safe state that are no part of a station, as far as that is known."""
    plain = bool(config.bound or config.plan) and (config.setpoints or config.plan or len(config.bound) > 1)
    for key in ("limits", "safe"):
        for part in getattr(config, key):
            allowed = _parts(config) if plain else list(known.settings) if known is not None else []
            fits = part.split(".")[0] in allowed if plain else part in allowed or key == "safe"
            if allowed and not fits and not (plain and len(config.bound) == 1):
                message = f"unknown name {part!r}{suggestion(part, allowed)}; allowed: {', '.join(allowed)}"
                yield Problem(f"stations.{name}.{key}", message)
    for part, limit in config.limits.items():
        if limit.rate is not None and not (config.bound or config.plan):
            message = "its instrument runs programs by itself; limit the setting that states the rate instead"
            yield Problem(f"stations.{name}.limits.{part}.rate", message)


def _no_part(name: str, config: LabStationConfig, folder: Path) -> Iterator[Problem]:
    """Yield keys of limits and of the safe state that the devices of a station lack, where their source says so."""
    if config.plan or not config.bound or not (config.setpoints or config.devices):
        return
    found = {key: define(one.device, folder) for key, one in config.bound.items()}
    for key in ("limits", "safe"):
        for part in getattr(config, key):
            first, *rest = part.split(".")
            if part in config.setpoints or (first not in found and len(found) > 1):
                continue
            home, names = (found[first], rest) if first in found else (next(iter(found.values())), [first, *rest])
            if why := _lacking(home, names, () if rest else config.setpoints):
                yield Problem(f"stations.{name}.{key}", why)


def _lacking(home: Definition, names: Sequence[str], others: Iterable[str]) -> str:
    """Return what a device has not of the names that lead to one of its parts, each a part of the one before.

    Args:
        home: the device, or its class.
        names: of the parts.
        others: what else may be named in the place of a part.
    """
    of: Definition | None = class_made(home) or home
    for depth, name in enumerate(names):
        if of is None or (components := component_classes(of)) is None:
            return ""
        if name not in components:
            allowed = list(dict.fromkeys([*(others if depth == 0 else ()), *components]))
            listed = ", ".join(allowed) or "none"
            known = name in bound_names(of)
            message = f"unknown name {'.'.join(names)!r}: there is no {name!r}{suggestion(name, allowed)}"
            return "" if known else f"{message}; allowed: {listed}"
        if components[name] in SIGNALS and names[depth + 1 :]:
            return f"{name} is a plain ophyd Signal, so that there is no {names[depth + 1]}"
        of = component_definition(of, name)
    return ""


def unstoppable(campaign: Campaign, folder: Path) -> Iterator[str]:
    """Yield the plain devices that nobody can stop, of stations without a safe state, as far as that is known."""
    for name, config in campaign.stations.items():
        if config.plan or not has_plain_devices(config, folder) or getattr(config, "safe", {}):
            continue
        for key, one in config.bound.items():
            definition = define(one.device, folder)
            if _never_stops(class_made(definition) or definition):
                advice = "an abort leaves it as it was set; add safe to its station in a lab file, or a method stop"
                yield f"{config.place_of(key, name)}: {one.device} has no stop of its own: {advice}"


def _never_stops(definition: Definition) -> bool:
    """Return whether it is known that nothing stops a device: neither itself nor one of its parts."""
    components = component_classes(definition)
    if components is None or "stop" in bound_names(definition):
        return False
    parts = {name: component_definition(definition, name) for name in components}
    return all(path in SIGNALS or _part_never_stops(parts[name]) for name, path in components.items())


def _part_never_stops(definition: Definition | None) -> bool:
    return definition is not None and (_signal(definition) or _never_stops(definition))


def _signal(definition: Definition) -> bool:
    """Return whether a class is a signal without a stop of its own."""
    roots = [one for one in definition.ancestors() if isinstance(one, str) or is_ophyd(one.path)]
    return bool(roots) and _name_of(roots[0]) == "Signal" and "stop" not in bound_names(definition)


def _name_of(one: Definition | str) -> str:
    return (one if isinstance(one, str) else one.path).rsplit(".", maxsplit=1)[-1]


def _parts(config: StationConfig) -> list[str]:
    return list(dict.fromkeys([*config.setpoints, *config.bound]))


def _with_defaults(step: StepConfig, known: Mapping[str, InstrumentFacts]) -> StepConfig:
    """Return a step whose recipe says what the instruments take where it says nothing, if all take the same."""
    defaults = [known[station].defaults for station in step.stations if station in known]
    if len(defaults) != len(step.stations):
        return step
    same = {key: one for key, one in defaults[0].items() if all(other.get(key) == one for other in defaults)}
    return step.model_copy(update={"recipe": {**same, **step.recipe}})
