"""The campaign in force, by its file and its journal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pydantic import ValidationError

from campaigns.amendments import amended, outline
from campaigns.campaign import Campaign
from campaigns.errors import StoreError
from campaigns.space import SpaceConfig
from campaigns.yaml_nodes import read_document
from loop.records import Amendment, changes_of, version_of

if TYPE_CHECKING:
    from loop.reader import Reader


@dataclass(frozen=True)
class Edition:
    """The campaign in force.

    Attributes:
        outline: the space in which every trial, of any edition, has a place.
        version: number of the latest amendment that is in it; 0 for the file as it stands.
        first: number of the first trial that it holds for.
    """

    campaign: Campaign
    outline: SpaceConfig
    version: int = 0
    first: int = 0


def stored_campaign(reader: Reader) -> Campaign:
    """Return the campaign of a store's file, whose text was validated when the campaign began.

    Raises:
        StoreError: the store holds no campaign, or one of a version with another format.
    """
    try:
        return Campaign.model_validate(read_document(reader.campaign().source).data)
    except ValidationError as error:
        sessions = reader.sessions()
        writer = sessions[-1].versions.get("athanor-sdl", "unknown") if sessions else "unknown"
        raise StoreError(
            f"{reader.path} holds a campaign file with {error.error_count()} keys that this version does not know; "
            f"use the version that ran it (athanor-sdl {writer})"
        ) from error


def shown_campaign(reader: Reader) -> Campaign:
    """Return the campaign of a store as its trials are scored and shown.

    Raises:
        StoreError: the store holds no campaign, or one of a version with another format.
    """
    return as_shown(stored_campaign(reader), reader.amendments())


def edition(campaign: Campaign, amendments: Iterable[Amendment]) -> Edition:
    """Return what is in force by the file and those amendments that a run has taken over."""
    held = [a for a in amendments if a.first is not None and changes_of([a])]
    changes = changes_of(held)
    first = max((a.first or 0 for a in held), default=0)
    return Edition(amended(campaign, changes), outline(campaign, changes), version_of(held), first)


def as_scored(campaign: Campaign, amendments: Sequence[Amendment]) -> Edition:
    """Return what is in force, with the latest weights, by which all trials are scored as soon as they are set."""
    now, objective = edition(campaign, amendments), amended(campaign, changes_of(amendments)).objective
    return replace(now, campaign=now.campaign.model_copy(update={"objective": objective}))


def as_shown(campaign: Campaign, amendments: Sequence[Amendment]) -> Campaign:
    """Return a campaign as its trials are scored and shown: with the latest weights, and room for every trial."""
    changes = changes_of(amendments)
    return amended(campaign, changes).model_copy(update={"space": outline(campaign, changes)})
