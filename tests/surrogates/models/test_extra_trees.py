"""Trees as a BoTorch model: predictions, calibration by out-of-bag estimates, and what BoTorch asks of a model."""

import pickle

import numpy as np
import pytest
import torch
from botorch.acquisition import LogExpectedImprovement
from botorch.exceptions.errors import UnsupportedError
from botorch.optim import optimize_acqf
from scipy.stats import norm
from torch import Tensor

from surrogates.models.extra_trees import ExtraTrees, _out_of_bag, fit_extra_trees
from surrogates.models.observations import Observations


def rows(count: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).random((count, 3)))


def cliff(at: Tensor) -> Tensor:
    """Plateaus with edges along two of three parameters."""
    return torch.where(at[:, 0] > 0.55, 1.0, -1.0).double() + torch.where(at[:, 1] > 0.3, 0.7, 0.0).double()


def fitted(count: int = 40, unit: float = 1.0) -> ExtraTrees:
    at = rows(count)
    values = unit * cliff(at)
    return fit_extra_trees(Observations(at, values, torch.full_like(values, 1e-3 * unit)), 3)


def test_the_same_measurements_grow_the_same_trees() -> None:
    one, other = (fitted().posterior(rows(20, seed=6)) for _ in range(2))
    assert torch.equal(one.mean, other.mean)
    assert torch.equal(one.variance, other.variance)


@pytest.mark.parametrize("unit", [2.0**-30, 2.0**20])  # powers of two, so that rounding breaks no ties
def test_the_unit_of_a_metric_does_not_matter(unit: float) -> None:
    at = rows(50, seed=1)
    (mean, sd), (scaled_mean, scaled_sd) = fitted().marginals(at), fitted(unit=unit).marginals(at)
    assert torch.allclose(scaled_mean / unit, mean, rtol=1e-9)
    assert torch.allclose(scaled_sd / unit, sd, rtol=1e-9)


def test_measurements_count_by_their_certainty() -> None:
    at = rows(60)
    values = cliff(at)
    wrong = values.clone()
    wrong[::4] += 5.0
    sds = torch.full_like(values, 1e-3)
    unsure = sds.clone()
    unsure[::4] = 5.0
    elsewhere = rows(200, seed=7)
    models = [fit_extra_trees(Observations(at, wrong, each), 3) for each in (unsure, sds)]
    errors = [float((model.marginals(elsewhere)[0] - cliff(elsewhere)).square().mean()) for model in models]
    assert errors[0] < 0.3 * errors[1]


def test_intervals_hold_what_the_trees_did_not_see() -> None:
    model, elsewhere = fitted(80), rows(400, seed=8)
    mean, sd = model.marginals(elsewhere)
    held = ((cliff(elsewhere) - mean).abs() <= 2.0 * sd).double().mean()
    assert 0.85 < float(held) <= 1.0


def test_equal_measurements_are_predicted_as_they_are() -> None:
    at = rows(10)
    model = fit_extra_trees(Observations(at, torch.full((10,), 3.0).double(), torch.full((10,), 0.1).double()), 3)
    assert torch.allclose(model.posterior(rows(5, seed=1)).mean, torch.full((5, 1), 3.0).double())


def test_inflation_widens_deviations_and_leaves_the_mean() -> None:
    model, at = fitted(), rows(30, seed=3)
    (mean, sd), (same, wider) = model.marginals(at), model.noted(spread=2.0 * model.spread).marginals(at)
    assert torch.allclose(mean, same)
    assert bool((wider >= sd).all())
    assert float(wider.max()) > 1.8 * float(sd.max())


def test_the_posterior_has_the_moments_of_the_trees() -> None:
    model, at = fitted(), rows(6, seed=2).reshape(2, 3, 3)
    values = model(at)
    assert values.shape == (2, len(model.trees), 3, 1)
    posterior = model.posterior(at)
    assert torch.allclose(posterior.mean, values.mean(dim=-3))
    noiseless = posterior.distribution.covariance_matrix - torch.eye(3) * model.floor
    assert torch.allclose(noiseless[1], torch.cov(values[1].squeeze(-1).mT, correction=0), atol=1e-9)


def test_rows_one_by_one_and_together_agree() -> None:
    model, at, others = fitted(), rows(5, seed=2), rows(2, seed=4)
    together = model.joint(torch.cat([at, others]))[1]
    assert torch.allclose(model.cross(at, others), together[:5, 5:], atol=1e-9)
    assert torch.allclose(model.marginals(at)[1].square(), together.diagonal()[:5], atol=1e-9)


def test_predictions_are_piecewise_constant_with_zero_gradient_and_an_optimiser_does_not_mind() -> None:
    model, at = fitted(), rows(4, seed=2).requires_grad_()
    model.posterior(at).mean.sum().backward()
    assert torch.equal(at.grad, torch.zeros_like(at))
    bounds = torch.tensor([[0.0] * 3, [1.0] * 3], dtype=torch.float64)
    found, value = optimize_acqf(
        LogExpectedImprovement(model, best_f=1.0), bounds, q=1, num_restarts=2, raw_samples=16, options={"seed": 0}
    )
    assert found.shape == (1, 3)
    assert bool(torch.isfinite(value))


def test_a_model_survives_pickling() -> None:
    model, at = fitted(), rows(9, seed=5)
    again = pickle.loads(pickle.dumps(model))
    assert torch.equal(again.posterior(at).mean, model.posterior(at).mean)
    assert again.evidence == model.evidence


def test_single_observations_are_refused_in_words() -> None:
    with pytest.raises(UnsupportedError, match="fit it anew"):
        fitted().condition_on_observations(rows(1), torch.zeros(1, 1))


def test_the_evidence_is_the_density_of_what_trees_did_not_see_by_calibrated_intervals() -> None:
    outputs = np.array([[0.0, 1.0, 2.0, 4.0], [1.0, 1.5, 2.5, 2.0], [2.0, 0.5, 3.0, 9.0]])
    unseen = np.array([[True, True, True, False], [True, True, True, True], [True, False, True, False]])
    values, noise = np.array([2.0, 0.4, 3.1, 7.0]), np.full(4, 0.1)
    found = _out_of_bag(outputs, unseen, values, noise)  # of the last one, a single tree tells, and so none does
    mean, variance = np.array([1.0, 1.25, 2.5]), np.array([2 / 3, 0.0625, 1 / 6]) + 0.1
    spread = np.sqrt(np.mean((values[:3] - mean) ** 2 / variance))
    assert found.spread == pytest.approx(spread)
    scale = values[:3].std()
    density = norm.logpdf(values[:3] / scale, mean / scale, spread * np.sqrt(variance) / scale)
    assert found.evidence == pytest.approx(density.mean())
    far = _out_of_bag(outputs, unseen, 100.0 * values, noise)
    assert far.spread == 3.0  # no factor is larger
