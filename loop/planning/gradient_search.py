"""Local maxima of an acquisition function in boxes, by BoTorch's ``optimize_acqf``."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from botorch.acquisition import AcquisitionFunction
from botorch.optim import optimize_acqf

from campaigns.objective import FindBestConfig
from campaigns.spaces.parameters import FloatConfig
from campaigns.values import Candidate
from loop.planning.mc_objective import OptimizationProblem
from loop.planning.row_decoder import RowDecoder

_STEPS = 50  # not tuned: steps of L-BFGS-B, of which few are taken


def applies(problem: OptimizationProblem) -> bool:
    """Return whether a space is a box with numbers to choose freely, and the acquisition function has a gradient.

    Where constraints, mixtures or parameters that do not always apply bound the space, or it was wider before,
    candidates move by ``Perturbation``.
    """
    space, encoder = problem.campaign.space, problem.encoder
    free = encoder.materials is None and space.table is None and not space.constraints and not space.mixtures
    free = free and not space.forbidden
    always = not any(parameter.when for parameter in space.parameters.values())
    some = any(isinstance(parameter, FloatConfig) for parameter in space.parameters.values())
    return free and always and some and encoder.space == space and isinstance(problem.objective.find, FindBestConfig)


def local_maxima(
    acquisition: AcquisitionFunction, problem: OptimizationProblem, starts: Sequence[Candidate]
) -> list[Candidate]:
    """Return where gradient ascent leads from some candidates, brought to what can be set; levels stay as they are."""
    decoder, rows = RowDecoder(problem.encoder), problem.encoder.encode(starts)
    parameters = problem.encoder.space.parameters
    fixed = [c for name, p in parameters.items() if not isinstance(p, FloatConfig) for c in decoder.columns[name]]
    found, _ = optimize_acqf(
        acquisition,
        bounds=torch.stack([torch.zeros(rows.shape[-1]), torch.ones(rows.shape[-1])]).double(),
        q=1,
        num_restarts=len(rows),
        batch_initial_conditions=rows.unsqueeze(-2),
        fixed_features={column: rows[:, column].unsqueeze(-1) for column in fixed} or None,
        return_best_only=False,
        options={"maxiter": _STEPS},
        retry_on_optimization_warning=False,
    )
    return [decoder.candidate(row) for row in found.squeeze(-2)]
