import itertools
from collections.abc import Sequence

import numpy as np
import pytest
import torch

from campaigns.spaces.space import SpaceConfig
from campaigns.values import Candidate
from surrogates.models.base import Fantasized, MetricModel
from surrogates.models.encoder import Encoder
from surrogates.models.ensemble import EFFECTS, GP, TREES, Ensemble, alternative_models, average_models
from surrogates.models.extra_trees import ExtraTrees, fit_extra_trees
from surrogates.models.fit import FitCache, fit_gp
from surrogates.models.gp import MetricGP
from surrogates.models.model_selection import MATERN
from surrogates.models.observations import Observations
from surrogates.models.problem import RegressionProblem

ENCODER = Encoder(
    SpaceConfig.model_validate(
        {"parameters": {name: {"kind": "float", "unit": "1", "low": 0, "high": 1} for name in ("x", "y", "z")}}
    )
)


def rows(count: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).random((count, 3)))


def cliff(at: torch.Tensor) -> torch.Tensor:
    """Plateaus with edges along two of three parameters."""
    return torch.where(at[:, 0] > 0.55, 1.0, -1.0).double() + torch.where(at[:, 1] > 0.3, 0.7, 0.0).double()


def smooth(at: torch.Tensor) -> torch.Tensor:
    return torch.sin(3.0 * at[:, 0]) + at[:, 1] * at[:, 2]


def seen(at: torch.Tensor, values: torch.Tensor, sd: float = 1e-3) -> Observations:
    return Observations(at, values, torch.full_like(values, sd))


def weighed(observations: Observations, encoder: Encoder = ENCODER) -> MetricModel:
    task = RegressionProblem(encoder)
    return average_models(fit_gp(task, observations), alternative_models(task, (), observations, FitCache()))


def forest(count: int = 40) -> ExtraTrees:
    return fit_extra_trees(seen(rows(count), cliff(rows(count))), 3)


@pytest.mark.slow
def test_trees_are_asked_where_a_metric_has_cliffs() -> None:
    at = rows(40)
    model = weighed(seen(at, cliff(at)))
    assert isinstance(model, Ensemble)
    told = model.describe()
    assert TREES in told["members"]
    assert told["models"][TREES] > told["loo"][MATERN]
    elsewhere = rows(400, seed=1)
    off = (model.marginals(elsewhere)[0] - cliff(elsewhere)).square().mean()
    alone = (model.members[GP].marginals(elsewhere)[0] - cliff(elsewhere)).square().mean()
    assert off < 0.95 * alone


def test_a_smooth_metric_is_left_to_the_gaussian_process() -> None:
    at = rows(30)
    model = weighed(seen(at, smooth(at)))
    assert isinstance(model, MetricGP)
    assert model.describe()["models"][GP] > model.describe()["models"][TREES]


def of_levels(counts: Sequence[int]) -> Encoder:
    """Return a space of categoricals with so many levels each."""
    levels = {f"c{i}": {"kind": "categorical", "levels": [f"l{k}" for k in range(n)]} for i, n in enumerate(counts)}
    return Encoder(SpaceConfig.model_validate({"parameters": levels}))


@pytest.mark.parametrize(("counts", "others"), [((6, 5), {EFFECTS, TREES}), ((6,), {TREES})])
def test_one_parameter_has_no_effects_beside_others(counts: Sequence[int], others: set[str]) -> None:
    encoder = of_levels(counts)
    at = torch.eye(encoder.parameter_columns, dtype=torch.float64).repeat(2, 1)[:12]
    assert set(alternative_models(RegressionProblem(encoder), (), seen(at, at[:, 0]), FitCache())) == others
    assert set(alternative_models(RegressionProblem(encoder), (), seen(at, at[:, 0]), None)) == {TREES}


