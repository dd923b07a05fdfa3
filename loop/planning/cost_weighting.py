"""What candidates cost, in money and time, and how that is weighed against what they are expected to gain.

Gain per cost (Snoek, Larochelle & Adams 2012, NeurIPS 25), cooled: the cost counts fully at first and less and less as
the budget is spent, so that what is expensive is not put off for ever (Lee, Perrone, Archambeau & Seeger 2020,
arXiv:2003.10870).

Which stations are free tells no candidate from another: every candidate goes through the same steps, and any station
of a step takes any of them. So nothing is chosen by it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from botorch.acquisition import AcquisitionFunction
from botorch.utils.transforms import t_batch_mode_transform
from torch import Tensor

from campaigns.campaign import Campaign
from campaigns.costs import Settings, cost_of, duration_of, weighs_cost
from loop.planning.row_decoder import RowDecoder
from loop.sampling.candidates import sobol

_TYPICAL = 64  # not tuned: settings of the space whose mean is what a trial usually costs
_LEAST = 0.01  # not tuned: of that; what is free is not infinitely good


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

    def of(self, number: Callable[[str], Tensor]) -> Tensor:
        """Return what is subtracted from the log of what candidates are expected to gain, of any shape.

        Args:
            number: gives the values of a numeric parameter, each in its unit.
        """
        shares = [self._amount(key, number) / usual for key, usual in self._usual.items()]
        return self.share * (sum(shares, torch.zeros(())) / len(shares)).clamp_min(_LEAST).log()

    def of_settings(self, settings: Sequence[Settings]) -> Tensor:
        """Return the penalties of n settings, n."""
        if not self.share:
            return torch.zeros(len(settings), dtype=torch.float64)
        return self.of(lambda name: torch.tensor([float(one[name]) for one in settings], dtype=torch.float64))

    def _amount(self, key: str, number: Callable[[str], Tensor]) -> Tensor:
        """Return the cost, or the duration, of candidates."""
        total = torch.zeros((), dtype=torch.float64)
        for step in self.campaign.workflow:
            if key not in step.sums:
                total = total + (step.fixed_cost if key == "cost" else step.duration_of({}))
                continue
            terms = (c * number(name) for name, c in step.sums[key].coefficients.items())
            total = total + sum(terms, torch.full((), step.sums[key].constant, dtype=torch.float64)).clamp_min(0.0)
        return total

    @cached_property
    def _usual(self) -> dict[str, float]:
        """The usual cost and duration, of each that is not the same for all candidates."""
        many = sobol(self.campaign.space, _TYPICAL, seed=0)
        amounts = {"cost": cost_of, "duration": duration_of}
        varying = [key for key in amounts if any(key in step.sums for step in self.campaign.workflow)]
        return {key: sum(amounts[key](self.campaign, one) for one in many) / len(many) or 1.0 for key in varying}


class CostWeightedAcquisition(AcquisitionFunction):
    """An acquisition function in logarithms, less the log of what a candidate costs.

    Args:
        base: gives logarithms.
        penalty: how much cost counts.
        decoder: gives the parameters of rows.
    """

    _log = True

    def __init__(self, base: AcquisitionFunction, penalty: CostPenalty, decoder: RowDecoder) -> None:
        super().__init__(base.model)
        self.base, self.penalty, self.decoder = base, penalty, decoder

    @t_batch_mode_transform(expected_q=1)
    def forward(self, X: Tensor) -> Tensor:  # noqa: N803 - BoTorch's name
        """Return the value, b, of rows, b x 1 x d."""
        found: Tensor = self.base(X) - self.penalty.of(lambda name: self.decoder.number(name, X.squeeze(-2)))
        return found


def _left(campaign: Campaign, seen: Iterable[tuple[object, ...]]) -> float:
    """Return the share of the budget that is left: of its cost, or else of its trials."""
    spent = [cost_of(campaign, dict(key[1:])) for key in seen]  # type: ignore[arg-type]  # a key ends in its parameters
    budget = campaign.budget
    used = sum(spent) / budget.cost if budget.cost else len(spent) / budget.trials
    return min(max(1.0 - used, 0.0), 1.0) if math.isfinite(used) else 0.0
