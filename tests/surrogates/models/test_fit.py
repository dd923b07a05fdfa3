from typing import Any

import numpy as np
import pytest
import torch

from campaigns.spaces.space import SpaceConfig
from surrogates.models import fit
from surrogates.models.encoder import Encoder, MaterialTable
from surrogates.models.exact_inference import Factor
from surrogates.models.fit import FitCache, fit_gp
from surrogates.models.means import PoolPrior
from surrogates.models.model_selection import Selection, select_views
from surrogates.models.observations import Observations
from surrogates.models.problem import FittedKernel, RegressionProblem

SPACE = SpaceConfig.model_validate({"pool": {"kind": "generator", "function": "a.b:c"}})
PRIOR = PoolPrior("prior:v")


def world(count: int) -> tuple[Encoder, Observations]:
    """Measurements that one of two views tells, and a prior that says nothing after the first twenty."""
    rng = np.random.default_rng(2)
    views = {name: rng.normal(size=(100, 3)) / np.sqrt(6) for name in ("told", "noise")}
    values = np.sin(4 * views["told"][:, 0])
    prior = np.where(np.arange(100) < 20, values, rng.normal(size=100))
    table = MaterialTable(tuple(map(str, range(100))), views, {"prior:v": prior})
    rows = torch.arange(count).unsqueeze(-1).double()
    sds = torch.full((count,), 0.05, dtype=torch.float64)
    return Encoder(SPACE, table), Observations(rows, torch.from_numpy(values[:count]), sds)


def first(seen: Observations, count: int) -> Observations:
    return Observations(seen.rows[:count], seen.values[:count], seen.sds[:count])


@pytest.mark.slow
@pytest.mark.parametrize("floor", [None, 0.0])
def test_what_is_cached_of_fewer_measurements_changes_nothing(floor: float | None) -> None:
    encoder, seen = world(40)
    if floor is not None:
        seen = Observations(seen.rows, seen.values.clamp_min(floor), seen.sds)
    task, cache = RegressionProblem(encoder, PRIOR, floor), FitCache()
    for count in range(1, 41, 3):
        grown, fresh = fit_gp(task, first(seen, count), cache), fit_gp(task, first(seen, count))
        assert grown.describe() == fresh.describe()
        for one, other in zip(grown.marginals(seen.rows), fresh.marginals(seen.rows), strict=True):
            assert torch.equal(one, other)


@pytest.mark.slow
def test_views_and_prior_are_judged_as_often_as_hyper_parameters_are_fitted(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder, seen = world(60)
    judged: list[int] = []

    def counting(mixture: FittedKernel) -> Selection:
        judged.append(len(mixture.data.targets))
        return select_views(mixture)

    monkeypatch.setattr(fit, "select_views", counting)
    cache = FitCache()
    for count in range(40, 61):
        fit_gp(RegressionProblem(encoder, PRIOR), first(seen, count), cache)
        assert 0.9 * count <= judged[-1] <= count
    assert len(judged) <= 6
    assert {key[0] for key in cache.selections} == set(judged)


def test_each_set_of_views_has_a_cache_of_its_own() -> None:
    encoder, seen = world(30)
    cache = FitCache()
    both, simple = (fit_gp(RegressionProblem(encoder, views=views), seen, cache) for views in (None, ("noise",)))
    assert "told" in both.account["features"]
    assert set(simple.account["features"]) == {"noise"}
    assert simple.describe() == fit_gp(RegressionProblem(encoder, views=("noise",)), seen).describe()


@pytest.mark.slow
def test_many_measurements_are_factorised_when_hyper_parameters_are_fitted_and_else_extended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    encoder, seen = world(60)
    whole: list[int] = []
    monkeypatch.setattr(fit, "_MOST_TO_FIT", 20)
    factor: Any = FittedKernel.factor
    original = factor.func

    def counting(fitted: FittedKernel) -> Factor:
        if fitted.factorised is None:
            whole.append(len(fitted.data.targets))
        found: Factor = original(fitted)
        return found

    monkeypatch.setattr(factor, "func", counting)
    cache = FitCache()
    for count in range(40, 61):
        whole.clear()
        grown = fit_gp(RegressionProblem(encoder, PRIOR), first(seen, count), cache)
        assert all(size < count or size == fit.fitted_to(count) for size in whole)
        if fit.fitted_to(count) < count and count > 40:
            assert not whole
        fresh = fit_gp(RegressionProblem(encoder, PRIOR), first(seen, count))
        assert grown.describe() == fresh.describe()
        for one, other in zip(grown.marginals(seen.rows), fresh.marginals(seen.rows), strict=True):
            assert torch.equal(one, other)


def test_many_measurements_are_learnt_as_few_are(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder, seen = world(60)
    few = fit_gp(RegressionProblem(encoder, PRIOR), seen)
    monkeypatch.setattr(fit, "_MOST_TO_FIT", 59)
    many = fit_gp(RegressionProblem(encoder, PRIOR), seen)
    everything = torch.arange(100).unsqueeze(-1).double()
    spread = float(few.marginals(everything)[0].std())
    for one, other in zip(few.marginals(everything), many.marginals(everything), strict=True):
        assert float((one - other).abs().max()) < 0.05 * spread


def test_models_that_are_inflated_differently_are_not_taken_for_each_other() -> None:
    encoder, seen = world(12)
    cache = FitCache()
    one, other = (
        fit_gp(RegressionProblem(encoder, inflation=f), seen, cache).marginals(seen.rows)[1] for f in (1.0, 2.0)
    )
    assert torch.allclose(other, 2.0 * one)
