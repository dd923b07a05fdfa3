"""Whether the calibration standards of a lab file can be measured, told before anything is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from campaigns.campaign import Campaign
from campaigns.errors import Problem, suggestion
from campaigns.lab.calibration_standard import StandardConfig
from campaigns.units import convert, to_unit
from instruments.built_in import InstrumentFacts
from loop.validation.analysis_facts import read_analysis


def standard_problems(campaign: Campaign, known: Mapping[str, InstrumentFacts], folder: Path) -> Iterator[Problem]:
    """Yield what of standards their instruments cannot be told, or their analyses do not give.

    Args:
        campaign: may name a lab file.
        known: station to what its instrument may be told, where that is known.
        folder: where the campaign file stands.
    """
    for name, station in ({} if campaign.rules is None else campaign.rules.stations).items():
        if (standard := station.standard) is not None:
            where = f"stations.{name}.standard"
            if station.capacity > 1:
                yield Problem(
                    where, f"{name} takes {station.capacity} samples at once, and a standard is one; remove it"
                )
            yield from _analysis(where, standard, folder)
            yield from _recipe(where, standard, known.get(name))


def _analysis(where: str, standard: StandardConfig, folder: Path) -> Iterator[Problem]:
    facts = read_analysis(standard.analysis, folder)
    if facts is None or facts.same_name:
        return
    if standard.metric not in facts.gives:
        hint = f"{suggestion(standard.metric, facts.gives)}; it gives {', '.join(facts.gives) or 'nothing'}"
        yield Problem(f"{where}.metric", f"{standard.analysis} does not give {standard.metric!r}{hint}")
    elif unit := facts.gives[standard.metric]:
        yield from _unit(f"{where}.unit", standard, unit)


def _unit(where: str, standard: StandardConfig, unit: str) -> Iterator[Problem]:
    try:
        convert(1.0, unit, standard.unit)
    except ValueError as error:
        yield Problem(where, f"{standard.analysis} gives {standard.metric} in {unit}: {error}")


def _recipe(where: str, standard: StandardConfig, known: InstrumentFacts | None) -> Iterator[Problem]:
    if known is None:
        return
    for key, value in standard.recipe.items():
        place, setting = f"{where}.recipe.{key}", known.settings.get(key)
        if setting is None:
            allowed = ", ".join(known.settings) or "none"
            yield Problem(place, f"unknown name {key!r}{suggestion(key, known.settings)}; allowed: {allowed}")
        elif setting.choices and value not in setting.choices:
            yield Problem(place, f"got {value!r}; allowed: {', '.join(setting.choices)}")
        elif not setting.choices:
            yield from _number(place, value, setting.unit or "1")
    for key in known.settings.keys() - standard.recipe.keys() - known.defaults.keys():
        yield Problem(f"{where}.recipe", f"says no {key}, and the instrument has no value for it by itself; add it")


def _number(place: str, value: float | str, unit: str) -> Iterator[Problem]:
    try:
        to_unit(value, unit)
    except ValueError as error:
        yield Problem(place, str(error))
