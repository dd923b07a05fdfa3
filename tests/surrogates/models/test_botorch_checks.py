"""Every model survives what a user's script does with a model of BoTorch: pickling, lists, samples, optimisers."""

import copy
import pickle
from functools import cache

import numpy as np
import pytest
import torch
from botorch.acquisition import qLogNoisyExpectedImprovement
from botorch.acquisition.multi_objective.logei import qLogNoisyExpectedHypervolumeImprovement
from botorch.acquisition.thompson_sampling import PathwiseThompsonSampling
from botorch.exceptions.errors import UnsupportedError
from botorch.generation import MaxPosteriorSampling
from botorch.models.model import Model, ModelList
from botorch.optim import optimize_acqf, optimize_acqf_discrete
from botorch.sampling import SobolQMCNormalSampler
from botorch.sampling.get_sampler import get_sampler
from botorch.sampling.pathwise import draw_matheron_paths
from torch import Tensor

from surrogates.models.custom_model import ModelPath, fit_custom_model
from surrogates.models.gp import MetricGP
from surrogates.models.logit_transform import Floor, LogitTransform
from surrogates.models.transformed import TransformedModel
from tests.surrogates.models.test_base import BOX, KINDS, model, rows_for, seen

PROCESSES = ("box", "effects", "pool", "pool with a prior", "share of a prior", "floor")
ALL = (*KINDS, "limits", "above a floor", "custom")


@cache
def built(kind: str) -> Model:
    match kind:
        case "limits":
            return TransformedModel(model("box"), LogitTransform(0.0, 100.0))
        case "above a floor":
            return TransformedModel(model("floor"), Floor(0.3))
        case "custom":
            return fit_custom_model(ModelPath("botorch.models:SingleTaskGP", "metrics.merit.model"), BOX, seen(25))
        case _:
            return model(kind)


def in_pool(kind: str) -> bool:
    return kind.startswith(("pool", "share"))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ALL)
def test_a_model_survives_pickling_and_copying(kind: str) -> None:
    found, rows = built(kind), rows_for(kind, 3, 2)
    expected = found.posterior(rows)
    for again in (pickle.loads(pickle.dumps(found)), copy.deepcopy(found)):
        assert torch.equal(again.posterior(rows).mean, expected.mean)
        assert torch.equal(again.posterior(rows).variance, expected.variance)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ALL)
def test_samples_of_a_seed_are_the_same_and_batches_do_not_change_them(kind: str) -> None:
    found, rows = built(kind), rows_for(kind, 4, 2)
    posterior = found.posterior(rows)
    sampler = get_sampler(posterior, torch.Size([16]), seed=1)
    assert isinstance(sampler, SobolQMCNormalSampler)
    samples = sampler(posterior)
    assert samples.shape == (16, 4, 2, 1)
    one = sampler(found.posterior(rows[2:3]))
    assert torch.allclose(one[:, 0], samples[:, 2], atol=1e-6)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:A not p.d.")  # a start beside a measured row
@pytest.mark.parametrize("kind", ALL)
def test_an_acquisition_function_of_botorch_is_maximised_on_it(kind: str) -> None:
    found, rows = built(kind), rows_for(kind, 7)
    drawn = SobolQMCNormalSampler(torch.Size([128]), seed=0)
    improvement = qLogNoisyExpectedImprovement(
        found, X_baseline=rows[:6], sampler=drawn, X_pending=rows[6:], prune_baseline=False, cache_root=False
    )
    if in_pool(kind):
        choices = rows_for(kind, 40)
        best, value = optimize_acqf_discrete(improvement, q=1, choices=choices)
        assert bool((choices == best).all(dim=1).any())
    else:
        bounds = torch.tensor([[0.0] * 3, [1.0] * 3], dtype=torch.float64)
        best, value = optimize_acqf(
            improvement, bounds, q=1, num_restarts=2, raw_samples=16, options={"maxiter": 5, "seed": 0}
        )
        assert best.shape == (1, 3)
    assert bool(torch.isfinite(value).all())


