"""From an operator's words, such as ``temperature=600..900 degC``, to changes of a campaign."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from campaigns.amendments import (
    AddLevel,
    CampaignChange,
    FixParameter,
    ReleaseParameter,
    RemoveLevel,
    SetBounds,
    SetWeights,
    amended,
    open_parameters,
)
from campaigns.campaign import Campaign
from campaigns.errors import CampaignError, Problem, suggestion
from campaigns.spaces.mixtures import MixtureConfig
from campaigns.spaces.parameters import CategoricalConfig, FloatConfig, IntegerConfig, OrdinalConfig, ParameterConfig
from campaigns.spaces.settings_columns import broken_mixture
from campaigns.units import last_digit, split_quantity, to_unit
from campaigns.values import Candidate, Scalar

_MATERIAL = "material"


def pairs(words: Sequence[str]) -> dict[str, str]:
    """Return name to text of words such as ``name=text``.

    Raises:
        CampaignError: a word is no such pair, or a name stands there twice.
    """
    found: dict[str, str] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals or not name or not text:
            raise wrong(word, "allowed: NAME=VALUE, in quotes where there are spaces, such as 'time=12 h'")
        if name in found:
            raise wrong(word, f"got {name} twice; allowed: once")
        found[name] = text
    return found


def wrong(where: str, message: str) -> CampaignError:
    """Return the error that a word of the command line is wrong."""
    return CampaignError([Problem(where, message)], "")


@dataclass(frozen=True)
class AmendmentParser:
    """Reads words by the names, units and levels of a campaign.

    Attributes:
        campaign: of the file.
        before: its changes so far.
    """

    campaign: Campaign
    before: Sequence[CampaignChange]

    @cached_property
    def now(self) -> Campaign:
        """The current campaign version."""
        return amended(self.campaign, self.before)

    @cached_property
    def parameters(self) -> Mapping[str, ParameterConfig]:
        """The parameters with their bounds and levels, as if none were fixed."""
        return open_parameters(self.campaign, self.before)

    def weights(self, given: Mapping[str, str]) -> list[CampaignChange]:
        """Return ``band_gap=0.7`` as a change; a term is named by its metric, or by its place where that is not one."""
        return [SetWeights(weights={self._term(name): _weight(name, text) for name, text in given.items()})]

    def bounds(self, given: Mapping[str, str]) -> list[CampaignChange]:
        """Return ``temperature=600..900 degC`` as a change; an end that is left out stays."""
        return [self._bounds(name, text) for name, text in given.items()]

    def fixed(self, given: Mapping[str, str]) -> list[CampaignChange]:
        """Return ``atmosphere=oxygen`` as a change."""
        return [FixParameter(parameter=n, value=value(self._parameter(n), text, n)) for n, text in given.items()]

    def released(self, names: Sequence[str]) -> list[CampaignChange]:
        """Return ``atmosphere`` as a change."""
        return [ReleaseParameter(parameter=name) for name in names]

    def level(self, given: Mapping[str, str], descriptors: Mapping[str, str]) -> list[CampaignChange]:
        """Return ``atmosphere=argon`` as a change, with the descriptors of the new level."""
        name, text = _one_level(given)
        described = {key: _number(key, one) for key, one in descriptors.items()}
        return [AddLevel(parameter=name, level=value(self._parameter(name), text, name), descriptors=described)]

    def removed_level(self, given: Mapping[str, str]) -> list[CampaignChange]:
        """Return ``atmosphere=argon`` as a change that removes this level."""
        name, text = _one_level(given)
        return [RemoveLevel(parameter=name, level=value(self._parameter(name), text, name))]

    def _term(self, name: str) -> int:
        metrics = [term.metric for term in self.campaign.objective.terms]
        if name.isdigit() and int(name) < len(metrics):
            return int(name)
        if metrics.count(name) == 1:
            return metrics.index(name)
        if name in metrics:
            places = ", ".join(str(i) for i, metric in enumerate(metrics) if metric == name)
            raise wrong(name, f"several terms are of that metric; name one by its place: {places}")
        raise wrong(name, f"is in no term{suggestion(name, metrics)}; allowed: {', '.join(metrics)}")

    def _parameter(self, name: str) -> ParameterConfig:
        if name not in self.campaign.space.all_parameters:
            known = list(self.campaign.space.all_parameters)
            raise wrong(name, f"is no parameter{suggestion(name, known)}; allowed: {', '.join(known) or 'none'}")
        return self.parameters.get(name) or self.campaign.space.all_parameters[name]

    def _bounds(self, name: str, text: str) -> SetBounds:
        parameter = self._parameter(name)
        if not isinstance(parameter, FloatConfig | IntegerConfig):
            raise wrong(name, f"is {parameter.kind} and has levels, not bounds; use 'space fix' or 'space add'")
        low, dots, high = (part.strip() for part in text.partition(".."))
        if not dots or not (low or high):
            raise wrong(name, f"got {text!r}; allowed: LOW..HIGH with a unit, such as 600..900 degC, or one end: 600..")
        if low and high and not split_quantity(low)[1]:
            low = f"{low} {split_quantity(high)[1]}"
        ends = (to_unit(low, parameter.unit) if low else parameter.low, _end(high, parameter.unit, parameter.high))
        return SetBounds(parameter=name, low=ends[0], high=ends[1])


def _one_level(given: Mapping[str, str]) -> tuple[str, str]:
    if len(given) != 1:
        raise wrong(", ".join(given) or "NAME=LEVEL", "allowed: one level at a time")
    ((name, text),) = given.items()
    return name, text


def candidate(campaign: Campaign, given: Mapping[str, str]) -> Candidate:
    """Return the candidate of ``temperature=800 time=12``; what is fixed may be left out.

    Raises:
        CampaignError: a name is unknown, or missing.
    """
    parameters = campaign.space.all_parameters
    known = [*parameters, _MATERIAL]
    for name in given:
        if name not in known:
            raise wrong(name, f"is no parameter{suggestion(name, known)}; allowed: {', '.join(known)}")
    values = {n: value(p, given[n], n) if n in given else _only(p) for n, p in parameters.items()}
    if missing := [n for n, v in values.items() if v is None and not parameters[n].when]:
        raise wrong(", ".join(missing), f"is missing; needed: a value for each of {', '.join(parameters)}")
    there = {name: each for name, each in values.items() if each is not None}
    for name, mixture in campaign.space.mixtures.items():
        there |= _shares(name, mixture, there, given)
    setting = {n: v for n, v in there.items() if n in given or _applies(campaign, n, there)}
    return Candidate(_row_of(campaign, setting, given), given.get(_MATERIAL))


def _row_of(campaign: Campaign, setting: Mapping[str, Scalar], given: Mapping[str, str]) -> Mapping[str, Scalar]:
    """Return the one row of the space's table that a setting is as it is written, such as 0.33 for 1/3; else itself."""
    table, parameters = campaign.space.table, campaign.space.all_parameters
    if table is None or not all(parameters[name].contains(value) for name, value in setting.items()):
        return setting
    numbers = {n: p.unit for n, p in parameters.items() if n in given and not isinstance(p, CategoricalConfig)}
    place = table.near(setting, {name: 0.5 * last_digit(given[name], unit) for name, unit in numbers.items()})
    return setting if place is None else table[place]


