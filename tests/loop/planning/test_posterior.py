"""The posterior of all metrics: noise that depends on where it is measured, and candidates that may fail."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np
import pytest
import torch

from campaigns.values import Candidate, MetricValue
from loop.planning.fitting import fit_posterior
from loop.planning.mc_objective import OptimizationProblem
from loop.planning.posterior import CampaignPosterior, TrainingData
from surrogates.models.encoder import Encoder
from surrogates.models.feasibility import Feasibility
from tests.planned import campaign


def repeated(high: float, times: int = 3) -> CampaignPosterior:
    """Return what is believed after thirty candidates were measured, with a noise of 0.05 to ``high`` along x0."""
    generator, plan = np.random.default_rng(1), campaign(2)
    places = np.repeat(generator.random((30, 2)), times, axis=0)
    noise = (0.05 + (high - 0.05) * places[:, 0]) * generator.standard_normal(len(places))
    values = np.sin(3.0 * places[:, 1]) + noise
    done = [Candidate({"x0": float(x), "x1": float(y)}) for x, y in places]
    metrics = {"merit": [MetricValue(float(v), 0.0, "1") for v in values]}
    return fit_posterior(OptimizationProblem(plan, Encoder(plan.space)), TrainingData(done, metrics, (), frozenset()))


ENDS = torch.tensor([[0.1, 0.5], [0.9, 0.5]], dtype=torch.float64)


@pytest.mark.slow
def test_a_new_measurement_is_expected_to_be_as_noisy_as_those_near_it() -> None:
    quiet, loud = repeated(1.0).score_noise(ENDS, seed=0).sqrt().tolist()
    assert quiet < 0.4
    assert 0.5 < loud < 1.5


@pytest.mark.slow
def test_even_noise_is_expected_everywhere() -> None:
    quiet, loud = repeated(0.05).score_noise(ENDS, seed=0).sqrt().tolist()
    assert 0.8 < quiet / loud < 1.25


@pytest.mark.slow
def test_the_noise_model_is_described() -> None:
    told = repeated(1.0).describe()["merit"]["heteroscedastic noise"]
    assert told["replicated"] >= 25
    assert told["evidence"] > told["homoscedastic"]
    low, high = told["sds"]
    assert low < 0.5 * high
    assert "heteroscedastic noise" not in repeated(0.05).describe()["merit"]


def test_what_will_hardly_succeed_comes_after_all_else_and_in_order() -> None:
    posterior = replace(repeated(0.05, times=1), prospects=cast(Feasibility, lambda _: torch.tensor([0.1, 0.2, 0.3])))
    worst, bad, fair = posterior.success_weight(torch.zeros(3, 2)).tolist()
    assert 0.0 < worst < bad < 1e-6
    assert fair == pytest.approx(0.3)


@pytest.mark.slow
def test_what_was_not_completed_has_the_worst_points() -> None:
    whole = repeated(0.05, times=1)
    points = whole.points[:, 0]
    best = int(points.argmax())
    complete = torch.ones(len(points), dtype=torch.bool)
    complete[best] = False
    found = replace(whole, whole=complete).points[:, 0]
    assert float(found[best]) == float(points.min())
    assert torch.equal(found[complete], points[complete])
