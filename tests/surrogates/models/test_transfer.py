import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from campaigns.spaces.space import SpaceConfig
from surrogates.models.encoder import Encoder, MaterialTable
from surrogates.models.ensemble import alternative_models, average_models
from surrogates.models.fit import FitCache, fit_gp, fitted_to
from surrogates.models.gp import MetricGP
from surrogates.models.means import PoolPrior
from surrogates.models.observations import Observations
from surrogates.models.problem import RegressionProblem
from surrogates.models.transfer import SourceModel, fit_with_sources

SPACE = SpaceConfig.model_validate(
    {"parameters": {n: {"kind": "float", "unit": "1", "low": 0, "high": 1} for n in ("a", "b")}}
)
TASK = RegressionProblem(Encoder(SPACE))
Truth = Callable[[Tensor], Tensor]


def truth(rows: Tensor) -> Tensor:
    return 200.0 + 30.0 * torch.sin(5.0 * rows[:, 0]) + 20.0 * torch.cos(4.0 * rows[:, 1])


def opposite(rows: Tensor) -> Tensor:
    return -3.0 * truth(rows) + 5.0


def unrelated(rows: Tensor) -> Tensor:
    return torch.sin(9.0 * rows[:, 0] - 7.0 * rows[:, 1])


def measured(function: Truth, count: int, seed: int) -> Observations:
    rows = torch.from_numpy(np.random.default_rng(seed).random((count, 2)))
    return Observations(rows, function(rows), torch.full((count,), 0.01, dtype=torch.float64))


def source_of(function: Truth) -> SourceModel:
    return SourceModel("before", fit_gp(TASK, measured(function, 40, 1)))


def error(model: MetricGP) -> float:
    rows = measured(truth, 200, 3).rows
    return float((model.marginals(rows)[0] - truth(rows)).square().mean().sqrt())


def test_a_source_with_another_scale_and_shift_tells_what_few_measurements_do_not() -> None:
    seen = measured(truth, 6, 2)
    helped = fit_with_sources(TASK, (source_of(lambda rows: 0.01 * truth(rows) - 7.0),), seen)
    assert helped.account["source"] == "before"
    assert error(helped) < 0.2 * error(fit_gp(TASK, seen))


@pytest.mark.slow
def test_an_opposite_source_gets_a_negative_slope() -> None:
    model = fit_with_sources(TASK, (source_of(opposite),), measured(truth, 20, 2))
    assert model.account["sources"]["before"]["slope"] < 0.1


@pytest.mark.slow
@pytest.mark.parametrize("function", [opposite, unrelated])
@pytest.mark.parametrize("count", [4, 8, 16, 32])
def test_a_misleading_source_makes_predictions_hardly_worse(function: Truth, count: int) -> None:
    seen = measured(truth, count, 2)
    assert error(fit_with_sources(TASK, (source_of(function),), seen)) < 1.25 * error(fit_gp(TASK, seen)) + 0.5


@pytest.mark.slow
def test_the_better_of_two_sources_is_chosen() -> None:
    sources = (SourceModel("noise", source_of(unrelated).model), SourceModel("alike", source_of(truth).model))
    model = fit_with_sources(TASK, sources, measured(truth, 10, 2))
    assert model.account["source"] == "alike"
    assert set(model.account["sources"]) == {"noise", "alike"}


@pytest.mark.slow
def test_the_cache_changes_nothing() -> None:
    known, cache = source_of(truth), FitCache()
    for count in (3, 7, 12, 20):
        seen = measured(truth, count, 2)
        assert (
            fit_with_sources(TASK, (known,), seen, cache).describe()
            == fit_with_sources(TASK, (source_of(truth),), seen).describe()
        )


def test_botorch_predicts_the_same_with_a_source() -> None:
    model = fit_with_sources(TASK, (source_of(truth),), measured(truth, 8, 2))
    rows = measured(truth, 5, 4).rows
    mean, sd = model.marginals(rows)
    posterior = model.posterior(rows)
    assert torch.allclose(posterior.mean.squeeze(-1), mean, rtol=1e-6)
    assert torch.allclose(posterior.variance.squeeze(-1).sqrt(), sd, rtol=1e-3)


def test_without_sources_none_is_described() -> None:
    seen = measured(truth, 6, 2)
    assert (
        "source"
        not in average_models(
            fit_with_sources(TASK, (), seen), alternative_models(TASK, (), seen, FitCache())
        ).describe()
    )


def test_densities_are_compared_in_the_unit_of_the_metric() -> None:
    rng = np.random.default_rng(0)
    view = rng.normal(size=(40, 2))
    table = MaterialTable(tuple(map(str, range(40))), {"one": view}, {"size": 5.0 + view[:, 0]})
    pool = SpaceConfig.model_validate({"pool": {"kind": "generator", "function": "a.b:c"}})
    task = RegressionProblem(Encoder(pool, table), PoolPrior("size", factor=True))
    rows = torch.arange(20, dtype=torch.float64).unsqueeze(-1)
    values = torch.from_numpy(100.0 + 20.0 * view[:20, 0])
    seen = Observations(rows, values, torch.full((20,), 0.5, dtype=torch.float64))
    source = SourceModel("before", fit_gp(replace(task, prior=None), seen))
    gain = fit_with_sources(task, (source,), seen).account["sources"]["before"]["gain"]
    alone, helped = (
        fit_gp(replace(task, prior=prior), seen) for prior in (task.prior, source.over(rows[: fitted_to(20)]))
    )
    assert alone.scale > 2.0 * helped.scale  # a share of a number is not shifted, and so has another unit
    assert gain == pytest.approx(helped.evidence - alone.evidence + math.log(alone.scale / helped.scale))


def test_a_source_is_standardised_over_the_rows_that_were_measured() -> None:
    rows = torch.rand(12, 2, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    values, amplitude = source_of(truth).over(rows).values(TASK.encoder, rows)
    assert values is not None
    assert amplitude is None
    assert float(values.mean()) == pytest.approx(0.0, abs=1e-9)
    assert float(values.std()) == pytest.approx(1.0)


def test_where_a_source_is_flat_its_ripples_are_not_blown_up() -> None:
    rows = torch.tensor([[0.31, 0.4], [0.31 + 1e-6, 0.4]], dtype=torch.float64)
    source = source_of(truth)
    assert source.over(rows).scale == pytest.approx(0.05 * source.model.scale)


def test_a_source_has_a_gradient() -> None:
    rows = torch.tensor([[0.2, 0.4]], dtype=torch.float64, requires_grad=True)
    source_of(truth).mean(rows).sum().backward()
    assert rows.grad is not None
    assert bool(rows.grad.any())
