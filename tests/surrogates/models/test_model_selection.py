"""Which kernel of the parameters is used, by leave-one-out."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from campaigns.spaces.space import SpaceConfig
from surrogates.models.encoder import Encoder
from surrogates.models.fit import fit_gp
from surrogates.models.gp import MetricGP
from surrogates.models.model_selection import GAUSSIAN, MATERN, WARPED
from surrogates.models.observations import Observations
from surrogates.models.problem import RegressionProblem

UNIT = {"kind": "float", "unit": "1", "low": 0, "high": 1}
COLOUR = {"kind": "categorical", "levels": ["red", "green"]}
SPACE = SpaceConfig.model_validate({"parameters": {"x": UNIT, "colour": COLOUR, "y": UNIT}})


def near_the_end(at: Tensor) -> Tensor:
    """A peak over decades of a parameter that the file holds for linear."""
    return torch.exp(-2.0 * (torch.log10(at[:, 0] + 1e-3) + 2.0).square()) + 0.3 * at[:, 3]


def waves(at: Tensor) -> Tensor:
    return torch.sin(6.0 * at[:, 0]) * torch.cos(4.0 * at[:, 3]) + at[:, 1]


def rough(at: Tensor) -> Tensor:
    noise = torch.from_numpy(np.random.default_rng(3).normal(size=len(at)))
    return torch.sin(6.0 * at[:, 0]) + 0.3 * noise


def rows(count: int, seed: int) -> Tensor:
    rng = np.random.default_rng(seed)
    level = rng.integers(0, 2, count)
    return torch.from_numpy(np.column_stack([rng.random(count), level, 1 - level, rng.random(count)]))


def learnt(function: Callable[[Tensor], Tensor], count: int, conservative: bool = False) -> MetricGP:
    at = rows(count, 0)
    values = function(at)
    return fit_gp(
        RegressionProblem(Encoder(SPACE), conservative=conservative),
        Observations(at, values, torch.full_like(values, 1e-3)),
    )


@pytest.mark.parametrize(
    ("function", "count", "kernel"),
    [(near_the_end, 25, WARPED), (waves, 50, GAUSSIAN), (rough, 40, MATERN), (near_the_end, 7, MATERN)],
)
def test_a_kernel_is_chosen_where_measurements_speak_for_it(
    function: Callable[[Tensor], Tensor], count: int, kernel: str
) -> None:
    account = learnt(function, count).account
    assert account["choice"] == kernel
    assert set(account["loo"]) == ({MATERN} if count < 8 else {MATERN, GAUSSIAN, WARPED})


def test_a_warp_has_to_earn_its_exponents() -> None:
    account = learnt(near_the_end, 10).account
    gain = 10 * (account["loo"][WARPED] - account["loo"][MATERN])
    assert 4.0 < gain < 10.0, (
        "more than chance gives to a kernel without further numbers, and less than four exponents cost"
    )
    assert account["choice"] == MATERN


@pytest.mark.parametrize(("function", "count"), [(near_the_end, 25), (waves, 50)])
def test_the_chosen_kernel_predicts_what_it_has_not_seen(
    function: Callable[[Tensor], Tensor], count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = rows(300, 1)
    chosen = learnt(function, count).marginals(elsewhere)[0]
    monkeypatch.setattr("surrogates.models.model_selection.FEWEST", count + 1)
    plain = learnt(function, count).marginals(elsewhere)[0]
    truth = function(elsewhere)
    assert (chosen - truth).square().mean() < 0.5 * (plain - truth).square().mean()


def test_only_numbers_are_warped() -> None:
    names = learnt(near_the_end, 25).covar_module.spec.names
    assert [n for n in names if n.startswith(("low", "high"))] == ["low.0", "low.3", "high.0", "high.3"]


def test_a_conservative_process_is_never_sure_of_what_lies_between_measurements() -> None:
    assert GAUSSIAN not in learnt(waves, 50, conservative=True).account["loo"]
