"""What of a campaign's file the generation strategy that it names does not use, told before anything is run."""

from __future__ import annotations

from collections.abc import Iterator

from campaigns.campaign import Campaign
from campaigns.costs import weighs_cost
from campaigns.metrics import MeasuredConfig
from campaigns.objective import FindManyConfig
from campaigns.spaces.ax_space import inexpressible, inexpressible_bounds
from campaigns.spaces.parameters import CategoricalConfig

_LEARNT = ("prior", "proportional_to", "floor", "within", "model")
"""What the file may say of how a metric is modelled."""


def unused_by_strategy(campaign: Campaign) -> list[str]:
    """Return what proposals do not go by, key by key; empty where Athanor's own strategy makes them."""
    strategy = campaign.planner.strategy
    if strategy is None:
        return []
    unused = [*_of_space(campaign), *_of_metrics(campaign), *_of_choice(campaign, strategy)]
    return [f"{key}: {why}" for key, why in unused]


def _of_space(campaign: Campaign) -> Iterator[tuple[str, str]]:
    space = campaign.space
    for name, parameter in space.parameters.items():
        if isinstance(parameter, CategoricalConfig) and parameter.descriptors:
            yield f"descriptors of {name}", "to the strategy, its levels are names"
        if parameter.when:
            yield f"when of {name}", f"where it does not apply, the strategy sees {parameter.at(0.0)}"
    if space.pool is not None:
        yield "structures and features of the pool", "the strategy sees the number of each row"
    for _, text in inexpressible(space):  # with Ax's own strategy, these are errors
        what, _, why = text.partition(": ")
        yield what, f"not in the experiment, but what breaks it is refused ({why})"


def _of_metrics(campaign: Campaign) -> Iterator[tuple[str, str]]:
    bounds = [bound.metric for bound in campaign.build_objective().bounds]
    for name, metric in campaign.metrics.items():
        given = [key for key in _LEARNT if getattr(metric, key, None) is not None]
        if isinstance(metric, MeasuredConfig) and given:
            yield f"{', '.join(given)} of {name}", "the strategy learns from the measured values alone"
        if name in campaign.computed and name in bounds:
            yield (
                f"{name} as known beforehand",
                "the strategy sees it once a material was measured, and may propose any",
            )
    for bound, _ in inexpressible_bounds(bounds):
        yield f"outcome constraint on {bound}", "Ax cannot read the name; it is not in the experiment"


def _of_choice(campaign: Campaign, strategy: str) -> Iterator[tuple[str, str]]:
    if isinstance(campaign.objective.find, FindManyConfig):
        yield "find many", "the strategy is given the score to be maximised, as for find best"
    if weighs_cost(campaign):
        yield "cost and duration of steps", "the strategy does not weigh gains against them; the budget holds"
    if strategy != "ax" and "initial" in campaign.planner.model_fields_set:
        yield "planner.initial", "the strategy itself says how it begins"
