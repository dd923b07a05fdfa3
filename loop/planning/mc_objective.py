"""The campaign's objective as a function of rows and of samples of the measured metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from botorch.utils.safe_math import log_fatmoid
from torch import Tensor

from campaigns.campaign import Campaign
from campaigns.objective import Bound, Objective
from surrogates.models.encoder import Encoder

_SOFT = 1e-3


@dataclass(frozen=True)
class ObjectiveOnSamples:
    """The objective, and the layout of the rows that it is applied to."""

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
        """Return the points of each term, samples x n x m, of all metrics."""
        return torch.stack(torch.broadcast_tensors(*self.objective.points(values)), dim=-1)

    def feasible(self, values: Mapping[str, Tensor]) -> Tensor:
        """Return where all outcome constraints hold, samples x n."""
        held = [bound.slack(values[bound.metric]) >= 0 for bound in self.objective.bounds]
        if not held:
            return torch.ones_like(self.score(values), dtype=torch.bool)
        return torch.stack(torch.broadcast_tensors(*held)).all(dim=0)

    def log_chance(self, values: Mapping[str, Tensor]) -> Tensor:
        """Return the log of how well all outcome constraints hold, samples x n: near 0 inside, falling slowly outside.

        Each edge is soft over a thousandth of its slack's spread (Ament et al. 2023, NeurIPS 36).
        """
        found = torch.zeros(1, 1, dtype=torch.float64)
        for bound in self.objective.bounds:
            slack = bound.slack(values[bound.metric])
            found = found + log_fatmoid(slack, tau=_SOFT * float(slack.std(correction=0)) or _SOFT)
        return found

    def certain_bounds(self) -> list[Bound]:
        """Return the outcome constraints that need no experiment."""
        return [b for b in self.objective.bounds if b.metric in self.campaign.computed]

    def possible(self, rows: Tensor) -> Tensor:
        """Return which rows, n x d, keep the constraints that need no experiment."""
        keep = torch.ones(len(rows), dtype=torch.bool)
        for bound in self.certain_bounds():
            keep &= bound.slack(self.encoder.number(bound.metric, rows)) >= 0
        return keep
