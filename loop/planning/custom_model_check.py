"""Whether models of the user's own can be fitted and asked, found by made-up measurements before any trial is made."""

from __future__ import annotations

from itertools import cycle, islice

import torch
from torch import Tensor

from campaigns.values import Candidate
from loop.core.records import FEWEST
from loop.planning.gradient_search import applies
from loop.planning.mc_objective import OptimizationProblem
from loop.sampling.candidates import sobol
from surrogates.models.custom_model import ModelPath, fit_custom_model
from surrogates.models.observations import Observations

_MADE_UP = 8  # not tuned: measurements; more would show little more


def check_custom_models(problem: OptimizationProblem) -> None:
    """Fit each model of the user's own to made-up measurements, few and more, and ask it for all that a campaign will.

    Raises:
        CampaignError: one cannot be loaded, raises something, or what it predicts cannot be used.
    """
    named = [ModelPath(m.model, f"metrics.{n}.model") for n, m in problem.campaign.measured.items() if m.model]
    rows = _candidates(problem) if named else torch.empty(0)
    values = 1.5 + 0.5 * torch.sin(torch.arange(len(rows), dtype=torch.float64))
    seen = Observations(rows, values, torch.full_like(values, 0.05))
    for each in named:
        for count in (FEWEST, _MADE_UP):
            model = fit_custom_model(each, problem.encoder, seen.only(torch.arange(count)))
            model.rehearse(rows, applies(problem))


def _candidates(problem: OptimizationProblem) -> Tensor:
    """Return rows, n x d, of some candidates of the space."""
    space, table = problem.campaign.space, problem.encoder.materials
    settings = cycle(sobol(space, _MADE_UP, problem.campaign.seed) if space.all_parameters else [{}])
    materials = cycle(table.ids[:_MADE_UP] if table is not None else [None])
    pairs = islice(zip(settings, materials, strict=False), _MADE_UP)
    return problem.encoder.encode([Candidate(*pair) for pair in pairs])
