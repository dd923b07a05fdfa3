"""Noise that depends on where one measures is learnt from measurements of the same candidates."""

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
import torch

from campaigns.spaces.space import SpaceConfig
from surrogates.models.encoder import Encoder
from surrogates.models.gp import MetricGP
from surrogates.models.heteroscedastic import HeteroscedasticNoise, fit_heteroscedastic_noise
from surrogates.models.observations import Observations
from surrogates.models.problem import RegressionProblem

PARAMETERS = {f"x{i}": {"kind": "float", "unit": "1", "low": 0, "high": 1} for i in range(2)}
TASK = RegressionProblem(Encoder(SpaceConfig.model_validate({"parameters": PARAMETERS})))


def measured(low: float, high: float, times: int = 3, seed: int = 0, told: float = 0.0) -> Observations:
    """Return measurements of thirty candidates, with a noise that grows with the first parameter."""
    generator = np.random.default_rng(seed)
    rows = np.repeat(generator.random((30, 2)), times, axis=0)
    sds = np.hypot(low + (high - low) * rows[:, 0], told)
    values = np.sin(3.0 * rows[:, 1]) + sds * generator.standard_normal(len(rows))
    return Observations(*map(torch.from_numpy, (rows, values, np.full(len(rows), told))))


def along(found: HeteroscedasticNoise) -> list[float]:
    rows = torch.tensor([[0.1, 0.5], [0.5, 0.5], [0.9, 0.5]], dtype=torch.float64)
    return found.variance(rows).sqrt().tolist()


def test_noise_is_found_where_it_is() -> None:
    found = [
        f for seed in range(6) if (f := fit_heteroscedastic_noise(TASK, measured(0.05, 1.0, seed=seed))) is not None
    ]
    assert len(found) >= 4
    for each in found:
        low, middle, high = along(each)
        assert low < 0.6 * high
        assert middle < high
        assert 0.5 < high < 1.8
        assert each.account["evidence"] > each.account["homoscedastic"]


def test_one_noise_for_all_is_used_where_it_explains_as_much() -> None:
    assert sum(fit_heteroscedastic_noise(TASK, measured(0.5, 0.5, seed=seed)) is not None for seed in range(10)) <= 1


def test_few_repetitions_say_nothing() -> None:
    seen = measured(0.05, 1.0)
    assert fit_heteroscedastic_noise(TASK, seen.only(torch.arange(21))) is None
    assert fit_heteroscedastic_noise(TASK, seen.only(torch.arange(0, 90, 3))) is None


def test_the_noise_comes_on_top_of_what_measurements_tell_of() -> None:
    found = fit_heteroscedastic_noise(TASK, measured(0.05, 1.0, seed=1, told=0.3))
    assert found is not None
    seen = Observations(torch.tensor([[0.9, 0.5]]).double(), torch.zeros(1).double(), torch.full((1,), 0.3).double())
    assert float(found.noisier(seen).sds) == pytest.approx(np.hypot(0.3, along(found)[2]))


def test_the_variance_is_the_mean_of_its_distribution_less_what_is_stated() -> None:
    moments = torch.tensor([[-2.0, -9.0], [0.8, 0.1]], dtype=torch.float64)
    logarithm = cast(MetricGP, SimpleNamespace(marginals=lambda _: tuple(moments)))
    found = HeteroscedasticNoise(logarithm, 0.01, {}).variance(torch.zeros(2, 2))
    assert found.tolist() == [pytest.approx(np.exp(-2.0 + 0.32) - 0.01), 0.0]
