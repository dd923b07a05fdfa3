"""Whether what a campaign tells its stations is allowed by the lab file, told before anything is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from campaigns.campaign import Campaign
from campaigns.combinations import combinations
from campaigns.errors import Problem, suggestion
from campaigns.fidelity import all_steps
from campaigns.lab_rules import LabStationConfig
from campaigns.laboratory import StationConfig, StepConfig
from campaigns.user_code.definitions import Definition, define
from campaigns.user_code.plain_devices import class_made
from instruments.built_in import InstrumentFacts
from loop.validation.device_facts import component_classes


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
    """Yield keys of limits and of the safe state that the one device of a station lacks, where its source says so."""
    if config.device is None or config.plan or not config.setpoints:
        return
    definition = define(config.device, folder)
    of = class_made(definition) or definition
    if (components := component_classes(of)) is None:
        return
    there = {bound for one in of.ancestors() if isinstance(one, Definition) for bound in one.bound()}
    for key in ("limits", "safe"):
        for part in getattr(config, key):
            first = part.removeprefix("device.").split(".")[0]
            if first not in {"device", *config.setpoints, *components, *there}:
                allowed = list(dict.fromkeys([*config.setpoints, *components]))
                message = f"unknown name {part!r}{suggestion(part, allowed)}; allowed: {', '.join(allowed)}"
                yield Problem(f"stations.{name}.{key}", message)


def _parts(config: StationConfig) -> list[str]:
    return list(dict.fromkeys([*config.setpoints, *config.bound]))


def _with_defaults(step: StepConfig, known: Mapping[str, InstrumentFacts]) -> StepConfig:
    """Return a step whose recipe says what the instruments take where it says nothing, if all take the same."""
    defaults = [known[station].defaults for station in step.stations if station in known]
    if len(defaults) != len(step.stations):
        return step
    same = {key: one for key, one in defaults[0].items() if all(other.get(key) == one for other in defaults)}
    return step.model_copy(update={"recipe": {**same, **step.recipe}})
