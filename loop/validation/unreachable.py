"""What a valid campaign can never come to: rules that cannot hold, and models that never choose."""

from __future__ import annotations

from collections.abc import Iterator

from campaigns.campaign import Campaign, NoBetterRuleConfig, StagnationRuleConfig, StoppingRuleConfig, TargetRuleConfig


def unreachable(campaign: Campaign) -> Iterator[str]:
    """Yield what a user should know before the campaign is run, one sentence each."""
    budget, initial = campaign.budget, campaign.planner.initial
    own_start = campaign.planner.strategy not in (None, "ax")
    if initial >= budget.trials and not campaign.history and not own_start:  # history counts as a start
        yield f"planner.initial: {initial} trials fill the space, and the budget is {budget.trials}: no model chooses"
    cost = sum(step.fixed_cost for step in campaign.workflow)
    if budget.cost is not None and cost > budget.cost:
        yield f"budget.cost: one trial costs {cost:g} USD, and the budget is {budget.cost:g} USD: one trial is run"
    for i, rule in enumerate(campaign.stopping):
        if why := _never(campaign, rule):
            yield f"stopping[{i}]: {rule.kind} can never hold: {why}"
    retrain = campaign.surrogate.retrain
    if retrain is not None and retrain.every > budget.trials:
        yield f"surrogate.retrain.every: {retrain.every} measurements are more than the budget, {budget.trials} trials"


def _never(campaign: Campaign, rule: StoppingRuleConfig) -> str:
    """Return why a rule cannot hold before the budget is spent; empty if it can."""
    trials = campaign.budget.trials
    match rule:
        case StagnationRuleConfig(trials=wanted) if wanted >= trials:
            return f"it waits for {wanted} trials without improvement, and the budget is {trials}"
        case TargetRuleConfig(score=score) if score > (most := _most(campaign)):
            return f"it wants a score of {score:g}, and the terms give at most {most:g}"
        case NoBetterRuleConfig() if campaign.planner.initial >= trials and not campaign.history:
            return "it asks a model, and none is made within the budget"
    return ""


def _most(campaign: Campaign) -> float:
    """Return the highest score that the terms allow."""
    highest = {"target": 0.0, "desirable": 1.0}
    terms = campaign.objective.terms
    if any(term.goal not in highest for term in terms):
        return float("inf")
    return sum(highest[term.goal] * term.weight for term in terms) / sum(term.weight for term in terms)
