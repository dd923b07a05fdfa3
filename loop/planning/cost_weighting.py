"""What candidates cost, in money and time, and how that is weighed against what they promise.

Gain per cost (Snoek, Larochelle & Adams 2012, NeurIPS 25), cooled: the cost counts fully at first and less and less as
the budget is spent, so that what is dear is not put off for ever (Lee, Perrone, Archambeau & Seeger 2020,
arXiv:2003.10870).

Which stations are free tells no candidate from another: every candidate goes through the same steps, and any station
of a step takes any of them. So nothing is chosen by it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from campaigns.campaign import Campaign
from campaigns.costs import Settings, cost_of, duration_of, weighs_cost
from campaigns.values import Candidate
from loop.sampling.candidates import sobol

_TYPICAL = 64  # settings of the space whose mean is what a trial usually costs
_LEAST = 0.01  # of that: what is free is not infinitely good


@dataclass(frozen=True)
class CostPenalty:
    """How much the cost of a candidate counts.

    Attributes:
        share: of the budget that is left, between 0 and 1; 0 where costs are not weighed.
    """

    campaign: Campaign
    share: float

    @classmethod
    def after(cls, campaign: Campaign, seen: Iterable[tuple[object, ...]]) -> CostPenalty:
        """Return how much cost counts after all candidates that were proposed, given by their keys."""
        if not weighs_cost(campaign):
            return cls(campaign, 0.0)
        return cls(campaign, _left(campaign, seen))

    def penalties(self, settings: Sequence[Settings]) -> Tensor:
        """Return what is subtracted from the log of what each of n candidates promises, n."""
        if not self.share:
            return torch.zeros(len(settings), dtype=torch.float64)
        efforts = torch.tensor([self._of(one) for one in settings], dtype=torch.float64)
        return self.share * efforts.clamp_min(_LEAST).log()

    def of(self, candidates: Sequence[Candidate]) -> Tensor:
        """Return the penalties of candidates, n."""
        return self.penalties([c.parameters for c in candidates])

    def _of(self, settings: Settings) -> float:
        """Return the mean of cost and duration, each as a share of what is usual; only what varies counts."""
        cost, time = self._usual
        shares = [] if cost is None else [cost_of(self.campaign, settings) / cost]
        shares += [] if time is None else [duration_of(self.campaign, settings) / time]
        return sum(shares) / len(shares)

    @cached_property
    def _usual(self) -> tuple[float | None, float | None]:
        """The usual cost and duration; None for what is the same for all candidates."""
        many = sobol(self.campaign.space, _TYPICAL, seed=0)
        means = []
        for key, amount in (("cost", cost_of), ("duration", duration_of)):
            varies = any(key in step.sums for step in self.campaign.workflow)
            means.append(sum(amount(self.campaign, one) for one in many) / len(many) or 1.0 if varies else None)
        return means[0], means[1]


def _left(campaign: Campaign, seen: Iterable[tuple[object, ...]]) -> float:
    """Return the share of the budget that is left: of its cost, or else of its trials."""
    spent = [cost_of(campaign, dict(key[1:])) for key in seen]  # type: ignore[arg-type]  # a key ends in its parameters
    budget = campaign.budget
    used = sum(spent) / budget.cost if budget.cost else len(spent) / budget.trials
    return min(max(1.0 - used, 0.0), 1.0) if math.isfinite(used) else 0.0
