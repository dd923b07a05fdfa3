from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from campaigns.spaces.space import SpaceConfig
from surrogates.models.encoder import Encoder
from surrogates.models.ensemble import alternative_models, average_models
from surrogates.models.fit import FitCache, fit_gp
from surrogates.models.gp import MetricGP
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


def test_an_opposite_source_gets_a_negative_slope() -> None:
    model = fit_with_sources(TASK, (source_of(opposite),), measured(truth, 20, 2))
    assert model.account["sources"]["before"]["slope"] < 0.1


@pytest.mark.parametrize("function", [opposite, unrelated])
@pytest.mark.parametrize("count", [4, 8, 16, 32])
def test_a_misleading_source_makes_predictions_hardly_worse(function: Truth, count: int) -> None:
    seen = measured(truth, count, 2)
    assert error(fit_with_sources(TASK, (source_of(function),), seen)) < 1.25 * error(fit_gp(TASK, seen)) + 0.5


def test_the_better_of_two_sources_is_chosen() -> None:
    sources = (SourceModel("noise", source_of(unrelated).model), SourceModel("alike", source_of(truth).model))
    model = fit_with_sources(TASK, sources, measured(truth, 10, 2))
    assert model.account["source"] == "alike"
    assert set(model.account["sources"]) == {"noise", "alike"}


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
