"""Local maxima of an acquisition function in boxes, by BoTorch's ``optimize_acqf``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from botorch.acquisition import AcquisitionFunction
from botorch.optim import optimize_acqf

from campaigns.objective import FindBestConfig
from campaigns.spaces.parameters import FloatConfig, only_value
from campaigns.values import Candidate, Scalar
from loop.planning.mc_objective import OptimizationProblem
from loop.planning.row_decoder import RowDecoder

_STEPS = 50  # not tuned: steps of L-BFGS-B, of which few are taken


def applies(problem: OptimizationProblem) -> bool:
    """Return whether a space is a box with numbers to choose freely, and the acquisition function has a gradient.

    Where constraints, mixtures or parameters that do not always apply bound the space, or it was wider before but for
    parameters that are held at one value now, candidates move by ``Perturbation``.
    """
    space, held = problem.campaign.space, _held(problem)
    if held is None or not isinstance(problem.objective.find, FindBestConfig):
        return False
    free = problem.encoder.materials is None and space.table is None and not space.constraints and not space.mixtures
    always = not any(parameter.when for parameter in space.parameters.values())
    some = any(isinstance(one, FloatConfig) and name not in held for name, one in space.parameters.items())
    return free and not space.forbidden and always and some


def _held(problem: OptimizationProblem) -> dict[str, Scalar] | None:
    """Return the parameters that have one value only; None where the space differs otherwise from that of the rows."""
    space, rows = problem.campaign.space.parameters, problem.encoder.space.parameters
    held = {name: only for name, parameter in space.items() if (only := only_value(parameter)) is not None}
    return held if all(name in held or rows[name] == parameter for name, parameter in space.items()) else None


def local_maxima(
    acquisition: AcquisitionFunction, problem: OptimizationProblem, starts: Sequence[Candidate]
) -> list[Candidate]:
    """Return where gradient ascent leads from some candidates, brought to what can be set; levels stay as they are."""
    decoder, rows = RowDecoder(problem.encoder), problem.encoder.encode(starts)
    parameters = problem.encoder.space.parameters
    held = _held(problem) or {}
    still = [name for name, p in parameters.items() if name in held or not isinstance(p, FloatConfig)]
    fixed = [column for name in still for column in decoder.columns[name]]
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
    candidates = [decoder.candidate(row) for row in found.squeeze(-2)]
    return [replace(one, parameters={**one.parameters, **held}) for one in candidates]