def _shares(
    name: str, mixture: MixtureConfig, values: Mapping[str, Scalar], given: Mapping[str, str]
) -> dict[str, Scalar]:
    """Return the shares of a mixture, scaled to its total where they miss it by their rounding only.

    Raises:
        CampaignError: they miss it by more, or break a bound.
    """
    shares = {component: float(values[component]) for component in mixture.components}
    steps = {component: last_digit(given[component], mixture.unit) for component in shares if component in given}
    rounded = mixture.rounded(shares, steps) or shares
    if (broken := broken_mixture(name, mixture, rounded)) is not None:
        raise wrong(", ".join(mixture.components), broken)
    return dict(rounded)


def value(parameter: ParameterConfig, text: str, name: str) -> Scalar:
    """Return a parameter's value, in its unit, of text such as ``800 degC`` or ``oxygen``."""
    match parameter:
        case CategoricalConfig():
            return text
        case OrdinalConfig() | FloatConfig():
            return to_unit(text, parameter.unit)
        case IntegerConfig():
            number = to_unit(text, parameter.unit)
            if not number.is_integer():
                raise wrong(name, f"got {text!r}; allowed: a whole number")
            return int(number)


def _applies(campaign: Campaign, name: str, values: Mapping[str, Scalar]) -> bool:
    try:
        return name in campaign.space.present(values)
    except KeyError:
        return True  # what is missing is told by the space


def _only(parameter: ParameterConfig) -> Scalar | None:
    """Return the value of a parameter that is fixed, or None."""
    return parameter.at(0.0) if parameter.at(0.0) == parameter.at(1.0) else None


def _weight(name: str, text: str) -> float:
    weight = _number(name, text)
    if weight <= 0:
        raise wrong(name, f"got {text!r}; allowed: a weight above zero")
    return weight


def _number(name: str, text: str) -> float:
    number, unit = split_quantity(text)
    if unit:
        raise wrong(name, f"got {text!r}; allowed: a number without a unit")
    return number


def _end(text: str, unit: str, otherwise: float) -> float:
    return to_unit(text, unit) if text else otherwise
