"""What is to be noted of samples before a campaign begins: where they pile up until somebody takes them away."""

from __future__ import annotations

from collections.abc import Iterator

from campaigns.campaign import Campaign


def sample_notes(campaign: Campaign) -> Iterator[str]:
    """Yield that samples stay at a position which takes fewer of them than the budget has trials."""
    if campaign.rules is None:
        return
    place: str | None = None
    for step in campaign.workflow:
        place = step.sample.moves_to or step.sample.at or place
        place = None if step.sample.consumes == "all" else place
    capacity = None if place is None else campaign.rules.positions[place].capacity
    if capacity is not None and capacity < campaign.budget.trials:
        filled = f"samples stay at {place} after the last step, and it takes {capacity} of {campaign.budget.trials}"
        yield f"{filled}: somebody has to take them away, by 'athanor sample move', or a step by moves_to"
