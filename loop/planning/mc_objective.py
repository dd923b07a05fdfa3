"""The campaign's objective as a function of rows and of samples of the metrics, in BoTorch's terms.

A model's outputs become metrics here, in one place: a logit goes back between its limits, a metric with a floor is not
below it, and a ratio is multiplied by the metric that it is proportional to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from botorch.acquisition.multi_objective.objective import MCMultiOutputObjective
from botorch.acquisition.objective import MCAcquisitionObjective
from torch import Tensor

from campaigns.campaign import Campaign
from campaigns.metrics import MeasuredConfig
from campaigns.objective import Bound, Objective
from surrogates.models.encoder import Encoder
from surrogates.models.logit_transform import LogitTransform


@dataclass(frozen=True)
class OptimizationProblem:
    """What a campaign optimises: objective and constraints as functions of samples, and of the rows they belong to.

    Attributes:
        campaign: whose objective it is.
        encoder: the layout of the rows.
    """

    campaign: Campaign
    encoder: Encoder

    @cached_property
    def objective(self) -> Objective:
        """The campaign's objective."""
        return self.campaign.build_objective()

    def values(self, measured: Mapping[str, Tensor], rows: Tensor) -> dict[str, Tensor]:
        """Return every metric, samples x n, from samples of the measured ones and rows, n x d."""
        values = dict(measured)
        for name in self.campaign.computed:
            values[name] = self.encoder.number(name, rows)
        return self.objective.complete(values)

    def score(self, values: Mapping[str, Tensor]) -> Tensor:
        """Return the score, samples x n, of all metrics."""
        return self.objective.score(values)

    def points(self, values: Mapping[str, Tensor]) -> Tensor:
        """Return the points of each term, samples x n x k, of all metrics."""
        return torch.stack(torch.broadcast_tensors(*self.objective.points(values)), dim=-1)

    def feasible(self, values: Mapping[str, Tensor]) -> Tensor:
        """Return where all outcome constraints hold, samples x n."""
        kept = [bound.slack(values[bound.metric]) >= 0 for bound in self.objective.bounds]
        if not kept:
            return torch.ones_like(self.score(values), dtype=torch.bool)
        return torch.stack(torch.broadcast_tensors(*kept)).all(dim=0)

    def possible(self, rows: Tensor) -> Tensor:
        """Return which rows, n x d, keep the constraints that need no experiment."""
        keep = torch.ones(len(rows), dtype=torch.bool)
        for bound in self.objective.bounds:
            if bound.metric in self.campaign.computed:
                keep &= bound.slack(self.encoder.number(bound.metric, rows)) >= 0
        return keep


@dataclass(frozen=True)
class OutputLayout:
    """Which output of a campaign's model stands for which metric.

    Attributes:
        modelled: the measured metrics that have a model, in the order of the outputs; the computed ones follow.
    """

    problem: OptimizationProblem
    modelled: tuple[str, ...]

    def metrics(self, outputs: Tensor) -> dict[str, Tensor]:
        """Return every metric, ..., of outputs, ... x m."""
        campaign = self.problem.campaign
        found = dict(zip((*self.modelled, *campaign.computed), outputs.unbind(dim=-1), strict=True))
        for name in self.modelled:
            floor, limits = campaign.measured[name].floor, limits_of(campaign.measured[name])
            within = found[name] if limits is None else limits.values(found[name])
            found[name] = within if floor is None else within.clamp_min(floor)
        for name in self.modelled:
            whole = campaign.measured[name].proportional_to
            if whole is not None:
                found[name] = found[name] * found[whole]
        return self.problem.objective.complete(found)

    def constraints(self, spreads: Sequence[float]) -> list[Callable[[Tensor], Tensor]] | None:
        """Return the outcome constraints as BoTorch wants them, below zero where they hold; None without any.

        Args:
            spreads: of the slack of each, by which it is divided, so that BoTorch's soft edges are a share of it.
        """
        bounds = zip(self.problem.objective.bounds, spreads, strict=True)
        return [self._constraint(bound, spread) for bound, spread in bounds] or None

    def _constraint(self, bound: Bound, spread: float) -> Callable[[Tensor], Tensor]:
        def excess(samples: Tensor) -> Tensor:
            slack: Tensor = bound.slack(self.metrics(samples)[bound.metric])
            return -slack / spread

        return excess


class ScoreObjective(MCAcquisitionObjective):
    """The weighted score of samples of a campaign's model."""

    def __init__(self, layout: OutputLayout) -> None:
        super().__init__()
        self.layout = layout

    def forward(self, samples: Tensor, X: Tensor | None = None) -> Tensor:  # noqa: ARG002, N803 - BoTorch's signature
        """Return the score, sample_shape x b x q, of samples, sample_shape x b x q x m."""
        return self.layout.problem.score(self.layout.metrics(samples))


class TermsObjective(MCMultiOutputObjective):
    """The points of each term of a front, of samples of a campaign's model."""

    def __init__(self, layout: OutputLayout) -> None:
        super().__init__()
        self.layout = layout

    def forward(self, samples: Tensor, X: Tensor | None = None) -> Tensor:  # noqa: ARG002, N803 - BoTorch's signature
        """Return the points, sample_shape x b x q x k, of samples, sample_shape x b x q x m."""
        return self.layout.problem.points(self.layout.metrics(samples))


def limits_of(metric: MeasuredConfig) -> LogitTransform | None:
    """Return the limits between which a metric lies, or None."""
    return None if metric.within is None else LogitTransform(*metric.within)