@pytest.mark.parametrize("kind", ["trees", "average", "autoregressive"])
def test_it_stands_in_a_list_of_models_with_stated_noise(kind: str) -> None:
    found, rows = built(kind), rows_for(kind, 4)
    noise = torch.full((4, 1), 0.5, dtype=torch.float64)
    plain, noisy = (found.posterior(rows, observation_noise=given).variance for given in (False, noise))
    assert torch.allclose(noisy, plain + 0.5)
    assert ModelList(found, found).posterior(rows).mean.shape == (4, 2)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("shape", [(0,), (3, 0), (0, 1), (0, 4), (2, 0, 4)])
def test_no_rows_have_an_empty_posterior(kind: str, shape: tuple[int, ...]) -> None:
    for noisy in (False, True):
        posterior = built(kind).posterior(rows_for(kind, *shape), observation_noise=noisy)
        assert posterior.mean.shape == posterior.variance.shape == (*shape, 1)
        assert posterior.rsample(torch.Size([2])).shape == (2, *shape, 1)


@pytest.mark.parametrize("kind", [kind for kind in ALL if kind not in PROCESSES])
def test_what_cannot_learn_from_samples_says_what_to_do(kind: str) -> None:
    sampler = SobolQMCNormalSampler(torch.Size([4]), seed=0)
    with pytest.raises(UnsupportedError, match="fit it anew with them, or wrap it in Fantasized"):
        built(kind).fantasize(rows_for(kind, 2), sampler)


@pytest.mark.parametrize("kind", PROCESSES)
def test_a_process_with_further_measurements_has_the_noise_that_it_had(kind: str) -> None:
    found, rows = built(kind), rows_for(kind, 5)
    assert isinstance(found, MetricGP)
    more = found.condition_on_observations(rows[:2], torch.zeros(2, 1).double())
    plain = more.posterior(rows[2:]).variance.squeeze(-1)
    for noise, expected in ((True, found.noise(rows[2:])), (torch.full((3, 1), 0.5).double(), 0.5)):
        noisy = more.posterior(rows[2:], observation_noise=noise).variance.squeeze(-1)
        assert torch.allclose(noisy - plain, torch.as_tensor(expected).double(), rtol=1e-3)


@pytest.mark.parametrize("kind", ["trees", "average"])
def test_rows_in_batches_of_batches_are_those_of_flat_ones(kind: str) -> None:
    found, rows = built(kind), rows_for(kind, 2, 3, 4)
    flat: Tensor = found.posterior(rows.reshape(6, 4, 3)).mean
    np.testing.assert_allclose(found.posterior(rows).mean.reshape(6, 4, 1), flat, rtol=1e-9)


@pytest.mark.parametrize("kind", ALL)
def test_no_model_leaves_double_precision(kind: str) -> None:
    found, rows = built(kind), rows_for(kind, 3)
    expected = found.posterior(rows).mean
    for convert in (found.float, lambda: found.to(torch.float32), lambda: found.to("meta")):
        with pytest.raises(UnsupportedError, match=r"works in torch\.float64 on the CPU alone, got torch\.float"):
            convert()
    assert torch.equal(found.double().to(rows).posterior(rows).mean, expected)


@pytest.mark.parametrize("kind", [kind for kind in ALL if not in_pool(kind)])
def test_a_hypervolume_is_improved_with_it_beside_another(kind: str) -> None:
    both, rows = ModelList(built(kind), built("box")), rows_for(kind, 8)
    drawn = get_sampler(both.posterior(rows), torch.Size([16]), seed=0)
    improvement = qLogNoisyExpectedHypervolumeImprovement(
        both, [-1.0, -1.0], rows[:6], sampler=drawn, X_pending=rows[6:7], prune_baseline=True, cache_root=False
    )
    assert bool(improvement(rows[7:].unsqueeze(0)).isfinite().all())
    assert torch.equal(both.subset_output([0]).posterior(rows).mean, built(kind).posterior(rows).mean)


@pytest.mark.parametrize("kind", ["box", "trees", "limits"])
def test_sample_paths_are_refused_with_what_to_use_instead(kind: str) -> None:
    found = built(kind)
    with pytest.raises(UnsupportedError, match=r"no random features .* by posterior\(X\)\.rsample, and choose among"):
        draw_matheron_paths(found, torch.Size([2]))
    with pytest.raises(UnsupportedError, match=r"PathwiseThompsonSampling"):
        PathwiseThompsonSampling(found).eval()(rows_for(kind, 2))
    chosen = MaxPosteriorSampling(found)(rows_for(kind, 5), num_samples=2)
    assert chosen.shape == (2, 3)
