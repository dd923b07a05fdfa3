"""A metric between limits or above a floor as a BoTorch model in the metric's unit."""

import pytest
import torch
from botorch.acquisition import qLogNoisyExpectedImprovement
from botorch.acquisition.objective import ExpectationPosteriorTransform, ScalarizedPosteriorTransform
from botorch.exceptions.errors import UnsupportedError
from botorch.optim import optimize_acqf
from botorch.sampling.get_sampler import get_sampler
from torch import Tensor

from campaigns.metrics import MeasuredConfig
from campaigns.spaces.space import SpaceConfig
from loop.execution.fitted_models import in_metric_unit
from surrogates.models.encoder import Encoder
from surrogates.models.fit import fit_gp
from surrogates.models.logit_transform import Floor, LogitTransform
from surrogates.models.observations import Observations
from surrogates.models.problem import RegressionProblem
from surrogates.models.transformed import TransformedModel

ENCODER = Encoder(
    SpaceConfig.model_validate(
        {"parameters": {name: {"kind": "float", "unit": "1", "low": 0, "high": 1} for name in ("x", "y")}}
    )
)
LIMITS = LogitTransform(0.0, 100.0)


def rows(count: int, seed: int = 0) -> Tensor:
    return torch.rand(count, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def limited() -> TransformedModel:
    at = rows(12)
    seen = Observations(at, 100.0 * torch.sigmoid(8.0 * at[:, 0] - 4.0), torch.full((12,), 2.0, dtype=torch.float64))
    return TransformedModel(fit_gp(RegressionProblem(ENCODER), LIMITS.logits(seen)), LIMITS)


def floored() -> TransformedModel:
    at = rows(12)
    seen = Observations(at, (at[:, 0] - 0.4).clamp_min(0.0), torch.full((12,), 0.01, dtype=torch.float64))
    return TransformedModel(fit_gp(RegressionProblem(ENCODER, floor=0.0), seen), Floor(0.0))


MODELS = {"limits": limited, "floor": floored}


@pytest.mark.parametrize("kind", MODELS)
def test_mean_and_variance_are_those_of_samples(kind: str) -> None:
    posterior = MODELS[kind]().posterior(rows(6, seed=1).unsqueeze(1))
    samples = posterior.rsample(torch.Size([100_000]))
    scale = float(samples.std())
    assert torch.allclose(posterior.mean, samples.mean(dim=0), atol=0.01 * scale)
    assert torch.allclose(posterior.variance.sqrt(), samples.std(dim=0), atol=0.01 * scale)


def test_samples_stay_within_limits_and_above_a_floor() -> None:
    for model, low, high in ((limited(), 0.0, 100.0), (floored(), 0.0, torch.inf)):
        samples = model.posterior(rows(50, seed=1)).rsample(torch.Size([64]))
        assert float(samples.min()) >= low
        assert float(samples.max()) <= high


@pytest.mark.parametrize("kind", MODELS)
def test_gradients_are_those_of_finite_differences(kind: str) -> None:
    model, at = MODELS[kind](), rows(3, seed=2).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: model.posterior(x.unsqueeze(1)).mean, (at,), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", MODELS)
def test_acquisition_functions_take_it(kind: str) -> None:
    improvement = qLogNoisyExpectedImprovement(MODELS[kind](), X_baseline=rows(12), cache_root=False)
    bounds = torch.tensor([[0.0, 0.0], [1.0, 1.0]], dtype=torch.float64)
    found, value = optimize_acqf(improvement, bounds, q=2, num_restarts=2, raw_samples=16, options={"maxiter": 10})
    assert found.shape == (2, 2)
    assert bool(torch.isfinite(value))


def test_there_is_one_output_and_new_observations_are_refused() -> None:
    model = limited()
    assert model.num_outputs == 1
    assert model.subset_output([0]) is model
    with pytest.raises(UnsupportedError, match="fit it anew"):
        model.condition_on_observations(rows(1), torch.zeros(1, 1))


@pytest.mark.parametrize("kind", MODELS)
def test_stated_noise_is_in_the_unit_of_the_metric(kind: str) -> None:
    model, noise = MODELS[kind](), 1e-4 if kind == "floor" else 1.0
    at = torch.tensor([[0.5, 0.5], [0.6, 0.4]], dtype=torch.float64).unsqueeze(1)
    plain = model.posterior(at).variance
    noisy = model.posterior(at, observation_noise=torch.full((2, 1, 1), noise, dtype=torch.float64)).variance
    assert torch.allclose(noisy - plain, torch.tensor(noise, dtype=torch.float64), rtol=0.15)


@pytest.mark.parametrize("kind", MODELS)
def test_a_metric_can_be_minimised_by_a_posterior_transform(kind: str) -> None:
    model, at = MODELS[kind](), rows(4, seed=1).unsqueeze(1)
    minus = ScalarizedPosteriorTransform(torch.tensor([-2.0], dtype=torch.float64), offset=1.0)
    plain, turned = model.posterior(at), model.posterior(at, posterior_transform=minus)
    assert torch.allclose(turned.mean, 1.0 - 2.0 * plain.mean)
    assert torch.allclose(turned.variance, 4.0 * plain.variance)
    samples = [get_sampler(plain, torch.Size([8]), seed=0)(each) for each in (plain, turned)]
    assert torch.allclose(samples[1], 1.0 - 2.0 * samples[0])
    with pytest.raises(UnsupportedError, match="ExpectationPosteriorTransform cannot transform it; use Scalarized"):
        model.posterior(at, posterior_transform=ExpectationPosteriorTransform(n_w=1))


def test_the_campaign_file_says_what_a_model_is_transformed_by() -> None:
    inner, metric = limited().base, {"kind": "measured", "unit": "percent"}
    assert in_metric_unit(inner, MeasuredConfig.model_validate(metric)) is inner
    for key, value, transform in (("within", [0, 100], LIMITS), ("floor", 3, Floor(3.0))):
        found = in_metric_unit(inner, MeasuredConfig.model_validate({**metric, key: value}))
        assert isinstance(found, TransformedModel)
        assert found.transform == transform