def test_effects_tell_what_a_level_does_beside_others_with_which_it_was_not_tried() -> None:
    encoder, generator = of_levels((12, 10, 8)), np.random.default_rng(1)
    worth = [generator.normal(size=n) for n in (12, 10, 8)]
    everything = list(itertools.product(*(range(len(w)) for w in worth)))
    truth = torch.tensor([sum(w[k] for w, k in zip(worth, levels, strict=True)) for levels in everything])
    at = encoder.encode([Candidate({f"c{i}": f"l{k}" for i, k in enumerate(levels)}) for levels in everything])
    tried = torch.from_numpy(generator.permutation(len(everything))[:50])
    model = weighed(seen(at[tried], truth[tried]), encoder)
    assert isinstance(model, Ensemble)
    assert model.describe()["members"] == [GP, EFFECTS]
    off, alone, effects = (
        float((m.marginals(at)[0] - truth).square().mean()) for m in (model, model.members[GP], model.members[EFFECTS])
    )
    assert effects < 0.5 * alone
    assert off < 0.7 * alone


def test_a_few_measurements_are_left_to_the_gaussian_process() -> None:
    at = rows(5)
    assert isinstance(weighed(seen(at, cliff(at))), MetricGP)


@pytest.mark.slow
def test_the_mixture_has_the_moments_of_samples_of_its_members() -> None:
    at, wanted = rows(40), rows(6, seed=2)
    model = weighed(seen(at, cliff(at)))
    assert isinstance(model, Ensemble)
    generator = np.random.default_rng(3)
    drawn = []
    for member in model.members.values():
        centre, covariance = (part.numpy() for part in member.joint(wanted))
        drawn.append(generator.multivariate_normal(centre, covariance, 200_000))
    samples = np.concatenate(drawn)
    mean, spread = model.joint(wanted)
    assert np.allclose(mean, samples.mean(axis=0), atol=0.01)
    assert np.allclose(spread, np.cov(samples.T), atol=0.02)
    marginal, sd = model.marginals(wanted)
    assert torch.allclose(marginal, mean)
    assert torch.allclose(sd.square(), spread.diagonal(), rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["trees", "both"])
def test_the_covariance_with_others_is_that_of_all_together(kind: str) -> None:
    at, wanted, others = rows(40), rows(5, seed=2), rows(2, seed=4)
    model = forest() if kind == "trees" else weighed(seen(at, cliff(at)))
    together = model.joint(torch.cat([wanted, others]))[1]
    assert torch.allclose(model.cross(wanted, others).double(), together[:5, 5:], atol=1e-8)


@pytest.mark.slow
def test_what_is_under_way_makes_only_its_surroundings_more_certain() -> None:
    at, pending = rows(40), rows(1, seed=6)
    model = weighed(seen(at, cliff(at)))
    near = torch.cat([pending, 1.0 - pending])
    mean, sd = model.marginals(near)
    same, less = Fantasized(model, pending).marginals(near)
    assert torch.equal(mean, same)
    assert float(less[0]) < 0.75 * float(sd[0])
    assert float(less[1]) > 0.8 * float(sd[1])


def test_noise_that_measurements_do_not_tell_of_is_learnt() -> None:
    generator = np.random.default_rng(9)
    at = rows(80)
    values = smooth(at) + 0.3 * torch.from_numpy(generator.normal(size=80))
    model = fit_gp(RegressionProblem(ENCODER), seen(at, values))
    learnt = model.scale * model.describe()["hyper_parameters"]["noise"] ** 0.5
    assert learnt == pytest.approx(0.3, rel=0.35)
    exact = fit_gp(RegressionProblem(ENCODER), seen(at, smooth(at)))
    assert exact.scale * exact.describe()["hyper_parameters"]["noise"] ** 0.5 < 0.03


def test_trees_whose_intervals_proved_too_narrow_are_widened() -> None:
    observations, at = seen(rows(20), cliff(rows(20))), rows(9, seed=1)
    spreads = []
    for factor in (1.0, 2.0):
        trees = alternative_models(RegressionProblem(ENCODER, inflation=factor), (), observations, None)[TREES]
        assert isinstance(trees, ExtraTrees)
        spreads.append(trees.marginals(at)[1].square() - trees.floor)
    assert torch.allclose(spreads[1], 4.0 * spreads[0])
