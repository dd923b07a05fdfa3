"""What a trial costs, in money and time: the sum over the steps of the workflow."""

from __future__ import annotations

from collections.abc import Mapping

from campaigns.campaign import Campaign
from campaigns.objective import FindManyConfig
from campaigns.values import Scalar

Settings = Mapping[str, Scalar]


def cost_of(campaign: Campaign, settings: Settings) -> float:
    """Return what a trial with these settings costs, in USD."""
    return sum(step.cost_of(settings) for step in campaign.workflow)


def duration_of(campaign: Campaign, settings: Settings) -> float:
    """Return the expected duration of a trial with these settings, in s; steps without one count as zero."""
    return sum(step.duration_of(settings) for step in campaign.workflow)


def most_expensive_trial(campaign: Campaign) -> float:
    """Return what a trial costs at most, in USD, between the bounds of all parameters."""
    total = 0.0
    for step in campaign.workflow:
        slopes = step.sums["cost"].coefficients if "cost" in step.sums else {}
        total += step.cost_of(
            {n: campaign.space.all_parameters[n].at(1.0 if c > 0 else 0.0) for n, c in slopes.items()}
        )
    return total


def weighs_cost(campaign: Campaign) -> bool:
    """Return whether choices consider cost: as the campaign says, by default where candidates differ in it."""
    if campaign.planner.cost is not None:
        return campaign.planner.cost == "aware"
    varies = any(found.coefficients for step in campaign.workflow for found in step.sums.values())
    return varies and not isinstance(campaign.objective.find, FindManyConfig)
