"""The current campaign version, by its file and its journal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from campaigns.amendments import amended, enclosing_space
from campaigns.campaign import Campaign
from campaigns.parsing.yaml_lines import read_document
from campaigns.spaces.space import SpaceConfig
from loop.core.journal import Amendment, changes_of, version_of
from loop.core.model_words import column_names


@dataclass(frozen=True)
class CampaignVersion:
    """The current campaign version.

    Attributes:
        enclosing_space: the space in which every trial, of any version, has a place.
        version: number of the latest amendment that is in it; 0 for the file as it stands.
        first: number of the first trial that it holds for.
    """

    campaign: Campaign
    enclosing_space: SpaceConfig
    version: int = 0
    first: int = 0


def campaign_version(campaign: Campaign, amendments: Iterable[Amendment]) -> CampaignVersion:
    """Return the current version by the file and those amendments that a run has applied."""
    held = [a for a in amendments if a.first is not None and changes_of([a])]
    changes = changes_of(held)
    first = max((a.first or 0 for a in held), default=0)
    return CampaignVersion(amended(campaign, changes), enclosing_space(campaign, changes), version_of(held), first)


def first_trial(amendments: Sequence[Amendment], count: int) -> int:
    """Return the number of the first trial that the current campaign holds for.

    Args:
        amendments: the whole journal.
        count: how many trials there are: the next one is the first while an amendment of the campaign waits for a run.
    """
    changes = [a for a in amendments if changes_of([a])]
    return max((count if a.first is None else a.first for a in changes), default=0)


def as_scored(campaign: Campaign, amendments: Sequence[Amendment]) -> CampaignVersion:
    """Return the current version, with the latest weights, by which all trials are scored as soon as they are set."""
    now, objective = campaign_version(campaign, amendments), amended(campaign, changes_of(amendments)).objective
    return replace(now, campaign=now.campaign.model_copy(update={"objective": objective}))


def as_shown(campaign: Campaign, amendments: Sequence[Amendment]) -> Campaign:
    """Return a campaign as its trials are scored and shown: with the latest weights, and room for every trial."""
    changes = changes_of(amendments)
    return amended(campaign, changes).model_copy(update={"space": enclosing_space(campaign, changes)})


def parameter_units(source: str) -> dict[str, str]:
    """Return parameter to unit, empty for a category, read from a campaign file's text that was validated before."""
    space = read_document(source).data["space"]
    units = {name: _unit(parameter) for name, parameter in (space.get("parameters") or {}).items()}
    for mixture in (space.get("mixtures") or {}).values():
        units |= dict.fromkeys(mixture["components"], str(mixture.get("unit", "1")))
    return units


def model_columns(source: str) -> tuple[str, ...]:
    """Return the names of the columns that models see of the parameters, read from a campaign file's text."""
    space = read_document(source).data["space"]
    columns = [column for name, one in (space.get("parameters") or {}).items() for column in _columns(name, one)]
    shares = [name for mixture in (space.get("mixtures") or {}).values() for name in mixture["components"]]
    return (*columns, *shares)


def metric_order(source: str) -> tuple[str, ...]:
    """Return the metrics as a campaign file's text, which was validated before, lists them."""
    return tuple(read_document(source).data.get("metrics") or ())


def _columns(name: str, parameter: Mapping[str, Any]) -> list[str]:
    if parameter["kind"] != "categorical":
        return [name]
    return column_names(name, parameter["levels"], parameter.get("descriptors") or ())


def _unit(parameter: Mapping[str, Any]) -> str:
    return "" if parameter["kind"] == "categorical" else str(parameter.get("unit", "1"))
