"""Forbidden combinations of a lab file, as a campaign can break them: by its recipes, its parameters, its material."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from campaigns.errors import UnitError
from campaigns.lab.conditions import Condition
from campaigns.lab.lab_rules import MATERIAL, LabFileConfig, LimitConfig
from campaigns.lab.laboratory import StepConfig
from campaigns.lab.setpoints import SetpointConfig
from campaigns.spaces.parameters import ParameterConfig
from campaigns.units import convert, to_unit
from campaigns.values import Scalar


@dataclass(frozen=True, slots=True)
class _Parameter:
    """A parameter that a recipe hands to a setting, and how its value becomes one in the setting's unit."""

    name: str
    otherwise: Scalar | None
    slope: float = 1.0
    zero: float = 0.0

    def value(self, parameters: Mapping[str, Scalar]) -> Scalar | None:
        found = parameters.get(self.name, self.otherwise)
        return found if found is None or isinstance(found, str) else found * self.slope + self.zero


@dataclass(frozen=True, slots=True)
class Combination:
    """A forbidden combination.

    Attributes:
        condition: holds where the combination is set; in the units of the settings.
        recipes: each way in which steps may set what it names: ``station.setting`` to a constant or a parameter.
    """

    condition: Condition
    recipes: tuple[Mapping[str, Scalar | _Parameter], ...]

    def broken(self, parameters: Mapping[str, Scalar], material: str | None = None) -> bool:
        """Return whether a candidate sets it; False where that depends on what no recipe says."""
        return any(self.condition.holds(_values(one, parameters, material)) is True for one in self.recipes)

    @property
    def parameters(self) -> frozenset[str]:
        """The parameters on which it depends."""
        return frozenset(v.name for one in self.recipes for v in one.values() if isinstance(v, _Parameter))

    @property
    def of_material(self) -> bool:
        """Whether it depends on the material."""
        return MATERIAL in self.condition.names


def combinations(
    rules: LabFileConfig, steps: Sequence[StepConfig], parameters: Mapping[str, ParameterConfig]
) -> tuple[Combination, ...]:
    """Return the forbidden combinations that a campaign's steps can set.

    Args:
        rules: the lab file.
        steps: of all fidelities.
        parameters: of the space.
    """
    found = (Combination(one, tuple(_recipes(one, rules, steps, parameters))) for one in rules.combinations)
    return tuple(one for one in found if one.recipes)


def _recipes(
    found: Condition, rules: LabFileConfig, steps: Sequence[StepConfig], parameters: Mapping[str, ParameterConfig]
) -> Iterator[Mapping[str, Scalar | _Parameter]]:
    """Yield what each choice of steps, one for each station that is named, sets of what a combination names."""
    named = [name.rpartition(".") for name in found.names if name != MATERIAL]
    stations = {station: {key for other, _, key in named if other == station} for station in rules.stations}
    choices = []
    for station, keys in stations.items():
        at = [step for step in steps if station in step.stations and keys & step.recipe.keys()]
        limits = {key: _limit(rules, station, key) for key in keys}
        choices.append([_told(station, keys, step, limits, parameters) for step in at] or [{}])
    for chosen in product(*choices):
        merged = {name: value for one in chosen for name, value in one.items()}
        if merged:
            yield merged


def _limit(rules: LabFileConfig, station: str, key: str) -> LimitConfig | SetpointConfig | None:
    config = rules.stations[station]
    return config.limits.get(key) or config.setpoints.get(key)


def _told(
    station: str,
    keys: set[str],
    step: StepConfig,
    limits: Mapping[str, LimitConfig | SetpointConfig | None],
    parameters: Mapping[str, ParameterConfig],
) -> dict[str, Scalar | _Parameter]:
    told: dict[str, Scalar | _Parameter] = {}
    for key in keys & step.recipe.keys():
        value, unit = step.recipe[key], getattr(limits[key], "unit", None)
        try:
            if not (isinstance(value, str) and value.startswith("$")):
                told[f"{station}.{key}"] = value if unit is None else to_unit(value, unit)
            elif value[1:] in parameters:
                told[f"{station}.{key}"] = _parameter(value[1:], parameters[value[1:]], unit)
        except UnitError:
            continue  # told where the recipe is held against the limits
    return told


def _parameter(name: str, parameter: ParameterConfig, unit: str | None) -> _Parameter:
    own = getattr(parameter, "unit", None)
    if unit is None or own is None:
        return _Parameter(name, parameter.otherwise)
    zero = convert(0.0, own, unit)
    return _Parameter(name, parameter.otherwise, convert(1.0, own, unit) - zero, zero)


def _values(
    recipe: Mapping[str, Scalar | _Parameter], parameters: Mapping[str, Scalar], material: str | None
) -> dict[str, Scalar | None]:
    found = {n: one.value(parameters) if isinstance(one, _Parameter) else one for n, one in recipe.items()}
    return {**found, MATERIAL: material}
