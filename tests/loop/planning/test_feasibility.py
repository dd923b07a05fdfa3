"""Outcome constraints: the best of what keeps them is found, and what keeps them at all is found first."""

import numpy as np
import pytest
import torch

from campaigns.campaign import Campaign
from campaigns.values import Candidate, MetricValue
from loop.planning.acquisition import choose
from loop.planning.fitting import fit_posterior
from loop.planning.mc_objective import OptimizationProblem, OutputLayout
from loop.planning.posterior import TrainingData
from surrogates.models.encoder import Encoder
from tests.loop.conftest import only_step, quick


def constrained() -> OptimizationProblem:
    """Minimise a + b within a small disc around (0.7, 0.6), known by its slack alone."""
    step = only_step(["f", "slack"], "ab")
    objective = {
        "terms": [{"goal": "minimise", "metric": "f", "scale": 1}],
        "constraints": [{"metric": "slack", "at_least": 0}],
    }
    campaign = Campaign(
        **quick(
            space={"parameters": {n: {"kind": "float", "unit": "1", "low": 0, "high": 1} for n in "ab"}},
            metrics={n: {"kind": "measured", "unit": "1"} for n in ("f", "slack")},
            objective=objective,
            workflow=[step],
        )
    )
    return OptimizationProblem(campaign, Encoder(campaign.space, None))


def history(candidates: list[Candidate]) -> TrainingData:
    places = np.array([[c.parameters["a"], c.parameters["b"]] for c in candidates], dtype=float)
    slack = 0.1 - np.linalg.norm(places - (0.7, 0.6), axis=1)
    metrics = {"f": places.sum(axis=1), "slack": slack}
    values = {name: [MetricValue(float(v), 0.0, "1") for v in found] for name, found in metrics.items()}
    return TrainingData(candidates, values, [], frozenset(c.key() for c in candidates))


@pytest.mark.slow
def test_a_small_feasible_region_is_found_and_searched() -> None:
    problem = constrained()
    done = [Candidate({"a": a, "b": b}) for a, b in [(0.1, 0.2), (0.9, 0.1), (0.3, 0.9), (0.2, 0.5), (0.5, 0.3)]]
    assert not any(m.value >= 0 for m in history(done).metrics["slack"])
    for number in range(12):
        known = history(done)
        done.append(choose(fit_posterior(problem, known), known, number).candidate)
    found = history(done).metrics
    feasible = [f.value for f, s in zip(found["f"], found["slack"], strict=True) if s.value >= 0]
    assert min(feasible) < 1.3 - 0.1 * 2**0.5 + 0.05


def test_constraints_are_below_zero_where_they_hold_and_measured_in_their_spread() -> None:
    slack = torch.tensor([1.0, 0.0, -0.5], dtype=torch.float64)
    outputs = torch.stack([slack, slack], dim=-1)
    (excess,) = OutputLayout(constrained(), ("f", "slack")).constraints([0.5]) or []
    assert excess(outputs).tolist() == [-2.0, 0.0, 1.0]


def test_without_constraints_there_are_none() -> None:
    problem = constrained()
    data = problem.campaign.model_dump()
    data["objective"]["constraints"] = []
    free = OptimizationProblem(Campaign(**data), problem.encoder)
    assert OutputLayout(free, ("f", "slack")).constraints([]) is None
