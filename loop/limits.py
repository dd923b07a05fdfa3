"""Whether a campaign lies within the limits of its instruments, as they state them or as the store keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from campaigns.campaign import Campaign
from campaigns.errors import CampaignError, LimitError, Problem
from campaigns.fidelity import all_steps
from campaigns.parameters import CategoricalConfig, OrdinalConfig, ParameterConfig
from campaigns.units import convert, to_unit
from campaigns.values import Scalar
from instruments.limits import Limits

if TYPE_CHECKING:
    from loop.reader import Reader
    from loop.store import Store

LIMITS = "limits"
"""Kind of the artefacts that hold, by station, what its instrument has last stated."""


class Stating(Protocol):
    """What states limits, and the units that they are in."""

    @property
    def limits(self) -> Limits:
        """What the settings may be."""

    def unit_of(self, setting: str) -> str:
        """Return the unit of a setting."""


@dataclass(frozen=True, slots=True)
class Stated:
    """What an instrument has stated, for those who have no instrument at hand."""

    limits: Limits
    units: Mapping[str, str]

    def unit_of(self, setting: str) -> str:
        """Return the unit of a setting; a setting that the instrument has not is refused by its limits."""
        return self.units.get(setting, "1")


def keep_limits(store: Store, instruments: Mapping[str, Stating]) -> None:
    """Keep what the instruments state, for the commands that change the space."""
    for station, instrument in instruments.items():
        limits = instrument.limits
        units = {key: instrument.unit_of(key) for key in limits.ranges}
        body = {"name": limits.name, "ranges": limits.ranges, "choices": limits.choices, "units": units}
        store.keep(LIMITS, station, body)


def kept_limits(reader: Reader) -> dict[str, Stated]:
    """Return station to what its instrument has last stated; nothing before the first run."""
    return {station: _stated(body) for station, body in reader.artefacts(LIMITS).items()}


def _stated(body: Mapping[str, Any]) -> Stated:
    ranges = {key: (float(low), float(high)) for key, (low, high) in body["ranges"].items()}
    choices = {key: tuple(texts) for key, texts in body["choices"].items()}
    return Stated(Limits(body["name"], ranges, choices), body["units"])


def check_limits(campaign: Campaign, instruments: Mapping[str, Stating]) -> None:
    """Check that the whole space lies within the limits of every station that may meet it.

    Raises:
        CampaignError: it does not; every problem at once.
    """
    problems = []
    for where, step in all_steps(campaign.workflow, campaign.fidelities):
        for station in step.stations:
            for key, value in step.recipe.items():
                problems += _outside(campaign, instruments[station], key, value, f"{where}.recipe.{key}")
    if problems:
        raise CampaignError(list(dict.fromkeys(problems)), campaign.name)


def _outside(campaign: Campaign, instrument: Stating, key: str, value: float | str, where: str) -> list[Problem]:
    try:
        if isinstance(value, str) and value.startswith("$"):
            parameter = campaign.space.all_parameters[value[1:]]
            extremes = [converted(v, parameter.unit, key, instrument) for v in _extremes(parameter)]
        else:
            extremes = [constant(value, key, instrument)]
        for extreme in extremes:
            instrument.limits.check({key: extreme})
    except (LimitError, ValueError) as error:
        return [Problem(where, str(error))]
    return []


def _extremes(parameter: ParameterConfig) -> list[Scalar]:
    if isinstance(parameter, CategoricalConfig | OrdinalConfig):
        found: list[Scalar] = list(parameter.levels)
    else:
        ends = (parameter.low, parameter.high, parameter.lowest, parameter.highest)
        found = [end for end in ends if end is not None]
    return found if parameter.otherwise is None else [*found, parameter.otherwise]


def converted(value: Scalar, unit: str, key: str, instrument: Stating) -> Scalar:
    """Return a value in the unit of the instrument's setting; text stays as it is."""
    if isinstance(value, str):
        return value
    return convert(float(value), unit, instrument.unit_of(key))


def constant(value: float | str, key: str, instrument: Stating) -> Scalar:
    """Return a constant of a recipe in the unit of the instrument's setting."""
    return value if key in instrument.limits.choices else to_unit(value, instrument.unit_of(key))
