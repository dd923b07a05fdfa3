"""Whether a campaign lies within the limits of its instruments, as they state them or as the store keeps them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from campaigns.campaign import Campaign
from campaigns.errors import CampaignError, LimitError, Problem
from campaigns.fidelity import all_steps
from campaigns.lab.lab_rules import LimitConfig
from campaigns.spaces.parameters import CategoricalConfig, OrdinalConfig, ParameterConfig
from campaigns.units import convert, same_numbers, to_unit
from campaigns.values import Scalar
from instruments.limits import Limits, readable

if TYPE_CHECKING:
    from loop.storage.reader import Reader
    from loop.storage.store import Store

LIMITS = "limits"
"""Kind of the artefacts that hold, by station, what its instrument has last stated."""


class HasLimits(Protocol):
    """What states limits, and the units that they are in."""

    @property
    def limits(self) -> Limits:
        """What the settings may be."""

    def unit_of(self, setting: str) -> str:
        """Return the unit of a setting."""


@dataclass(frozen=True, slots=True)
class RecordedLimits:
    """What an instrument has stated, for those who have no instrument at hand."""

    limits: Limits
    units: Mapping[str, str]
    untold: frozenset[str] = frozenset()
    """Settings whose limits only the instrument itself can tell."""

    def unit_of(self, setting: str) -> str:
        """Return the unit of a setting; a setting that the instrument has not is refused by its limits."""
        return self.units.get(setting, "1")


@dataclass(frozen=True, slots=True)
class RuledLimits:
    """What an instrument states, within the hard limits of the lab file."""

    instrument: HasLimits
    hard: Mapping[str, LimitConfig]

    @property
    def limits(self) -> Limits:
        """What the settings may be, asked of the instrument now."""
        stated = self.instrument.limits
        ranges, choices = dict(stated.ranges), dict(stated.choices)
        for key, limit in self.hard.items():
            if key in ranges and readable(*ranges[key]):
                low, high = limit.range
                ranges[key] = (max(ranges[key][0], low), min(ranges[key][1], high))
            elif key in choices:
                choices[key] = tuple(one for one in choices[key] if one in limit.choices)
            elif key in _untold(self.instrument) and limit.choices:
                choices[key] = limit.choices
            elif key in _untold(self.instrument):
                ranges[key] = limit.range
        return Limits(stated.name, ranges, choices)

    @property
    def untold(self) -> frozenset[str]:
        """Settings of which neither the lab file nor, before it is there, the instrument tells the limits."""
        return _untold(self.instrument) - self.hard.keys()

    def unit_of(self, setting: str) -> str:
        """Return the unit of a setting."""
        if setting in _untold(self.instrument) and setting in self.hard:
            return self.hard[setting].unit or "1"
        return self.instrument.unit_of(setting)


def _untold(instrument: HasLimits) -> frozenset[str]:
    """Return the settings whose limits only the instrument itself can tell, of one that is not there yet."""
    found: frozenset[str] = getattr(instrument, "untold", frozenset())
    return found


def ruled(campaign: Campaign, instruments: Mapping[str, HasLimits]) -> dict[str, HasLimits]:
    """Return what states the limits of each station, within those of the campaign's lab file."""
    rules = campaign.rules
    if rules is None:
        return dict(instruments)
    return {name: RuledLimits(one, rules.stations[name].limits) for name, one in instruments.items()}


def misstated(campaign: Campaign, instruments: Mapping[str, HasLimits]) -> Iterator[Problem]:
    """Yield hard limits of the lab file that cannot be compared with what an instrument states: other units, no text.

    Args:
        campaign: names the lab file.
        instruments: station to what states its limits; stations that are missing are left out.
    """
    rules = campaign.rules
    for name, config in rules.stations.items() if rules is not None else ():
        stated = instruments[name].limits if name in instruments else Limits(name, {}, {})
        for key, limit in config.limits.items():
            if (key in stated.choices and not limit.choices) or (key in stated.ranges and limit.choices):
                kind = "a text: give choices" if key in stated.choices else "a number: give unit, low and high"
                yield Problem(f"stations.{name}.limits.{key}", f"the setting is {kind}")
            elif key in stated.ranges and not same_numbers(unit := instruments[name].unit_of(key), limit.unit or "1"):
                said = f"the instrument has it in {unit}, and the lab file in {limit.unit}; write the limits in {unit}"
                yield Problem(f"stations.{name}.limits.{key}", said)


def keep_limits(store: Store, instruments: Mapping[str, HasLimits]) -> None:
    """Keep what the instruments state, for the commands that change the space."""
    for station, instrument in instruments.items():
        limits = instrument.limits
        units = {key: instrument.unit_of(key) for key in limits.ranges}
        body = {"name": limits.name, "ranges": limits.ranges, "choices": limits.choices, "units": units}
        store.keep(LIMITS, station, body)


def kept_limits(reader: Reader) -> dict[str, RecordedLimits]:
    """Return station to what its instrument has last stated; nothing before the first run."""
    return {station: _stated(body) for station, body in reader.artefacts(LIMITS).items()}


def _stated(body: Mapping[str, Any]) -> RecordedLimits:
    ranges = {key: (float(low), float(high)) for key, (low, high) in body["ranges"].items()}
    choices = {key: tuple(texts) for key, texts in body["choices"].items()}
    return RecordedLimits(Limits(body["name"], ranges, choices), body["units"])


