"""Whether a search space holds anything, where that is only told by trying."""

from __future__ import annotations

from campaigns.campaign import Campaign
from campaigns.errors import CampaignError, Problem


def check_not_empty(campaign: Campaign, source: str) -> None:
    """Check that some point keeps the constraints that are not linear, and what the laboratory forbids.

    Args:
        campaign: the validated campaign; whether its linear constraints can be kept is known already.
        source: name of the file, for the message.

    Raises:
        CampaignError: no point was found that does.
    """
    space = campaign.space
    if space.rows is not None:
        if space.table is not None and not len(space.table):
            message = f"the lab file forbids all its rows: {'; '.join(one.condition.text for one in space.forbidden)}"
            raise CampaignError([Problem("space.rows", message)], source)
        return
    if len(space.parsed_constraints) == len(space.linear_constraints) and not space.forbidden:
        return
    from loop.sampling.candidates import sobol  # scipy, which most campaigns need not yet

    try:
        sobol(space, 1, campaign.seed)
    except CampaignError as error:
        raise CampaignError(error.problems, source) from error