def check_limits(campaign: Campaign, instruments: Mapping[str, HasLimits]) -> None:
    """Check that the whole space lies within the limits of every station that may meet it.

    Raises:
        CampaignError: it does not; every problem at once.
    """
    if problems := list(dict.fromkeys(outside_limits(campaign, instruments))):
        raise CampaignError(problems, campaign.name)


def outside_limits(campaign: Campaign, instruments: Mapping[str, HasLimits]) -> Iterator[Problem]:
    """Yield what of the recipes lies outside of the limits of the stations that are known, or is no setting of theirs.

    Args:
        campaign: space, workflow and fidelities, and the lab file whose hard limits hold too.
        instruments: station to what states its limits; stations that are missing are left out.
    """
    told: dict[Problem, dict[str, None]] = {}
    for name, problem in _all_outside(campaign, ruled(campaign, instruments)):
        said = problem.message.removeprefix(f"{name}: ")
        names = told.setdefault(replace(problem, message=said), {})
        names |= {name: None} if said != problem.message else {}
    for problem, names in told.items():
        yield replace(problem, message=f"{', '.join(names)}: {problem.message}") if names else problem


def _all_outside(campaign: Campaign, instruments: Mapping[str, HasLimits]) -> Iterator[tuple[str, Problem]]:
    """Yield what each instrument by itself has against the recipes, with its name."""
    for where, step in all_steps(campaign.workflow, campaign.fidelities):
        for instrument in [instruments[name] for name in step.stations if name in instruments]:
            untold = _untold(instrument)
            for key in [key for key in step.recipe if key not in untold]:
                found = _outside(campaign, instrument, key, step.recipe[key], f"{where}.recipe.{key}")
                yield from ((instrument.limits.name, problem) for problem in found)


class Setpoint(Protocol):
    """What has settings, some of them with defaults."""

    @property
    def settings(self) -> Collection[str]:
        """Names of what a recipe says."""

    @property
    def defaults(self) -> Mapping[str, Scalar]:
        """Values of the settings that a recipe may leave out."""


def missing_settings(campaign: Campaign, instruments: Mapping[str, Setpoint]) -> Iterator[Problem]:
    """Yield the settings that no recipe gives although they have no default: an instrument would start no job."""
    for where, step in all_steps(campaign.workflow, campaign.fidelities):
        for station in [name for name in step.stations if name in instruments]:
            one = instruments[station]
            for key in [key for key in one.settings if key not in one.defaults and key not in step.recipe]:
                yield Problem(
                    f"{where}.recipe", f"says no {key}, which {station} needs; add {key}: a value, or $parameter"
                )


def _outside(campaign: Campaign, instrument: HasLimits, key: str, value: float | str, where: str) -> list[Problem]:
    known = instrument.limits
    try:
        if key not in known.ranges and key not in known.choices:
            known.check({key: 0.0})  # says what there is
        if isinstance(value, str) and value.startswith("$"):
            parameter = campaign.space.all_parameters[value[1:]]
            told = [converted(v, parameter.unit, key, instrument) for v in extremes(parameter)]
        else:
            told = [constant(value, key, instrument)]
        for one in told:
            instrument.limits.check({key: one})
    except LimitError as error:
        name = str(value).removeprefix("$")
        own = f"${name}" == value and name in campaign.space.parameters and key in known.ranges
        return [Problem(f"space.parameters.{name}" if own else where, _in_words(str(error), instrument, key))]
    except ValueError as error:
        return [Problem(where, f"{key} of {instrument.limits.name}: {error}")]
    return []


def _in_words(said: str, instrument: HasLimits, key: str) -> str:
    """Return what an instrument's limits say, with the unit and what to do, where nothing could have moved yet."""
    said = said.removesuffix("; nothing was moved").replace(", so that nothing was moved", "")
    if key not in instrument.limits.ranges or "allowed: " not in said:
        return said
    unit = "" if instrument.unit_of(key) == "1" else f" {instrument.unit_of(key)}"
    said = re.sub(r"got (-?[\d.]+(e[-+]?\d+)?);", lambda found: f"got {float(found[1]):.6g}{unit};", said)
    return f"{said}{unit}; keep to that, or use another instrument"


def extremes(parameter: ParameterConfig) -> list[Scalar]:
    """Return the values of a parameter between which all others lie, and what is told where it does not apply."""
    if isinstance(parameter, CategoricalConfig | OrdinalConfig):
        found: list[Scalar] = list(parameter.levels)
    else:
        ends = (parameter.low, parameter.high, parameter.lowest, parameter.highest)
        found = [end for end in ends if end is not None]
    return found if parameter.otherwise is None else [*found, parameter.otherwise]


def converted(value: Scalar, unit: str, key: str, instrument: HasLimits) -> Scalar:
    """Return a value in the unit of the instrument's setting; text stays as it is."""
    if isinstance(value, str):
        return value
    return convert(float(value), unit, instrument.unit_of(key))


def constant(value: float | str, key: str, instrument: HasLimits) -> Scalar:
    """Return a constant of a recipe in the unit of the instrument's setting."""
    return value if key in instrument.limits.choices else to_unit(value, instrument.unit_of(key))
